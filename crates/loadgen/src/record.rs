//! What is counted and timed, in one worker or in all.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
}

impl Record {
    /// Adds a question that was answered after so many nanoseconds.
    pub fn add_answer(&mut self, nanos: u64) {
        self.sent += 1;
        self.acked += 1;
        self.acks.add(nanos);
    }

    pub fn merge(&mut self, other: &Record) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.refused += other.refused;
        self.delivered += other.delivered;
        self.acks.merge(&other.acks);
        self.deliveries.merge(&other.deliveries);
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
            let told = serde_json::to_string(&record).unwrap();
            sum.merge(&serde_json::from_str(&told).unwrap());
        }
        assert_eq!((sum.sent, sum.acked, sum.refused, sum.delivered), (30, 27, 3, 60));
        assert_eq!(sum.acks.count(), 3_000);
        for (share, micros) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            assert!((sum.acks.at(share) / micros - 1.0).abs() < 0.01, "{share}: {}", sum.acks.at(share));
        }
        let points = sum.acks.points();
        assert!(points.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{points:?}");
    }
}
