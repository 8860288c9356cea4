//! A process of the load: its share of the people. It is told by lines of JSON what to do and when, and answers so.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::interval;

use crate::ask::{Syncs, history};
use crate::clock::{self, wait_until};
use crate::codec::{Person, To};
use crate::day::person::Living;
use crate::day::{self, Day};
use crate::link::{Link, since};
use crate::plan::{Plan, Tokens};
use crate::record::Record;
use crate::talk::{Measured, Talker};
use crate::workload::Workload;

/// Connections of one worker that are being made at the same time.
const CONNECTING_MAX: usize = 64;
/// How often it tells how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Plan(Box<Plan>),
    /// Groups are made; now join them.
    Join,
    /// Begin; what is due from `from` to `to` counts.
    Go {
        from: u64,
        to: u64,
    },
}

/// What a worker tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tells {
    /// Its people are connected, and have made their groups.
    Made,
    /// It can begin.
    Ready,
    /// So much is done.
    Progress { acked: u64, delivered: u64 },
    /// It is over.
    Result(Box<Record>),
}

struct Coordinator(Lines<BufReader<Stdin>>);

impl Coordinator {
    async fn told(&mut self) -> Result<Told> {
        let line = self.0.next_line().await?.context("the coordinator has ended")?;
        Ok(serde_json::from_str(&line)?)
    }
}

fn tell(what: &Tells) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, what)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Works as the coordinator says.
pub fn work() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut coordinator = Coordinator(BufReader::new(stdin()).lines());
        let Told::Plan(plan) = coordinator.told().await? else { anyhow::bail!("no plan") };
        let tokens = plan.tokens()?;
        let record = Rc::new(RefCell::new(Record::default()));
        let telling = tokio::task::spawn_local(tell_progress(Rc::clone(&record)));
        let done = match &plan.workload {
            Workload::Alone(_) | Workload::Chat(_) | Workload::Group(_) | Workload::Append(_) | Workload::Idle(_) => {
                talk(&plan, &tokens, &mut coordinator, &record).await
            }
            Workload::Day(day) => live(&plan, &Rc::new(day.clone()), &tokens, &mut coordinator, &record).await,
            Workload::Storm(_) => storm(&plan, &tokens, &mut coordinator, &record).await,
            Workload::Sync(_) | Workload::History(_) if plan.worker > 0 => idle(&mut coordinator).await.map(drop),
            Workload::Sync(sync) => {
                let syncs = Syncs::prepare(&plan, &tokens, sync).await?;
                wait_until(idle(&mut coordinator).await?.from).await;
                syncs.run(sync, &record).await
            }
            Workload::History(pages) => {
                let links = connect_one_by_one(&plan, &tokens).await?;
                wait_until(idle(&mut coordinator).await?.from).await;
                history(links, pages, &record).await
            }
        };
        done?;
        telling.abort();
        tell(&Tells::Result(Box::new(record.take())))
    })
}

async fn tell_progress(record: Rc<RefCell<Record>>) {
    let mut ticks = interval(TOLD_EVERY);
    loop {
        ticks.tick().await;
        let progress = {
            let now = record.borrow();
            Tells::Progress { acked: now.acked, delivered: now.delivered }
        };
        if tell(&progress).is_err() {
            return;
        }
    }
}

/// Goes through the steps with nothing to prepare, until it begins.
async fn idle(coordinator: &mut Coordinator) -> Result<Measured> {
    tell(&Tells::Made)?;
    let Told::Join = coordinator.told().await? else { anyhow::bail!("out of step") };
    tell(&Tells::Ready)?;
    begin(coordinator).await
}

async fn begin(coordinator: &mut Coordinator) -> Result<Measured> {
    let Told::Go { from, to } = coordinator.told().await? else { anyhow::bail!("out of step") };
    Ok(Measured { from, to })
}

/// Does something for each of many people, some at a time.
async fn for_each<T: 'static, F: Future<Output = Result<T>> + 'static>(
    people: impl Iterator<Item = F>,
) -> Result<Vec<T>> {
    let (mut running, mut done) = (JoinSet::new(), Vec::new());
    for one in people {
        if running.len() == CONNECTING_MAX {
            done.push(running.join_next().await.context("some are running")???);
        }
        running.spawn_local(one);
    }
    while let Some(one) = running.join_next().await {
        done.push(one??);
    }
    Ok(done)
}

async fn connect(plan: &Plan, tokens: &Tokens, who: impl Fn(&Person) -> bool) -> Result<Vec<(Person, Link)>> {
    let codecs = plan.people().filter(who).map(|person| Ok((person, plan.codec(person, tokens, None)?)));
    let codecs = codecs.collect::<Result<Vec<_>>>()?;
    let address = plan.address;
    let connecting = codecs
        .into_iter()
        .map(|(person, codec)| async move { anyhow::Ok((person, Link::ready(address, codec).await?)) });
    for_each(connecting).await
}

/// All people of the workload, in their order.
async fn connect_one_by_one(plan: &Plan, tokens: &Tokens) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    for person in 0..plan.workload.people() {
        links.push(Link::ready(plan.address, plan.codec(person, tokens, None)?).await?);
    }
    Ok(links)
}

async fn talk(plan: &Plan, tokens: &Tokens, coordinator: &mut Coordinator, record: &Rc<RefCell<Record>>) -> Result<()> {
    let part = |person| plan.workload.part(person);
    let makers = |person: &Person| part(*person).is_some_and(|part| part.makes.is_some());
    let mut links = connect(plan, tokens, makers).await?;
    for (person, link) in &mut links {
        if let Some(group) = part(*person).and_then(|part| part.makes) {
            link.ask(|codec, out| Ok(codec.make(group, out))).await?;
        }
    }
    tell(&Tells::Made)?;
    let Told::Join = coordinator.told().await? else { anyhow::bail!("out of step") };
    // Everybody hears of each who joins a group. If one stays in it, better those don't who have nothing to do but listen.
    let stays = matches!(plan.workload, Workload::Group(_)) && plan.codec(0, tokens, None)?.stays();
    if stays {
        links.clear();
        let address = plan.address;
        let others = plan.people().filter(|person| !makers(person)).map(|person| {
            let (codec, part) = (plan.codec(person, tokens, None), part(person));
            async move {
                let mut link = Link::ready(address, codec?).await?;
                match part {
                    Some(part) => link.ask(|codec, out| Ok(codec.join(part.joins, out))).await,
                    None => Ok(()),
                }
            }
        });
        for_each(others).await?;
    }
    let there: Vec<Person> = links.iter().map(|(person, _)| *person).collect();
    links.extend(connect(plan, tokens, |person| !there.contains(person)).await?);
    let joined = links.into_iter().map(|(person, mut link)| {
        let part = part(person);
        async move {
            if let Some(part) = part.as_ref().filter(|part| !stays && part.makes.is_none()) {
                link.ask(|codec, out| Ok(codec.join(part.joins, out))).await?;
            }
            Ok((link, part))
        }
    });
    let joined = for_each(joined).await?;
    tell(&Tells::Ready)?;
    let measured = begin(coordinator).await?;
    let mut talking = JoinSet::new();
    for (link, part) in joined {
        // Who has no part is only there.
        let (to, sends) = part.map_or((To::Group(0), None), |part| (part.joins, part.sends));
        let record = Rc::clone(record);
        talking.spawn_local(Talker { link, to, sends, record, measured }.run());
    }
    while let Some(talked) = talking.join_next().await {
        talked??;
    }
    Ok(())
}

/// People do what they do on a day.
async fn live(
    plan: &Plan,
    day: &Rc<Day>,
    tokens: &Tokens,
    coordinator: &mut Coordinator,
    record: &Rc<RefCell<Record>>,
) -> Result<()> {
    let address = plan.address;
    // All groups are made before anybody joins, and joined before anybody listens.
    let makers = connect(plan, tokens, |person| day.makes(*person).next().is_some()).await?;
    for (person, mut link) in makers {
        day::person::make(day, person, &mut link).await?;
    }
    tell(&Tells::Made)?;
    let Told::Join = coordinator.told().await? else { anyhow::bail!("out of step") };
    let joining = plan.people().map(|person| {
        let (codec, day) = (plan.codec(person, tokens, None), Rc::clone(day));
        async move { day::person::join(&day, person, &mut Link::ready(address, codec?).await?).await }
    });
    for_each(joining).await?;
    let opening = connect(plan, tokens, |_| true).await?.into_iter().map(|(person, mut link)| {
        let day = Rc::clone(day);
        async move {
            day::person::open(&day, person, &mut link).await?;
            Ok((person, link))
        }
    });
    let there = for_each(opening).await?;
    tell(&Tells::Ready)?;
    let measured = begin(coordinator).await?;
    let mut living = JoinSet::new();
    for (person, link) in there {
        let (day, record) = (Rc::clone(day), Rc::clone(record));
        living.spawn_local(Living { day, person, address, link, record, measured }.run());
    }
    while let Some(lived) = living.join_next().await {
        lived??;
    }
    Ok(())
}

/// All connections are cut, and come back at once.
async fn storm(
    plan: &Plan,
    tokens: &Tokens,
    coordinator: &mut Coordinator,
    record: &Rc<RefCell<Record>>,
) -> Result<()> {
    let links = connect(plan, tokens, |_| true).await?;
    tell(&Tells::Made)?;
    let Told::Join = coordinator.told().await? else { anyhow::bail!("out of step") };
    tell(&Tells::Ready)?;
    let Measured { from, .. } = begin(coordinator).await?;
    let mut codecs = Vec::new();
    for (person, link) in &links {
        codecs.push(plan.codec(*person, tokens, link.known())?);
    }
    wait_until(from).await;
    drop(links);
    let mut coming = JoinSet::new();
    let began = clock::now();
    for codec in codecs {
        let (address, record) = (plan.address, Rc::clone(record));
        coming.spawn_local(async move {
            let link = Link::ready(address, codec).await?;
            record.borrow_mut().add_answer(since(began));
            anyhow::Ok(link)
        });
    }
    // They stay until all are back.
    let mut back = Vec::new();
    while let Some(link) = coming.join_next().await {
        back.push(link??);
    }
    Ok(())
}
