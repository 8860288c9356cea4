//! What processes cost: processor time and memory, as the kernel says.

use anyhow::{Context, Result};

/// Ticks of the kernel's clock in a second, in /proc; the same on all machines that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE_KIB: u64 = 4;

/// Processor time of a process and of its threads, in seconds: in its own code and in the kernel's.
pub fn cpu_seconds(process: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).context("the process has ended")?;
    // The name in parentheses may hold anything.
    let (_, rest) = text.rsplit_once(')').context("no name in stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok());
    Ok((ticks(11).context("no utime")? + ticks(12).context("no stime")?) / TICKS_PER_SECOND)
}

/// Resident memory of a process in KiB.
pub fn resident_kib(process: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).context("the process has ended")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// What the kernel keeps for the buffers of all TCP sockets of the machine, in KiB.
pub fn socket_kib() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/net/sockstat")?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:")).context("no TCP in sockstat")?;
    let pages = line.rsplit_once("mem ").context("no memory in sockstat")?.1.trim();
    Ok(pages.parse::<u64>()? * PAGE_KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_this_process() {
        let own = std::process::id();
        assert!(cpu_seconds(own).unwrap() >= 0.0);
        assert!(resident_kib(own).unwrap() > 100);
        socket_kib().unwrap();
    }
}
