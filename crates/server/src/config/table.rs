//! The one table of options. Flags, environment variables, the file, their checks, `--help`, `config show` and
//! `docs/reference/configuration.md` all come from it, so an option can't be in one of them and not in another.

use crate::language::Text;

/// An option of the server.
#[derive(Debug)]
pub struct Definition {
    /// The key in the file. The flag is the same with `-`, the variable the same in capitals after `STARLING_`.
    pub name: &'static str,
    pub kind: Kind,
    /// As it would be written.
    pub default: &'static str,
    /// Empty where there is none.
    pub unit: &'static str,
    pub about: Text,
}

/// What may stand in an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A path of the file system.
    Path,
    /// A path, or empty.
    OptionalPath,
    /// `ADDRESS:PORT`; port 0 is any free one.
    Address,
    /// `ADDRESS:PORT` or `off`.
    AddressOrOff,
    /// `http://…` or `https://…` without a path, or empty.
    OptionalOrigin,
    /// Networks such as `10.0.0.0/8`, separated by commas, or empty.
    Networks,
    /// Origins as browsers write them, separated by commas, or empty.
    Origins,
    /// A whole number within bounds.
    Number { min: u64, max: u64 },
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A filter of log events, as `info` or `warn,engine=debug`.
    LogFilter,
}

impl Definition {
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_uppercase())
    }
}

/// What every variable of ours begins with.
pub const VARIABLE_PREFIX: &str = "STARLING_";

/// Finds an option by its name.
pub fn find(name: &str) -> Option<&'static Definition> {
    OPTIONS.iter().find(|definition| definition.name == name)
}

const fn number(min: u64, max: u64) -> Kind {
    Kind::Number { min, max }
}

macro_rules! option {
    ($name:ident: $kind:expr, $default:literal, $unit:literal, $en:literal, $zh:literal) => {
        Definition {
            name: stringify!($name),
            kind: $kind,
            default: $default,
            unit: $unit,
            about: Text { en: $en, zh: $zh },
        }
    };
}

/// All options, in the order in which they are shown.
#[rustfmt::skip]
pub const OPTIONS: &[Definition] = &[
    option!(data: Kind::Path, "./data", "",
        "Folder of the data; made when it is missing, for its owner only",
        "数据目录;不存在时自动创建,仅所有者可访问"),
    option!(listen: Kind::Address, "127.0.0.1:8080", "",
        "Address of the web client and the interface; port 0 takes any free one",
        "网页客户端和接口的监听地址;端口 0 表示任选空闲端口"),
    option!(metrics_listen: Kind::AddressOrOff, "127.0.0.1:9464", "",
        "Address of the metrics for Prometheus; `off` for none. If the default is taken, the server only warns",
        "Prometheus 指标的监听地址;`off` 表示关闭。默认地址被占用时仅发出警告"),
    option!(public_url: Kind::OptionalOrigin, "", "",
        "How people reach the server, when a proxy stands before it; only for the links that are printed",
        "有反向代理时用户访问服务器的地址;仅用于打印的链接"),
    option!(allowed_origins: Kind::Origins, "", "",
        "Origins of other web pages that may call the interface from a browser, separated by commas",
        "允许从浏览器调用接口的其他网页来源,以逗号分隔"),
    option!(trusted_proxies: Kind::Networks, "", "",
        "Networks of the proxies whose `X-Forwarded-For` is believed, such as `127.0.0.1/32`, separated by commas",
        "信任其 `X-Forwarded-For` 的代理网段,例如 `127.0.0.1/32`,以逗号分隔"),
    option!(token_key_file: Kind::OptionalPath, "", "",
        "File with the key that signs tokens, 32 bytes in base64; empty: `secret.key` in the data folder, made on first start",
        "令牌签名密钥文件(32 字节,base64);留空则使用数据目录中的 `secret.key`,首次启动时生成"),
    option!(log_level: Kind::LogFilter, "info", "",
        "Which log events are written: a level, or a filter such as `warn,engine=debug`",
        "写出哪些日志:级别,或 `warn,engine=debug` 这样的过滤规则"),
    option!(log_format: Kind::Choice(&["text", "json"]), "text", "",
        "Form of the log on standard error: `text` or `json`",
        "标准错误上的日志格式:`text` 或 `json`"),
    option!(requests_per_second: number(1, 1_000_000), "100", "requests/s",
        "Requests that one user may make in the long run",
        "单个用户长期平均每秒请求数上限"),
    option!(requests_burst: number(1, 1_000_000), "500", "requests",
        "Requests that one user may make at once after a rest",
        "单个用户空闲后一次性请求数上限"),
    option!(password_attempts_per_minute: number(1, 100_000), "10", "attempts/min",
        "Password attempts for one account",
        "单个账号每分钟密码尝试次数上限"),
    option!(sign_ins_per_minute: number(1, 1_000_000), "20", "attempts/min",
        "Registrations and logins that one client address may try",
        "单个客户端地址每分钟注册和登录尝试次数上限"),
    option!(refreshes_per_minute: number(1, 1_000_000), "240", "requests/min",
        "Token refreshes that one client address may ask for; many people share an office's address",
        "单个客户端地址每分钟令牌续期次数上限(办公室常共用一个地址)"),
    option!(open_requests_per_second: number(1, 1_000_000), "100", "requests/s",
        "Requests without a token (web client, health, documents) of one client address; after a rest, those of five seconds at once",
        "单个客户端地址每秒无令牌请求数上限(网页客户端、健康检查、文档);空闲后可一次性发出五秒的量"),
    option!(access_token_seconds: number(10, 86_400), "900", "s",
        "How long an access token is good; clients refresh it by themselves",
        "访问令牌有效期;客户端会自动续期"),
    option!(refresh_grace_ms: number(0, 600_000), "30000", "ms",
        "How long the refresh token before the present one is still answered, in case an answer was lost",
        "上一个刷新令牌继续有效的时间,以防应答丢失"),
    option!(password_hashes_at_once: number(1, 64), "2", "hashes",
        "Passwords that are hashed at the same time; each takes about 19 MiB of memory",
        "同时进行的密码哈希数;每个约占 19 MiB 内存"),
    option!(password_hashes_waiting_max: number(1, 100_000), "64", "hashes",
        "Passwords that may wait to be hashed before new ones are refused",
        "等待哈希的密码数上限,超过则拒绝"),
    option!(sessions_per_user_max: number(1, 10_000), "50", "sessions",
        "Connections of one user at the same time; the oldest gives way",
        "单个用户同时连接数上限;超出时最早的连接让位"),
    option!(outbox_deliveries_max: number(16, 1_000_000), "1024", "deliveries",
        "Deliveries that may wait for a slow connection before it is told to read them from the store",
        "慢连接的待发送上限,超过后改为由客户端重新拉取"),
    option!(presence_grace_ms: number(0, 600_000), "3000", "ms",
        "How long a user whose last connection ended still counts as online",
        "最后一个连接断开后仍视为在线的时间"),
    option!(cached_rooms_max: number(100, 100_000_000), "20000", "rooms",
        "Rooms whose facts are kept in memory",
        "内存中缓存的房间数"),
    option!(cached_devices_max: number(100, 100_000_000), "50000", "devices",
        "Devices whose state is kept in memory",
        "内存中缓存的设备数"),
    option!(store_readers: number(1, 64), "4", "connections",
        "Reads of the store that run at the same time, each on a connection of its own",
        "同时进行的存储读取数,每个使用独立连接"),
    option!(store_writer_cache_kib: number(256, 16_777_216), "16384", "KiB",
        "Largest page cache of the connection that writes to the store; taken as needed, given back when it idles",
        "存储写连接的页缓存上限;按需占用,空闲时归还"),
    option!(store_reader_cache_kib: number(256, 16_777_216), "2048", "KiB",
        "Page cache of each connection that reads the store",
        "每个存储读连接的页缓存"),
    option!(store_memtable_kib: number(0, 1_048_576), "16384", "KiB",
        "Committed messages that wait in memory to be written to their rooms together; fewer mean more to write, more mean a longer start after a crash",
        "已提交、在内存中等待成批写入各自房间的消息量;越小写盘越多,越大崩溃后启动越久"),
    option!(connections_max: number(1, 10_000_000), "100000", "connections",
        "Connections open at the same time; further ones are closed at once",
        "同时打开的连接数上限;超出的连接立即关闭"),
    option!(connections_per_address_max: number(1, 10_000_000), "1024", "connections",
        "Connections open at the same time from one address (IPv6: one /64); trusted proxies are not counted",
        "单个地址(IPv6 为 /64)同时打开的连接数上限;信任的代理不计"),
    option!(header_read_timeout_ms: number(100, 600_000), "10000", "ms",
        "Time for the head of a request to arrive",
        "接收请求头的时限"),
    option!(body_read_timeout_ms: number(100, 3_600_000), "30000", "ms",
        "Time for the body of a request to arrive",
        "接收请求体的时限"),
    option!(keep_alive_idle_ms: number(100, 3_600_000), "75000", "ms",
        "Time that a connection may stay open without a request",
        "无请求的连接可保持打开的时间"),
    option!(write_timeout_ms: number(100, 3_600_000), "30000", "ms",
        "Time that a peer may take none of the bytes written to it",
        "对端不接收任何数据的时限"),
    option!(body_bytes_max: number(16_384, 16_777_216), "262144", "bytes",
        "Largest body of a request",
        "请求体大小上限"),
    option!(frame_bytes_max: number(40_000, 16_777_216), "65536", "bytes",
        "Largest frame that a client may send over a WebSocket",
        "客户端 WebSocket 帧大小上限"),
    option!(drain_spread_ms: number(0, 600_000), "5000", "ms",
        "When the server stops, clients are told to come back at a random time within this span",
        "停机时让客户端在此时间范围内随机重连"),
    option!(shutdown_ms_max: number(100, 600_000), "10000", "ms",
        "How long a stop may take before what still runs is cut off",
        "停机最长用时,超过则强行中断"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_good() {
        for (index, definition) in OPTIONS.iter().enumerate() {
            assert!(OPTIONS[..index].iter().all(|other| other.name != definition.name), "{} twice", definition.name);
            let checked = definition.kind.check(definition.default);
            assert!(checked.is_ok(), "default of {}: {checked:?}", definition.name);
            assert!(!definition.about.en.is_empty() && !definition.about.zh.is_empty());
        }
    }
}
