//! libFuzzer over one of the targets, which `STARLING_FUZZ_TARGET` names. `scripts/fuzz` builds and runs it.
#![no_main]

use std::sync::LazyLock;

use fuzz_targets::Target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("STARLING_FUZZ_TARGET").unwrap_or_default();
    let names: Vec<&str> = fuzz_targets::TARGETS.iter().map(|target| target.name).collect();
    fuzz_targets::target(&name).unwrap_or_else(|| panic!("STARLING_FUZZ_TARGET must be one of {names:?}"))
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| (TARGET.run)(input));
