//! Every target over its seeds, over what was found before, and over mutations that are the same every time.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use fuzz_targets::mutation::Mutator;
use fuzz_targets::{TARGETS, Target, target};

/// Panics of any thread. A task that panics behind the back of a target is a finding, too.
static PANICS: AtomicU64 = AtomicU64::new(0);

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let show = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            show(info);
        }));
    });
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The inputs of a folder, by name.
fn inputs(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).expect("the file can be read"))).collect()
}

/// Runs a target over an input. A finding says how to look at it again.
fn run(target: &Target, from: &str, input: &[u8]) {
    let before = PANICS.load(Ordering::SeqCst);
    let result = catch_unwind(|| (target.run)(input));
    if result.is_err() || PANICS.load(Ordering::SeqCst) != before {
        let kept = std::env::temp_dir().join(format!("starling-fuzz-{}-{}", target.name, std::process::id()));
        fs::write(&kept, input).expect("a temporary file can be written");
        panic!("{} fails on {from}, kept as {}: {:?}", target.name, kept.display(), String::from_utf8_lossy(input));
    }
}

fn check(name: &str) {
    count_panics();
    let target = target(name).expect("a target has this name");
    let seeds = inputs(&folder().join("corpus").join(name));
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let found = inputs(&folder().join("regressions").join(name));
    for (path, input) in seeds.iter().chain(&found) {
        run(target, &path.display().to_string(), input);
    }
    let seeds: Vec<Vec<u8>> = seeds.into_iter().chain(found).map(|(_, input)| input).collect();
    let mut mutator = Mutator::new(u64::from_le_bytes(*b"starling"));
    for number in 0..target.mutations {
        run(target, &format!("mutation {number}"), &mutator.mutate(&seeds));
    }
}

macro_rules! check_targets {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_target_is_checked() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!([$(stringify!($name)),*], names[..]);
        }
    };
}

check_targets!(
    id,
    forwarded,
    frame,
    record,
    packed,
    config,
    token,
    page_cursor,
    rest,
    websocket_frames,
    websocket,
    database_rows,
    backup_file,
);
