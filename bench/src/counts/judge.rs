//! Counting, and comparing with what was counted before.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use crate::operations::{OPERATIONS, Operation, find};

/// By how much a count may differ from the baseline, in percent. The same program counts the same within 3 %; another
/// release of the compiler may well change more, and then the baseline is counted anew.
const TOLERANCE_PERCENT: f64 = 10.0;
/// Where the baseline is, seen from this package.
const BASELINE: &str = "counts.json";
/// The functions between which is counted.
const MARKS: &str = "starling_counts::marks";
/// The allocator's own threads and clocks would count by chance.
const ALLOCATOR: (&str, &str) =
    ("_RJEM_MALLOC_CONF", "background_thread:false,dirty_decay_ms:-1,muzzy_decay_ms:-1,narenas:1");

/// What to do with what was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Compare it with the baseline.
    Compare,
    /// Make it the baseline.
    Accept,
}

/// How a count is beside the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// It is about the same.
    Little,
    Grown,
    /// Then the baseline must follow, or it could grow back unseen.
    Shrunk,
    /// There is no baseline.
    New,
}

impl Change {
    fn of(now: u64, before: Option<u64>) -> Self {
        match before.map(|before| percent(now, before)) {
            None => Self::New,
            Some(percent) if percent > TOLERANCE_PERCENT => Self::Grown,
            Some(percent) if percent < -TOLERANCE_PERCENT => Self::Shrunk,
            Some(_) => Self::Little,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Little => "",
            Self::Grown => "GROWN",
            Self::Shrunk => "SHRUNK",
            Self::New => "NEW",
        }
    }
}

/// By how much it is more than before.
fn percent(now: u64, before: u64) -> f64 {
    (now as f64 / before.max(1) as f64 - 1.0) * 100.0
}

/// Instructions of each operation, by name.
type Counts = BTreeMap<String, u64>;

/// Counts the operations of these names, or all of them.
pub fn judge(names: &[&str], verdict: Verdict) -> Result<(), String> {
    let operations: Vec<_> = match names {
        [] => OPERATIONS.iter().collect(),
        names => names.iter().map(|name| find(name)).collect::<Result<_, _>>()?,
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(BASELINE);
    let baseline = read(&path)?;
    let counts = count_all(&operations)?;
    let mut problems = Vec::new();
    println!("{:<22} {:>10} {:>10} {:>8}          instructions for each", "", "counted", "baseline", "");
    for Operation { name, what, .. } in &operations {
        let (now, before) = (counts[*name], baseline.get(*name).copied());
        let change = Change::of(now, before);
        let percent = before.map_or(String::new(), |before| format!("{:+.1} %", percent(now, before)));
        let (now, before) = (thousands(now), before.map_or(String::new(), thousands));
        println!("{name:<22} {now:>10} {before:>10} {percent:>8} {:<7}  {what}", change.word());
        if change != Change::Little {
            problems.push(format!("{name} ({})", change.word()));
        }
    }
    if verdict == Verdict::Accept {
        let mut all = baseline;
        all.retain(|name, _| find(name).is_ok());
        all.extend(counts);
        return write(&path, &all);
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!(
        "\nmore than {TOLERANCE_PERCENT} % away from bench/{BASELINE}: {}\n\
         Grown: find out why (bench/README.md says how), or say in the commit why it must be.\n\
         Shrunk, new, or grown for a reason: `scripts/counts --accept` writes the new baseline.",
        problems.join(", ")
    ))
}

fn read(path: &Path) -> Result<Counts, String> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Counts::new()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn write(path: &Path, counts: &Counts) -> Result<(), String> {
    let text = serde_json::to_string_pretty(counts).map_err(|error| error.to_string())?;
    std::fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
    println!("written: {BASELINE}");
    Ok(())
}

/// Counts operations, as many at a time as there are cores: a run under valgrind takes one, and no count depends on it.
fn count_all(operations: &[&Operation]) -> Result<Counts, String> {
    let program = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    let waiting = Mutex::new(operations.iter());
    let counted = Mutex::new(Ok(Counts::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no holder of this lock panics").next();
                    let Some(operation) = next else { return };
                    let count = count(&program, operation);
                    let mut counted = counted.lock().expect("no holder of this lock panics");
                    match (&mut *counted, count) {
                        (Ok(counts), Ok(count)) => drop(counts.insert(operation.name.to_owned(), count)),
                        (Err(_), _) => return,
                        (Ok(_), Err(problem)) => *counted = Err(problem),
                    }
                }
            });
        }
    });
    counted.into_inner().expect("no holder of this lock panics")
}

/// Instructions of one operation.
fn count(program: &Path, operation: &Operation) -> Result<u64, String> {
    let Operation { name, times, each, .. } = operation;
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let profile = folder.path().join("profile");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--cache-sim=no", "--branch-sim=no"])
        .arg(format!("--zero-before={MARKS}::begin"))
        .arg(format!("--dump-before={MARKS}::end"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args(["run", name, &times.to_string()])
        .env(ALLOCATOR.0, ALLOCATOR.1)
        .output()
        .map_err(|error| format!("valgrind can't be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{name} failed under valgrind:\n{said}"));
    }
    let text = std::fs::read_to_string(profile.with_extension("1"));
    let text = text.map_err(|error| format!("{name}: callgrind has not seen the marks: {error}\n{said}"))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse::<u64>().ok());
    Ok(total.ok_or_else(|| format!("{name}: callgrind has written no total:\n{said}"))? / (times * each))
}

/// A number with commas.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_tolerance_is_told() {
        let check = |now, before, expect| assert_eq!(Change::of(now, before), expect, "{now} after {before:?}");
        check(1000, Some(1000), Change::Little);
        check(1099, Some(1000), Change::Little);
        check(1101, Some(1000), Change::Grown);
        check(901, Some(1000), Change::Little);
        check(899, Some(1000), Change::Shrunk);
        check(1, None, Change::New);
        check(1, Some(0), Change::Little);
    }

    #[test]
    fn numbers_have_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    /// A count that is in the file and is not counted any more would never be looked at.
    #[test]
    fn the_baseline_names_all_operations() {
        let baseline = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(BASELINE)).unwrap();
        let mut names: Vec<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
        names.sort_unstable();
        assert_eq!(baseline.keys().collect::<Vec<_>>(), names);
    }
}
