//! What is measured at which sizes, and how it is drawn.

use clap::ValueEnum;
use serde_json::Value;

use crate::plot::{Axis, Chart, Line, Point, Scale, Unit};
use crate::seeds::Seeds;
use crate::workload::{Append, Chat, Group, History, Sync, Workload};

const TEXT_BYTES: usize = 180;
/// Seconds of what ends by itself.
const UNTIL_IT_ENDS: f64 = 0.0;
/// Seconds in which memory is left alone before it is looked at.
const SETTLE: f64 = 0.5;
/// The same where memory is what is measured: the allocator gives back within ten seconds what is no longer needed.
const MEMORY_SETTLE: f64 = 15.0;
const KIB_PER_MB: f64 = 1000.0 * 1000.0 / 1024.0;
/// Members of a group who are there.
const ONLINE: u32 = 10;
/// Events of a page.
const PAGE: u32 = 50;
/// Those who own the rooms of a store of many messages, and messages in each room.
const OWNERS: u32 = 100;
const ROOM_MESSAGES: u64 = 100;

/// A group of curves that come from the same runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Study {
    /// Processor time of a message in a group with ever more members who are not there
    Members,
    /// Memory with ever more rooms in which nothing happens
    Rooms,
    /// Time of a sync when some of many rooms have changed
    Sync,
    /// Appends and history in a store of ever more messages
    Store,
    /// Latency of an acknowledgement at ever higher rates
    Rates,
}

/// One size of a study.
#[derive(Debug)]
pub struct Size {
    pub name: String,
    /// The size in numbers: one for the axis, and one for which line it is.
    at: f64,
    line: f64,
    /// What is done, one after another, each for so many seconds.
    pub workloads: Vec<(Workload, f64)>,
    /// Rooms in which nothing happens.
    rooms: u64,
    /// Seconds in which memory is left alone before it is looked at.
    pub settle: f64,
}

impl Size {
    /// What the server must have before.
    pub fn seeds(&self) -> Seeds {
        let first = self.workloads.first().map(|(workload, _)| workload.seeds()).unwrap_or_default();
        Seeds { rooms: self.rooms, ..first }
    }
}

/// A figure that a run has.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Which of the workloads.
    workload: usize,
    /// Where it is in the workload's figures.
    path: &'static str,
    /// How much of it is one on the axis.
    unit: f64,
}

impl Figure {
    pub const fn at(workload: usize, path: &'static str) -> Self {
        Self { workload, path, unit: 1.0 }
    }

    /// It, in a run.
    pub fn of(self, figures: &[Value]) -> f64 {
        figures[self.workload].pointer(self.path).and_then(Value::as_f64).unwrap_or(0.0) / self.unit
    }
}

impl Study {
    pub fn name(self) -> &'static str {
        match self {
            Study::Members => "members",
            Study::Rooms => "rooms",
            Study::Sync => "sync",
            Study::Store => "store",
            Study::Rates => "rates",
        }
    }

    /// The sizes, in the order in which they are measured.
    pub fn sizes(self, quick: bool) -> Vec<Size> {
        let seconds = if quick { 1.0 } else { 6.0 };
        let take = |all: &[u64], few: &[u64]| if quick { few.to_vec() } else { all.to_vec() };
        match self {
            Study::Members => {
                let sizes = take(&[100, 1_000, 10_000, 100_000], &[100, 1_000]);
                sizes.into_iter().map(|members| members_size(members, seconds)).collect()
            }
            Study::Rooms => {
                let sizes = take(&[1_000, 10_000, 100_000], &[100, 1_000]);
                sizes.into_iter().map(|rooms| rooms_size(rooms, seconds, quick)).collect()
            }
            Study::Sync => {
                let (rooms, changed) = (take(&[100, 1_000, 10_000], &[100]), take(&[0, 10, 100, 1_000], &[0, 10]));
                let pairs = rooms.iter().flat_map(|rooms| changed.iter().map(|changed| (*rooms, *changed)));
                pairs
                    .filter(|(rooms, changed)| changed <= rooms)
                    .map(|(rooms, changed)| sync_size(rooms, changed, quick))
                    .collect()
            }
            Study::Store => {
                let sizes = take(&[10_000, 1_000_000, 10_000_000], &[10_000, 40_000]);
                sizes.into_iter().map(|messages| store_size(messages, seconds, quick)).collect()
            }
            Study::Rates => {
                let sizes = take(&[1_000, 2_500, 5_000, 10_000, 15_000, 20_000, 30_000, 40_000], &[500, 2_000]);
                sizes.into_iter().map(|rate| rate_size(rate, seconds, quick)).collect()
            }
        }
    }

    /// The pictures, with their names: `middle` tells a figure of a size.
    pub fn charts(self, sizes: &[Size], middle: impl Fn(usize, Figure) -> Point) -> Vec<(&'static str, Chart)> {
        let line = |name: &str, of: Option<f64>, figure: Figure| {
            let own = sizes.iter().enumerate().filter(|(_, size)| of.is_none_or(|of| size.line == of));
            let points = own.map(|(index, size)| Point { x: size.at, ..middle(index, figure) }).collect();
            Line { name: name.to_owned(), points, is_marked: true }
        };
        match self {
            Study::Members => {
                let x = axis("members of the group, of whom 10 are connected", Scale::Log, Unit::Count);
                let y = axis("server's processor time per message, µs", Scale::Linear, Unit::Count);
                let lines = vec![line("per message", None, Figure::at(0, "/server_cpu_us_per_message"))];
                vec![(
                    "members",
                    Chart {
                        title: "What a message costs in a group whose members are mostly away".into(),
                        x,
                        y,
                        lines,
                    },
                )]
            }
            Study::Rooms => {
                let x = axis("rooms in which nothing happens", Scale::Log, Unit::Count);
                let y = axis("server's resident memory, MB", Scale::Linear, Unit::Count);
                let megabytes = |path| Figure { unit: KIB_PER_MB, ..Figure::at(0, path) };
                let lines = vec![
                    line("after the work", None, megabytes("/server_kib_after")),
                    line("before it", None, megabytes("/server_kib_idle")),
                ];
                vec![("rooms", Chart { title: "Memory with many rooms in which nothing happens".into(), x, y, lines })]
            }
            Study::Sync => {
                let mut steps: Vec<f64> = sizes.iter().map(|size| size.at).collect();
                steps.sort_by(f64::total_cmp);
                steps.dedup();
                let mut rooms: Vec<f64> = sizes.iter().map(|size| size.line).collect();
                rooms.dedup();
                let x = axis("rooms that changed since the last sync", Scale::Steps(steps), Unit::Count);
                let y = axis("time of a sync, middle of all", Scale::Log, Unit::Micros);
                let lines = rooms.iter().map(|rooms| {
                    line(&format!("{} rooms", grouped(*rooms as u64)), Some(*rooms), Figure::at(0, "/acks/p50_us"))
                });
                let lines = lines.collect();
                vec![(
                    "sync",
                    Chart { title: "A sync, by how many rooms there are and how many changed".into(), x, y, lines },
                )]
            }
            Study::Store => {
                let x = || axis("messages in the store", Scale::Log, Unit::Count);
                let pages = vec![
                    line("p50", None, Figure::at(0, "/acks/p50_us")),
                    line("p99", None, Figure::at(0, "/acks/p99_us")),
                ];
                let appends = vec![line("appends", None, Figure::at(1, "/acked_per_second"))];
                let history = Chart {
                    title: "A page of 50 messages from anywhere, over the socket".into(),
                    x: x(),
                    y: axis("time of a page", Scale::Linear, Unit::Micros),
                    lines: pages,
                };
                let appends = Chart {
                    title: "Durable messages into old rooms".into(),
                    x: x(),
                    y: axis("acknowledged messages per second", Scale::Linear, Unit::Count),
                    lines: appends,
                };
                vec![("history", history), ("appends", appends)]
            }
            Study::Rates => {
                let x = axis("messages per second, of people in pairs", Scale::Linear, Unit::Count);
                let y = axis("time from when a message is due until it is durable", Scale::Log, Unit::Micros);
                let shares = [
                    ("p50", "/acks/p50_us"),
                    ("p90", "/acks/p90_us"),
                    ("p99", "/acks/p99_us"),
                    ("p99.9", "/acks/p999_us"),
                ];
                let lines = shares.map(|(name, path)| line(name, None, Figure::at(0, path)));
                vec![("rates", Chart { title: "How long an acknowledgement takes".into(), x, y, lines: lines.into() })]
            }
        }
    }
}

fn axis(label: &str, scale: Scale, unit: Unit) -> Axis {
    Axis { label: label.to_owned(), scale, unit }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", grouped(number / 1_000), number % 1_000) }
}

fn size(name: String, at: u64, workloads: Vec<(Workload, f64)>) -> Size {
    Size { name, at: at as f64, line: 0.0, workloads, rooms: 0, settle: SETTLE }
}

/// One of ten who are there talks, as fast as it goes with some messages on the way.
fn members_size(members: u64, seconds: f64) -> Size {
    let offline = members as u32 - ONLINE;
    let group = Group { groups: 1, members: ONLINE, offline, senders: 1, rate: None, window: 32, bytes: TEXT_BYTES };
    size(format!("with {} members", grouped(members)), members, vec![(Workload::Group(group), seconds)])
}

/// The same people do the same work.
fn rooms_size(rooms: u64, seconds: f64, quick: bool) -> Size {
    let chat = Chat { people: 100, window: 1, rate: Some(2_000.0), bytes: TEXT_BYTES };
    let settle = if quick { SETTLE } else { MEMORY_SETTLE };
    Size {
        rooms,
        settle,
        ..size(format!("with {} rooms", grouped(rooms)), rooms, vec![(Workload::Chat(chat), seconds)])
    }
}

fn sync_size(rooms: u64, changed: u64, quick: bool) -> Size {
    // The more has changed, the longer it takes to change it.
    let times = (if quick { 2_000 } else { 60_000 } / (changed + 30)).max(20) as u32;
    let sync = Sync { rooms: rooms as u32, elsewhere: 10, changed: changed as u32, times };
    let name = format!("of {} rooms with {} changed", grouped(rooms), grouped(changed));
    Size { line: rooms as f64, ..size(name, changed, vec![(Workload::Sync(sync), UNTIL_IT_ENDS)]) }
}

/// First read, then write: writing changes what is read.
fn store_size(messages: u64, seconds: f64, quick: bool) -> Size {
    let (people, room_messages) = (OWNERS, ROOM_MESSAGES);
    let times = if quick { 500 } else { 10_000 };
    let history = History { people, messages, room_messages, page: PAGE, times };
    let append = Append { people, messages, room_messages, window: 8, rate: None, bytes: TEXT_BYTES };
    let workloads = vec![(Workload::History(history), UNTIL_IT_ENDS), (Workload::Append(append), seconds)];
    size(format!("with {} messages", grouped(messages)), messages, workloads)
}

fn rate_size(rate: u64, seconds: f64, quick: bool) -> Size {
    let people = if quick { 100 } else { 1_000 };
    let chat = Chat { people, window: 1, rate: Some(rate as f64), bytes: TEXT_BYTES };
    size(format!("of {} per second", grouped(rate)), rate, vec![(Workload::Chat(chat), seconds)])
}
