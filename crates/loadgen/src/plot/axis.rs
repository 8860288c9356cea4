//! Axes of a picture: where a value stands, and what is written beside it.

/// Marks on a linear axis, about.
const TICKS: f64 = 5.0;
/// Within each factor of ten of a logarithmic axis, if there are not more of them than so many.
const MARKS: [f64; 3] = [1.0, 2.0, 5.0];
const DENSE_DECADES: f64 = 2.05;
/// What logarithms may be wrong by.
const TINY: f64 = 1e-9;
/// Shares that have a mark.
const SHARES: [f64; 5] = [0.0, 0.9, 0.99, 0.999, 0.9999];
/// Factors of ten that an axis of shares has: each is as wide as the one before.
const NINES: f64 = 4.0;

/// One direction of a picture.
#[derive(Debug, Clone)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
    pub unit: Unit,
}

/// Where values stand.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// From zero.
    Linear,
    /// Each factor of ten is as wide as the one before.
    Log,
    /// Shares of one; each factor of ten of what is left is as wide as the one before.
    Nines,
    /// These values, at the same distance from each other.
    Steps(Vec<f64>),
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    Micros,
    Share,
}

/// An axis that is as long as what is on it.
pub struct Fitted<'a> {
    axis: &'a Axis,
    /// In the scale.
    low: f64,
    high: f64,
    /// In the picture.
    start: f64,
    end: f64,
}

impl Axis {
    /// Fits it to the values, between two places of the picture.
    pub fn fitted(&self, values: impl Iterator<Item = f64>, start: f64, end: f64) -> Fitted<'_> {
        let values: Vec<f64> = values.map(|value| self.scale.at(value)).collect();
        let (least, most) =
            (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max));
        let (low, high) = match &self.scale {
            Scale::Linear => {
                let step = step(most);
                (0.0, (most / step).ceil() * step)
            }
            Scale::Log => {
                let round = |value: f64, up: bool| {
                    let (power, rest) = (value.floor(), value - value.floor());
                    let marks = || MARKS.into_iter().map(f64::log10);
                    let mark = match up {
                        true => marks().find(|mark| *mark + TINY >= rest).unwrap_or(1.0),
                        false => marks().rfind(|mark| *mark - TINY <= rest).unwrap_or(0.0),
                    };
                    power + mark
                };
                let low = round(least.min(most), false);
                let high = round(most, true).max(low + MARKS[1].log10());
                if high - low > DENSE_DECADES { (low.floor(), (high - TINY).ceil()) } else { (low, high) }
            }
            Scale::Nines => (0.0, NINES),
            Scale::Steps(steps) => (0.0, (steps.len().max(2) - 1) as f64),
        };
        Fitted { axis: self, low, high, start, end }
    }
}

impl Scale {
    fn at(&self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log => value.max(1.0).log10(),
            Scale::Nines => (-(1.0 - value).log10()).min(NINES),
            Scale::Steps(steps) => steps.iter().position(|step| *step >= value).unwrap_or(0) as f64,
        }
    }
}

/// Between two marks, if the largest value is so large: 1, 2 or 5 and zeros.
fn step(most: f64) -> f64 {
    let rough = most.max(f64::MIN_POSITIVE) / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough);
    factor.unwrap_or(10.0) * power
}

impl Fitted<'_> {
    /// Where a value is in the picture.
    pub fn place(&self, value: f64) -> f64 {
        let share = (self.axis.scale.at(value) - self.low) / (self.high - self.low);
        self.start + (self.end - self.start) * share
    }

    /// The marks: values, and what is written there.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let values: Vec<f64> = match &self.axis.scale {
            Scale::Linear => {
                let step = step(self.high);
                (0..=(self.high / step).round() as u32).map(|tick| f64::from(tick) * step).collect()
            }
            Scale::Log => {
                let marks = if self.high - self.low > DENSE_DECADES { &MARKS[..1] } else { &MARKS };
                let powers = self.low.floor() as i32..=self.high.ceil() as i32;
                let values = powers.flat_map(|power| marks.iter().map(move |mark| mark * 10_f64.powi(power)));
                values.filter(|value| (self.low - TINY..=self.high + TINY).contains(&value.log10())).collect()
            }
            Scale::Nines => SHARES.to_vec(),
            Scale::Steps(steps) => steps.clone(),
        };
        values.into_iter().map(|value| (value, self.axis.unit.write(value))).collect()
    }
}

impl Unit {
    fn write(self, value: f64) -> String {
        // Without what the machine's numbers are wrong by.
        let short = |value: f64| format!("{}", (value * 1e6).round() / 1e6);
        match self {
            Unit::Count if value >= 1e6 => format!("{} M", short(value / 1e6)),
            Unit::Count if value >= 1e3 => format!("{} k", short(value / 1e3)),
            Unit::Count => short(value),
            Unit::Micros if value >= 1e6 => format!("{} s", short(value / 1e6)),
            Unit::Micros if value >= 1e3 => format!("{} ms", short(value / 1e3)),
            Unit::Micros => format!("{} µs", short(value)),
            Unit::Share => format!("{} %", short(value * 100.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scale: Scale, unit: Unit, values: &[f64], ticks: &[&str]) {
        let axis = Axis { label: String::new(), scale, unit };
        let fitted = axis.fitted(values.iter().copied(), 0.0, 100.0);
        assert_eq!(fitted.ticks().iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ticks);
        let places: Vec<f64> = values.iter().map(|value| fitted.place(*value)).collect();
        assert!(places.is_sorted() && places.iter().all(|place| (0.0..=100.0).contains(place)), "{places:?}");
    }

    #[test]
    fn axes_have_round_marks_around_their_values() {
        check(Scale::Linear, Unit::Count, &[0.0, 3.0, 17.0], &["0", "5", "10", "15", "20"]);
        check(Scale::Linear, Unit::Count, &[0.31], &["0", "0.1", "0.2", "0.3", "0.4"]);
        check(Scale::Linear, Unit::Count, &[61_000.0], &["0", "20 k", "40 k", "60 k", "80 k"]);
        check(Scale::Log, Unit::Count, &[100.0, 1e5], &["100", "1 k", "10 k", "100 k"]);
        check(Scale::Log, Unit::Micros, &[150.0, 2e6], &["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        check(Scale::Log, Unit::Micros, &[230.0, 4_100.0], &["200 µs", "500 µs", "1 ms", "2 ms", "5 ms"]);
        check(Scale::Log, Unit::Count, &[1_000.0, 1_000.0], &["1 k", "2 k"]);
        check(Scale::Log, Unit::Count, &[], &["1", "2"]);
        check(Scale::Nines, Unit::Share, &[0.5, 0.995], &["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        check(Scale::Steps(vec![0.0, 10.0, 100.0]), Unit::Count, &[0.0, 10.0, 100.0], &["0", "10", "100"]);
    }
}
