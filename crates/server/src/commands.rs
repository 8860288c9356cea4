//! What each command of the command line does: reads its arguments, calls the part that does the work, prints.

use std::io::{BufRead, IsTerminal, stdin};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::CommandFactory;

use crate::admin::{AdminCall, AdminCommand, call, print, put, table};
use crate::cli::{
    Access, Admin, AppCommand, Cli, Command, ConfigCommand, DevArguments, OneUser, Output, PasswordSource, Place,
    ReferencePage, RoomCommand, ServerFlags, UserCommand,
};
use crate::config::{Configuration, Settings, reference};
use crate::data_folder::{DataFolder, Missing, database};
use crate::language::Language;
use crate::{cli_reference, demo, logging, serve};

/// Longest password that is read, in bytes, with its line end. The limit of passwords is told by the engine.
const PASSWORD_LINE_BYTES_MAX: u64 = 4096;
/// Characters of a generated password: 100 bits of chance.
const GENERATED_PASSWORD_CHARS: usize = 20;
/// Requests per second of one user in `starling dev`: scripts may hurry.
const DEV_REQUESTS_PER_SECOND: u32 = 10_000;
const DEV_ATTEMPTS_PER_MINUTE: u32 = 10_000;

/// Carries out what the command line says.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        None => serve_command(cli.serve).await,
        Some(Command::Serve(flags)) => serve_command(flags).await,
        Some(Command::Dev(arguments)) => dev(arguments).await,
        Some(Command::User(command)) => user(command).await,
        Some(Command::Room(command)) => room(command).await,
        Some(Command::App(command)) => app(command).await,
        Some(Command::Backup { file, place }) => backup(&file, place).await,
        Some(Command::Restore { file, place }) => restore(&file, place),
        Some(Command::Doctor { file, place, output }) => doctor(file.as_deref(), place, output),
        Some(Command::Config(command)) => config(command),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "starling", &mut script);
            put(&String::from_utf8(script).context("completion scripts are text")?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn serve_command(flags: ServerFlags) -> Result<ExitCode> {
    let settings = load(flags)?.settings();
    logging::start(&settings);
    let folder = DataFolder::lock(&settings.data, Missing::Make)?;
    serve::serve(folder, &settings, |_| String::new()).await?;
    Ok(ExitCode::SUCCESS)
}

async fn dev(arguments: DevArguments) -> Result<ExitCode> {
    let DevArguments { messages, room_messages, rooms, members, people, tokens, seed_only, mut flags } = arguments;
    // Without a folder of its own, the demo lives in one that goes with it.
    let names_data =
        flags.options.iter().any(|(name, _)| *name == "data") || std::env::var_os("STARLING_DATA").is_some();
    let temporary = if names_data { None } else { Some(tempfile::tempdir().context("make a folder for the demo")?) };
    if let Some(folder) = &temporary {
        flags.options.push(("data", folder.path().join("data").display().to_string()));
    }
    let mut settings = load(flags)?.settings();
    settings.engine.requests_per_second = DEV_REQUESTS_PER_SECOND;
    settings.engine.requests_burst = DEV_REQUESTS_PER_SECOND;
    settings.engine.password_attempts_per_minute = DEV_ATTEMPTS_PER_MINUTE;
    settings.door.sign_ins_per_minute = DEV_ATTEMPTS_PER_MINUTE.try_into().context("not zero")?;
    settings.door.refreshes_per_minute = DEV_ATTEMPTS_PER_MINUTE.try_into().context("not zero")?;
    settings.door.open_requests_per_second = DEV_REQUESTS_PER_SECOND.try_into().context("not zero")?;
    logging::start(&settings);
    let folder = DataFolder::lock(&settings.data, Missing::Make)?;
    demo::seed(&folder, &settings, demo::More { messages, room_messages, rooms, members, people, tokens })
        .await
        .context("make the demo's data")?;
    if !seed_only {
        if !settings.listen.ip().is_loopback() {
            tracing::warn!("the demo's passwords are known to everybody, and this address can be reached from outside");
        }
        serve::serve(folder, &settings, demo::welcome).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn user(command: UserCommand) -> Result<ExitCode> {
    match command {
        UserCommand::Add { id, name, admin, password, admin_arguments } => {
            let Password { text, generated } = read_password(password)?;
            let app = admin_arguments.app.clone();
            let add = AdminCommand::UserAdd { app, id, password: text.clone(), display_name: name, admin };
            ask(&admin_arguments, add, Missing::Make).await?;
            tell_generated(&text, generated);
            Ok(ExitCode::SUCCESS)
        }
        UserCommand::Password { id, password, admin_arguments } => {
            let Password { text, generated } = read_password(password)?;
            let app = admin_arguments.app.clone();
            let set = AdminCommand::UserPassword { app, id, password: text.clone() };
            ask(&admin_arguments, set, Missing::Refuse).await?;
            tell_generated(&text, generated);
            Ok(ExitCode::SUCCESS)
        }
        UserCommand::List { query, after, limit, admin_arguments } => {
            let app = admin_arguments.app.clone();
            ask(&admin_arguments, AdminCommand::UserList { app, query, after, limit }, Missing::Refuse).await
        }
        UserCommand::Show(one) => one_user(one, |app, id| AdminCommand::UserShow { app, id }).await,
        UserCommand::Promote(one) => one_user(one, |app, id| AdminCommand::UserAdmin { app, id, admin: true }).await,
        UserCommand::Demote(one) => one_user(one, |app, id| AdminCommand::UserAdmin { app, id, admin: false }).await,
        UserCommand::Disable(one) => {
            one_user(one, |app, id| AdminCommand::UserDisabled { app, id, disabled: true }).await
        }
        UserCommand::Enable(one) => {
            one_user(one, |app, id| AdminCommand::UserDisabled { app, id, disabled: false }).await
        }
    }
}

async fn one_user(one: OneUser, command: impl FnOnce(Option<String>, String) -> AdminCommand) -> Result<ExitCode> {
    let OneUser { id, admin_arguments } = one;
    let command = command(admin_arguments.app.clone(), id);
    ask(&admin_arguments, command, Missing::Refuse).await
}

async fn room(command: RoomCommand) -> Result<ExitCode> {
    match command {
        RoomCommand::List { user, admin_arguments } => {
            let app = admin_arguments.app.clone();
            ask(&admin_arguments, AdminCommand::RoomList { app, user }, Missing::Refuse).await
        }
        RoomCommand::Show { id, admin_arguments } => {
            let app = admin_arguments.app.clone();
            ask(&admin_arguments, AdminCommand::RoomShow { app, id }, Missing::Refuse).await
        }
    }
}

async fn app(command: AppCommand) -> Result<ExitCode> {
    let is_open = |access: Access| access == Access::Open;
    let (command, place, output) = match command {
        AppCommand::Add { id, name, place, output } => (AdminCommand::AppAdd { id, name }, place, output),
        AppCommand::List { place, output } => (AdminCommand::AppList, place, output),
        AppCommand::Set { id, name, registration, directory, place, output } => {
            let (registration_open, directory_open) = (registration.map(is_open), directory.map(is_open));
            (AdminCommand::AppSet { id, name, registration_open, directory_open }, place, output)
        }
        AppCommand::Stats { id, days, place, output } => (AdminCommand::AppStatistics { id, days }, place, output),
    };
    ask(&Admin { app: None, place, output }, command, Missing::Refuse).await
}

async fn ask(arguments: &Admin, command: AdminCommand, missing: Missing) -> Result<ExitCode> {
    let settings = settings_of(arguments.place.clone())?;
    let answer = call(AdminCall { settings: &settings, command, missing }).await?;
    print(&answer, arguments.output.json).context("print the answer")?;
    Ok(ExitCode::SUCCESS)
}

async fn backup(file: &Path, place: Place) -> Result<ExitCode> {
    let settings = settings_of(place)?;
    let file = std::path::absolute(file).context("find the path of the backup")?;
    ensure!(!file.exists(), "{} is there already / 文件已存在", file.display());
    let command = AdminCommand::Backup { file };
    let answer = call(AdminCall { settings: &settings, command, missing: Missing::Refuse }).await?;
    print(&answer, false).context("print the answer")?;
    Ok(ExitCode::SUCCESS)
}

fn restore(file: &Path, place: Place) -> Result<ExitCode> {
    let settings = settings_of(place)?;
    ensure!(
        !database(&settings.data).exists(),
        "{} holds data already; restore into an empty folder / 目录中已有数据,请恢复到空目录",
        settings.data.display()
    );
    let folder = DataFolder::lock(&settings.data, Missing::Make)?;
    storage_sqlite::restore(file, folder.path()).with_context(|| format!("restore {}", file.display()))?;
    put(&format!("restored to {} / 已恢复\n", folder.path().display()))?;
    Ok(ExitCode::SUCCESS)
}

fn doctor(file: Option<&Path>, place: Place, output: Output) -> Result<ExitCode> {
    // A backup is examined as what it would become.
    let temporary = match file {
        Some(_) => Some(tempfile::tempdir().context("make a folder for the backup")?),
        None => None,
    };
    let folder = match (file, &temporary) {
        (Some(file), Some(temporary)) => {
            let folder = temporary.path().join("data");
            storage_sqlite::restore(file, &folder).with_context(|| format!("read {}", file.display()))?;
            folder
        }
        _ => settings_of(place)?.data,
    };
    ensure!(database(&folder).exists(), "there is no data in {} / 没有数据", folder.display());
    let findings = storage_sqlite::doctor(&folder).with_context(|| format!("examine {}", folder.display()))?;
    if output.json {
        let row = |finding: &storage_sqlite::Finding| {
            let (rule, subject, problem) = (finding.rule.name(), &finding.subject, &finding.problem);
            serde_json::json!({ "rule": rule, "subject": subject, "problem": problem })
        };
        put(&format!("{}\n", serde_json::to_string_pretty(&findings.iter().map(row).collect::<Vec<_>>())?))?;
    } else {
        let mut text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
        text.push_str(&match findings.len() {
            0 => "no findings / 没有发现问题\n".to_owned(),
            count => format!("{count} findings / 发现 {count} 个问题\n"),
        });
        put(&text)?;
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn config(command: ConfigCommand) -> Result<ExitCode> {
    match command {
        ConfigCommand::Check(flags) => {
            load(flags)?;
            put("the configuration is good / 配置有效\n")?;
        }
        ConfigCommand::Show { flags, output } => {
            let configuration = load(flags)?;
            let values = configuration.values();
            if output.json {
                let entry = |value: &crate::config::Value| {
                    let shown = serde_json::json!({ "value": value.text, "origin": value.origin.to_string() });
                    (value.definition.name.to_owned(), shown)
                };
                let all: serde_json::Map<_, _> = values.iter().map(entry).collect();
                put(&format!("{}\n", serde_json::to_string_pretty(&all)?))?;
            } else {
                let row = |value: &crate::config::Value| {
                    [value.definition.name.to_owned(), value.text.clone(), value.origin.to_string()]
                };
                put(&table(&["option", "value", "origin"], &values.iter().map(row).collect::<Vec<_>>()))?;
            }
        }
        ConfigCommand::Reference { page: ReferencePage::Configuration } => put(&reference())?,
        ConfigCommand::Reference { page: ReferencePage::Cli } => put(&cli_reference::page())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn load(flags: ServerFlags) -> Result<Configuration> {
    Ok(Configuration::load(&flags.sources(), Language::of_environment())?)
}

/// The settings for a command that does not serve. Its log holds only what went wrong, because its output is for people.
fn settings_of(place: Place) -> Result<Settings> {
    let mut settings = load(place.into())?.settings();
    settings.log_level = "warn".to_owned();
    logging::start(&settings);
    Ok(settings)
}

struct Password {
    text: String,
    generated: bool,
}

/// Generates a password, asks for one twice, or reads one line of standard input.
fn read_password(source: PasswordSource) -> Result<Password> {
    use std::io::Read;
    if source.generate {
        return Ok(Password { text: generate(), generated: true });
    }
    let text = if stdin().is_terminal() {
        let first = rpassword::prompt_password("password / 密码: ").context("read the password")?;
        let again = rpassword::prompt_password("again / 再次输入: ").context("read the password")?;
        ensure!(first == again, "the two are not the same / 两次输入不一致");
        first
    } else {
        let mut line = String::new();
        let mut input = stdin().lock().take(PASSWORD_LINE_BYTES_MAX);
        input.read_line(&mut line).context("read the password from standard input")?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if text.is_empty() {
        bail!("no password; give it on standard input or use --generate / 没有密码;请从标准输入提供或使用 --generate");
    }
    Ok(Password { text, generated: false })
}

fn generate() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    (0..GENERATED_PASSWORD_CHARS).map(|_| char::from(ALPHABET[usize::from(rand::random::<u8>() & 31)])).collect()
}

/// On standard error, so that `--json` stays JSON.
fn tell_generated(text: &str, generated: bool) {
    if generated {
        eprintln!("password / 密码: {text}");
    }
}
