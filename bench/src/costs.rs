//! What this process has used so far, as the kernel counts it: the driver and its clients included.

/// Length of a tick of `/proc/self/stat`; Linux tells user space 100 per second everywhere.
const TICK_US: f64 = 10_000.0;

/// Processor time and bytes handed to the kernel for writing.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    cpu_us: f64,
    written_bytes: f64,
}

impl Costs {
    /// What was used until now; nothing where there is no `/proc`.
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // After the name, which may hold blanks: state is the first field, user and system time are the 12th and 13th.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let ticks: f64 = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        Self { cpu_us: ticks * TICK_US, written_bytes: written.and_then(|text| text.parse().ok()).unwrap_or(0.0) }
    }

    /// Microseconds and bytes per message since then.
    pub fn since(&self, before: &Self, messages: u64) -> (f64, f64) {
        let messages = messages.max(1) as f64;
        ((self.cpu_us - before.cpu_us) / messages, (self.written_bytes - before.written_bytes) / messages)
    }
}
