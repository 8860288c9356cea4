//! What is counted and timed, in one worker or in all.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::day::Operation;
use crate::link::since;
use crate::talk::Measured;

/// Digits that latencies are kept to.
const DIGITS: u8 = 3;
const NANOS_PER_US: f64 = 1_000.0;

/// Latencies in nanoseconds.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new(DIGITS).expect("the digits are few"))
    }
}

impl Times {
    pub fn add(&mut self, nanos: u64) {
        self.0.record(nanos).expect("it grows as needed");
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that so large a share of all took at most, in microseconds.
    pub fn at(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / NANOS_PER_US
    }

    fn merge(&mut self, other: &Times) {
        self.0.add(&other.0).expect("it grows as needed");
    }

    /// p50, p90, p99, p99.9 and the longest, in microseconds.
    pub fn summary(&self) -> Value {
        let at = |share| self.at(share).round();
        json!({ "count": self.count(), "p50_us": at(0.5), "p90_us": at(0.9), "p99_us": at(0.99), "p999_us": at(0.999),
            "max_us": at(1.0) })
    }

    /// Points of the distribution: share and microseconds.
    pub fn points(&self) -> Vec<(f64, f64)> {
        let mut points = Vec::new();
        for nines in 0..5 {
            for tenth in 0..9 {
                let share = 1.0 - (1.0 - f64::from(tenth) / 10.0) / 10_f64.powi(nines);
                points.push((share, self.at(share)));
            }
        }
        points
    }
}

impl Serialize for Times {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let recorded = self.0.iter_recorded();
        serializer.collect_seq(recorded.map(|one| (one.value_iterated_to(), one.count_since_last_iteration())))
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut times = Self::default();
        for (value, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            times.0.record_n(value, count).map_err(serde::de::Error::custom)?;
        }
        Ok(times)
    }
}

/// What happened in the measured time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Record {
    /// Messages sent.
    pub sent: u64,
    /// Those that were acknowledged.
    pub acked: u64,
    pub refused: u64,
    /// Messages that reached somebody else, counted for each of them.
    pub delivered: u64,
    /// From when a message was due to be sent to its acknowledgement.
    pub acks: Times,
    /// The same to its arrival.
    pub deliveries: Times,
    /// Each kind of thing that people do, where they do several.
    pub operations: BTreeMap<Operation, Counts>,
}

/// How often something was done, and how long it took.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Counts {
    pub sent: u64,
    pub done: u64,
    pub refused: u64,
    /// From when it was due to its answer.
    pub times: Times,
}

impl Record {
    /// Adds a question that was answered after so many nanoseconds.
    pub fn add_answer(&mut self, nanos: u64) {
        self.sent += 1;
        self.acked += 1;
        self.acks.add(nanos);
    }

    /// Adds something that was begun.
    pub fn add_sent(&mut self, operation: Operation) {
        self.sent += u64::from(operation.is_message());
        self.operations.entry(operation).or_default().sent += 1;
    }

    /// Adds that it was answered after so many nanoseconds.
    pub fn add_done(&mut self, operation: Operation, nanos: u64) {
        if operation.is_message() {
            self.acked += 1;
            self.acks.add(nanos);
        }
        let counts = self.operations.entry(operation).or_default();
        counts.done += 1;
        counts.times.add(nanos);
    }

    /// Adds that it was refused.
    pub fn add_refused(&mut self, operation: Operation) {
        self.refused += u64::from(operation.is_message());
        self.operations.entry(operation).or_default().refused += 1;
    }

    /// Adds a message that has come, if it is known when it was sent and that counts.
    pub fn add_message(&mut self, sent: Option<u64>, measured: Measured) {
        if let Some(sent) = sent.filter(|sent| measured.counts(*sent)) {
            self.delivered += 1;
            self.deliveries.add(since(sent));
        }
    }

    /// How much was refused, or has no answer.
    pub fn open(&self) -> u64 {
        let operations = self.operations.values().map(|counts| counts.sent - counts.done);
        (self.sent - self.acked).max(operations.sum())
    }

    pub fn merge(&mut self, other: &Record) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.refused += other.refused;
        self.delivered += other.delivered;
        self.acks.merge(&other.acks);
        self.deliveries.merge(&other.deliveries);
        for (operation, counts) in &other.operations {
            let Counts { sent, done, refused, times } = counts;
            let own = self.operations.entry(*operation).or_default();
            own.sent += sent;
            own.done += done;
            own.refused += refused;
            own.times.merge(times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_workers_add_up() {
        let mut sum = Record::default();
        for worker in 0..3_u64 {
            let mut record = Record { sent: 10, acked: 9, refused: 1, delivered: 20, ..Record::default() };
            for n in 1..=1_000 {
                record.acks.add(n * 1_000 + worker);
            }
            for operation in [Operation::GroupMessage, Operation::Typing] {
                record.add_sent(operation);
                record.add_done(operation, 500_000);
            }
            record.add_sent(Operation::Sync);
            record.add_refused(Operation::Sync);
            let told = serde_json::to_string(&record).unwrap();
            sum.merge(&serde_json::from_str(&told).unwrap());
        }
        assert_eq!((sum.sent, sum.acked, sum.refused, sum.delivered), (33, 30, 3, 60));
        assert_eq!(sum.acks.count(), 3_003);
        assert_eq!(sum.open(), 3);
        let Counts { sent, done, refused, times } = &sum.operations[&Operation::Typing];
        assert_eq!((*sent, *done, *refused, times.count()), (3, 3, 0, 3));
        assert_eq!((sum.operations[&Operation::Sync].refused, sum.operations.len()), (3, 3));
        for (share, micros) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            assert!((sum.acks.at(share) / micros - 1.0).abs() < 0.01, "{share}: {}", sum.acks.at(share));
        }
        let points = sum.acks.points();
        assert!(points.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{points:?}");
    }
}
