//! Users who are signed in without a password, with their access tokens (`starling dev --people N --tokens FILE`), for drivers
//! of load: to sign thousands in by their passwords would take minutes.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use domain::{Actor, AppId, UserId};
use engine::{Engine, EngineError};
use tokio::task::JoinSet;

/// People who are made at the same time, so that the store can write many of them in one commit.
const AT_ONCE: u32 = 256;

/// Makes people and signs them in. Who is there already is signed in once more.
pub async fn people(engine: &Engine, count: u32, tokens: &Path) -> Result<Vec<Actor>> {
    let app = AppId::new(domain::DEFAULT_APP)?;
    let mut lines = String::new();
    let mut actors = Vec::new();
    for from in (0..count).step_by(AT_ONCE as usize) {
        let mut making = JoinSet::new();
        for number in from..count.min(from + AT_ONCE) {
            let (engine, app) = (engine.clone(), app.clone());
            making.spawn(async move { anyhow::Ok((number, sign_in(&engine, &app, number).await?)) });
        }
        let mut made = Vec::new();
        while let Some(one) = making.join_next().await {
            made.push(one??);
        }
        made.sort_by_key(|(number, _)| *number);
        for (number, token) in made {
            actors.push(engine.authenticate(&token).await?.actor);
            writeln!(lines, "{} {token}", name(number)).expect("a String takes all");
        }
    }
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(tokens).with_context(|| format!("write {}", tokens.display()))?;
    file.write_all(lines.as_bytes())?;
    Ok(actors)
}

fn name(number: u32) -> String {
    format!("person-{number}")
}

async fn sign_in(engine: &Engine, app: &AppId, number: u32) -> Result<String> {
    let id = UserId::new(name(number))?;
    match engine.operator().create_user_without_password(app, &id).await {
        Ok(()) | Err(EngineError::UserExists) => {}
        Err(error) => return Err(error).with_context(|| format!("make {id}")),
    }
    let signed_in = engine.operator().sign_in(app, &id, "starling dev").await;
    Ok(signed_in.with_context(|| format!("sign {id} in"))?.access_token)
}
