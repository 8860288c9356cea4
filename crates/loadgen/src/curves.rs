//! Curves over sizes: whether what is not touched costs anything, and how latency grows with the rate. What is measured
//! stands in [`studies`]; here it is done.
//!
//! The sizes of a study take turns, and a figure is the middle of all turns, so that what else the machine does at some time
//! falls on all sizes. Every turn begins with a fresh server on a fresh copy of the data.

mod studies;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use self::studies::{Figure, Size, Study};
use crate::coordinator::{self, Shape};
use crate::plot::{Chart, Line, Point};
use crate::seeds::{Seeded, Seeds};
use crate::target::Program;

/// Turns, unless said otherwise.
const TURNS: u32 = 3;
/// Load of the machine from which on it is said that figures are not to be kept.
const BUSY: f64 = 0.5;

/// Which curves, and how.
#[derive(Debug, Args)]
pub struct Curves {
    /// Small sizes and short times, to see that all works: under a minute
    #[arg(long)]
    quick: bool,
    /// Only some of them
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Study>,
    /// How often each size is measured
    #[arg(long, default_value_t = TURNS)]
    turns: u32,
    /// Where the figures and pictures go
    #[arg(long, default_value = "bench/results")]
    into: PathBuf,
    /// A folder for the data that is kept and used again; there must be room for three times the largest, some 8 GB
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    program: Program,
}

/// What one turn of one size came to.
#[derive(Debug)]
struct Run {
    /// Which of the sizes.
    size: usize,
    /// What was measured there, in its order.
    figures: Vec<Value>,
}

impl Curves {
    /// Measures, writes and draws.
    pub async fn run(&self) -> Result<()> {
        let load = load()?;
        if load > BUSY {
            eprintln!("the machine is busy (load {load}): these are no figures to keep");
        }
        let turns = if self.quick { 1 } else { self.turns.max(1) };
        let chosen = if self.only.is_empty() { Study::value_variants() } else { &self.only };
        std::fs::create_dir_all(&self.into).with_context(|| format!("make {}", self.into.display()))?;
        let mut told = self.told_before()?;
        for study in chosen {
            let sizes = study.sizes(self.quick);
            let runs = self.measure(*study, &sizes, turns).await?;
            let charts = study.charts(&sizes, |size, figure| middle(&runs, size, figure));
            for (name, chart) in &charts {
                let path = self.into.join(format!("{name}.svg"));
                std::fs::write(&path, chart.svg()).with_context(|| format!("write {}", path.display()))?;
                print(name, chart);
                told[*name] = tell(chart, &sizes, &runs, load, turns);
            }
            // What took long to measure is kept even if a later one fails.
            std::fs::write(self.into.join("curves.json"), serde_json::to_string_pretty(&told)? + "\n")?;
        }
        Ok(())
    }

    /// The curves of an earlier call that drew others.
    fn told_before(&self) -> Result<Value> {
        let path = self.into.join("curves.json");
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("read {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(json!({})),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    async fn measure(&self, study: Study, sizes: &[Size], turns: u32) -> Result<Vec<Run>> {
        let temporary = tempfile::Builder::new().prefix("starling-curves").tempdir()?;
        let mut runs = Vec::new();
        for turn in 1..=turns {
            for (index, size) in sizes.iter().enumerate() {
                eprintln!("{} {}, turn {turn} of {turns}", study.name(), size.name);
                let seeds = size.seeds();
                let seeded = Seeded::at(&self.data.as_deref().unwrap_or(temporary.path()).join(folder_name(&seeds)));
                seeded.fill(&self.program.binary, &seeds, false).await?;
                let place = temporary.path().join("turn");
                let copy = seeded.copy(&place).await?;
                let figures = self.turn(&copy, size).await;
                std::fs::remove_dir_all(&place).context("remove the data of a turn")?;
                let figures = figures.with_context(|| format!("{} {}", study.name(), size.name))?;
                runs.push(Run { size: index, figures });
            }
        }
        Ok(runs)
    }

    /// A fresh server does one thing after another.
    async fn turn(&self, data: &Seeded, size: &Size) -> Result<Vec<Value>> {
        let target = self.program.start(data).await?;
        let mut figures = Vec::new();
        for (workload, seconds) in &size.workloads {
            let warm_up = if self.quick { 0.2 } else { 2.0 };
            let shape = Shape { workers: 1, warm_up, seconds: *seconds, settle: size.settle, quiet: true };
            let outcome = coordinator::run(&target, workload, &shape).await?;
            ensure!(outcome.record.refused == 0, "something was refused");
            figures.push(outcome.figures(workload.people()));
        }
        target.stop().await?;
        Ok(figures)
    }
}

/// A name for a folder with these seeds: the same ones are made once.
fn folder_name(seeds: &Seeds) -> String {
    let Seeds { people, messages, room_messages, rooms, members } = seeds;
    format!("people-{people}-messages-{messages}-by-{room_messages}-rooms-{rooms}-members-{members}")
}

/// The middle of a figure over all turns of a size, and from where to where it was found.
fn middle(runs: &[Run], size: usize, figure: Figure) -> Point {
    let of_size = runs.iter().filter(|run| run.size == size);
    let mut values: Vec<f64> = of_size.map(|run| figure.of(&run.figures)).collect();
    values.sort_by(f64::total_cmp);
    let y = values.get(values.len() / 2).copied().unwrap_or(0.0);
    let range = (values.len() > 1).then(|| (values[0], values[values.len() - 1]));
    Point { x: 0.0, y, range }
}

fn print(name: &str, chart: &Chart) {
    println!("{name}: {} ({}) by {}", chart.title, chart.y.label, chart.x.label);
    for Line { name, points, .. } in &chart.lines {
        let points = points.iter().map(|Point { x, y, .. }| format!("{x}: {y:.1}"));
        println!("  {name:20} {}", points.collect::<Vec<_>>().join("   "));
    }
}

fn tell(chart: &Chart, sizes: &[Size], runs: &[Run], load: f64, turns: u32) -> Value {
    let lines = chart.lines.iter().map(|Line { name, points, .. }| {
        let points = points.iter().map(|Point { x, y, range }| {
            let (low, high) = range.unwrap_or((*y, *y));
            json!({ "x": x, "y": y, "low": low, "high": high })
        });
        json!({ "name": name, "points": points.collect::<Vec<_>>() })
    });
    let runs = runs.iter().map(|Run { size, figures }| json!({ "size": sizes[*size].name, "figures": figures }));
    let workloads =
        sizes.iter().map(|size| json!({ "size": size.name, "workloads": size.workloads, "seeds": size.seeds() }));
    json!({
        "title": chart.title, "x": chart.x.label, "y": chart.y.label, "lines": lines.collect::<Vec<_>>(),
        "turns": turns, "date": date(), "load_before": load, "processor": processor(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "sizes": workloads.collect::<Vec<_>>(), "runs": runs.collect::<Vec<_>>(),
    })
}

fn date() -> Option<String> {
    let said = Command::new("date").arg("-I").output().ok()?;
    Some(String::from_utf8(said.stdout).ok()?.trim().to_owned())
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string(Path::new("/proc/cpuinfo")).ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(": ")?.1.to_owned())
}

/// How many wanted a processor in the last minute.
fn load() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").context("read the load")?;
    text.split(' ').next().and_then(|load| load.parse().ok()).context("no load in /proc/loadavg")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every study draws its lines through what its sizes came to.
    #[test]
    fn studies_draw_their_sizes() {
        for study in Study::value_variants() {
            for quick in [true, false] {
                let sizes = study.sizes(quick);
                assert!(sizes.iter().all(|size| !size.workloads.is_empty()));
                // Figures that any run has, all different.
                let figures = |size: usize| {
                    let number = 100 + size;
                    let times = json!({ "p50_us": number, "p90_us": number, "p99_us": number, "p999_us": number });
                    json!({ "acks": times, "acked_per_second": number, "server_cpu_us_per_message": number,
                        "server_kib_after": number * 1024, "server_kib_idle": number * 1024 })
                };
                let run = |size: usize| Run { size, figures: vec![figures(size); sizes[size].workloads.len()] };
                let runs: Vec<Run> = (0..sizes.len()).map(run).collect();
                let charts = study.charts(&sizes, |size, figure| middle(&runs, size, figure));
                assert!(!charts.is_empty());
                for (name, chart) in &charts {
                    assert!(chart.lines.iter().any(|line| line.points.len() > 1), "{name}");
                    let points = || chart.lines.iter().flat_map(|line| &line.points);
                    assert!(points().all(|point| (100.0..1_000.0).contains(&point.y)), "{name}: {chart:?}");
                    assert!(quick || chart.lines.iter().any(|line| line.points.len() >= 3), "{name}");
                    let told = tell(chart, &sizes, &runs, 0.0, 1);
                    assert_eq!(told["lines"].as_array().unwrap().len(), chart.lines.len());
                    assert!(chart.svg().contains(&chart.x.label));
                }
            }
        }
    }

    #[test]
    fn the_middle_of_the_turns_counts() {
        let run = |size, value: u32| Run { size, figures: vec![json!({ "a": { "b": value } })] };
        let runs = [run(0, 9), run(1, 100), run(0, 3), run(1, 100), run(0, 4)];
        let figure = Figure::at(0, "/a/b");
        assert_eq!(middle(&runs, 0, figure), Point { x: 0.0, y: 4.0, range: Some((3.0, 9.0)) });
        assert_eq!(middle(&runs[..1], 0, figure), Point { x: 0.0, y: 9.0, range: None });
    }
}
