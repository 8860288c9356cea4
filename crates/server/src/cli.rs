//! The command line. Options of the server come from the table of options; the rest is here.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command as ClapCommand, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::Sources;
use crate::config::table::{Definition, Kind, OPTIONS};
use crate::language::Language;

/// An instant-messaging server that you run yourself.
///
/// 自己运行的即时通讯服务器。
#[derive(Debug, Parser)]
#[command(name = "starling", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: ServerFlags,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve (what happens without a command) · 启动服务(默认命令)
    Serve(ServerFlags),
    /// Serve with demo people, rooms and history · 启动带演示数据的服务
    Dev(DevArguments),
    /// Manage users · 管理用户
    #[command(subcommand)]
    User(UserCommand),
    /// Look at rooms · 查看房间
    #[command(subcommand)]
    Room(RoomCommand),
    /// Manage apps (tenants) · 管理应用(租户)
    #[command(subcommand)]
    App(AppCommand),
    /// Write a copy of all data to a file, also while the server runs · 备份全部数据,可在服务运行时进行
    Backup {
        /// The new file; must not exist yet
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Fill an empty data folder from a backup · 用备份恢复到空的数据目录
    Restore {
        /// The backup
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Check every invariant of the data; exit code 1 if one is broken · 检查数据的所有不变量
    Doctor {
        /// A backup to check instead of the data folder
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Check or show the configuration · 检查或显示配置
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a completion script for a shell · 生成命令补全脚本
    Completions { shell: clap_complete::Shell },
}

/// Where the data is, for commands that don't serve.
#[derive(Debug, Clone, Default, Args)]
pub struct Place {
    /// Folder of the data (default ./data, or what the configuration says) · 数据目录
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Configuration file · 配置文件
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// In which form answers are printed.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Output {
    /// Print JSON instead of a table · 输出 JSON
    #[arg(long)]
    pub json: bool,
}

/// What all admin commands share.
#[derive(Debug, Clone, Default, Args)]
pub struct Admin {
    /// The app; without it the default one · 应用
    #[arg(long, value_name = "ID")]
    pub app: Option<String>,
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub output: Output,
}

/// How a password comes in. Never as an argument: the list of processes shows those to everybody.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct PasswordSource {
    /// Make a password and print it · 生成密码并打印
    #[arg(long)]
    pub generate: bool,
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create a user; the password is asked for, or read from standard input · 创建用户
    Add {
        /// The id, for ever: a-z, 0-9 and . _ = -
        id: String,
        /// What others see
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// Make the user an administrator
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        admin_arguments: Admin,
    },
    /// List users · 列出用户
    List {
        /// Beginning of the id or of a word of the name
        #[arg(long, value_name = "TEXT", default_value = "")]
        query: String,
        /// Where to go on, as the page before says
        #[arg(long, value_name = "PLACE")]
        after: Option<String>,
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        admin_arguments: Admin,
    },
    /// Show a user · 显示用户
    Show(OneUser),
    /// Set a password; the user's devices are signed out · 重设密码并使其所有设备退出登录
    Password {
        id: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        admin_arguments: Admin,
    },
    /// Make a user an administrator · 设为管理员
    Promote(OneUser),
    /// Make an administrator a plain user · 取消管理员
    Demote(OneUser),
    /// Close an account: no login, no token is good · 停用账号
    Disable(OneUser),
    /// Open a closed account · 启用账号
    Enable(OneUser),
}

#[derive(Debug, Args)]
pub struct OneUser {
    /// The user's id
    pub id: String,
    #[command(flatten)]
    pub admin_arguments: Admin,
}

#[derive(Debug, Subcommand)]
pub enum RoomCommand {
    /// List the rooms of a user · 列出用户所在的房间
    List {
        /// The user
        #[arg(long, value_name = "ID")]
        user: String,
        #[command(flatten)]
        admin_arguments: Admin,
    },
    /// Show a room and its members · 显示房间及其成员
    Show {
        /// The room's id
        id: String,
        #[command(flatten)]
        admin_arguments: Admin,
    },
}

#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Create an app · 创建应用
    Add {
        /// The id, for ever
        id: String,
        /// The name people see
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// List the apps · 列出应用
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Change settings of an app · 修改应用设置
    Set {
        /// The app's id
        id: String,
        /// The name people see
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// Whether anyone may register
        #[arg(long, value_name = "WHO")]
        registration: Option<Access>,
        /// Whether users may search for users they share no room with
        #[arg(long, value_name = "WHO")]
        directory: Option<Access>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Show what was counted, by day · 显示每日统计
    Stats {
        /// The app's id
        #[arg(default_value = domain::DEFAULT_APP)]
        id: String,
        /// How many days back
        #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=366))]
        days: u32,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
}

/// Whether something is for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Access {
    Open,
    Closed,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say whether the configuration is good · 检查配置
    Check(ServerFlags),
    /// Show each value and where it came from · 显示每个值及其来源
    Show {
        #[command(flatten)]
        flags: ServerFlags,
        #[command(flatten)]
        output: Output,
    },
    /// Write the reference pages of the documentation
    #[command(hide = true)]
    Reference { page: ReferencePage },
}

/// A page that is written by the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReferencePage {
    Configuration,
    Cli,
}

#[derive(Debug, Args)]
pub struct DevArguments {
    /// Also write this many plain messages, to have something to measure · 额外写入的消息数(用于测量)
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=20_000_000))]
    pub messages: u64,
    /// How many of these messages are in each room · 每个房间的消息数
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub room_messages: u64,
    /// Also make this many rooms of two people in which nothing happens, to have something to measure · 额外创建的安静双人房间数(用于测量)
    #[arg(long, value_name = "N", default_value_t = 0, requires = "people", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub rooms: u64,
    /// Also make an open room `crowd` with this many members, to have something to measure · 额外创建的大房间成员数(用于测量)
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=i64::from(domain::ROOM_MEMBERS_MAX)))]
    pub members: u32,
    /// Also make users `person-0`, `person-1` … who are signed in, to have somebody to measure with · 额外创建的已登录用户数(用于测量)
    #[arg(long, value_name = "N", default_value_t = 0, requires = "tokens")]
    pub people: u32,
    /// Where to write their access tokens, a line each: the id, a space, the token · 其访问令牌写入的文件,每行:标识 空格 令牌
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Write the data and end instead of serving · 只写入数据,不启动服务
    #[arg(long)]
    pub seed_only: bool,
    #[command(flatten)]
    pub flags: ServerFlags,
}

/// The options of the server as flags.
#[derive(Debug, Clone, Default)]
pub struct ServerFlags {
    pub config: Option<PathBuf>,
    pub options: Vec<(&'static str, String)>,
}

impl ServerFlags {
    /// The flags and the environment as sources of a configuration.
    pub fn sources(self) -> Sources {
        let read = |(name, text): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, text.into_string().ok()?))
        };
        let environment = std::env::vars_os().filter_map(read).collect();
        Sources { file: self.config, flags: self.options, environment }
    }
}

impl From<Place> for ServerFlags {
    fn from(place: Place) -> Self {
        Self { config: place.config, options: place.data.map(|data| ("data", data)).into_iter().collect() }
    }
}

impl Args for ServerFlags {
    fn augment_args(command: ClapCommand) -> ClapCommand {
        let language = Language::of_environment();
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Configuration file · 配置文件");
        command.arg(config).args(OPTIONS.iter().map(|definition| argument(definition, language)))
    }

    fn augment_args_for_update(command: ClapCommand) -> ClapCommand {
        Self::augment_args(command)
    }
}

fn argument(definition: &'static Definition, language: Language) -> Arg {
    let default = if definition.default.is_empty() { String::new() } else { format!(" [{}]", definition.default) };
    Arg::new(definition.name)
        .long(definition.flag())
        .value_name(value_name(definition.kind))
        .hide_short_help(!matches!(definition.name, "data" | "listen" | "metrics_listen" | "log_level"))
        .help(format!("{}{default}", definition.about.r#in(language)))
}

fn value_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Path | Kind::OptionalPath => "PATH",
        Kind::Address | Kind::AddressOrOff => "ADDRESS:PORT",
        Kind::OptionalOrigin => "URL",
        Kind::Origins | Kind::Networks => "LIST",
        Kind::Number { .. } => "N",
        Kind::Choice(_) => "WORD",
        Kind::LogFilter => "FILTER",
    }
}

impl FromArgMatches for ServerFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>("config").cloned();
        let given = |definition: &Definition| {
            matches.get_one::<String>(definition.name).map(|text| (definition.name, text.clone()))
        };
        self.options = OPTIONS.iter().filter_map(given).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_without_a_command_are_those_of_serve() {
        let options = |arguments: &[&str]| {
            let cli = Cli::try_parse_from(arguments).unwrap();
            match cli.command {
                None => cli.serve.options,
                Some(Command::Serve(flags)) => flags.options,
                other => panic!("{other:?}"),
            }
        };
        let expected = vec![("data", "x".to_owned()), ("log_level", "warn".to_owned())];
        assert_eq!(options(&["starling", "--data", "x", "--log-level=warn"]), expected);
        assert_eq!(options(&["starling", "serve", "--log-level", "warn", "--data", "x"]), expected);
        assert!(Cli::try_parse_from(["starling", "user", "add", "ada", "--password", "x"]).is_err());
    }
}
