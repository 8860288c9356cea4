//! MQTT 3.1.1 and 5 (OASIS): messages at QoS 1, acknowledged by PUBACK.
//!
//! The same for every broker. A person's inbox is a topic that only they subscribe to, a group is a topic that all its members
//! subscribe to. What a PUBACK promises, the broker decides: the protocol only says that it takes over the message.

use anyhow::{Context, Result, bail, ensure};

use super::{Codec, Event, Person, To};

/// What the protocol calls the versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V3 = 4,
    V5 = 5,
}

/// What the broker keeps of a client that is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    Clean,
    Kept,
}

/// The longest there is, so that nobody has to ping: 18 hours.
const KEEP_ALIVE_SECONDS: u16 = u16::MAX;
/// How long a kept session of version 5 lasts.
const SESSION_SECONDS: u32 = 24 * 60 * 60;
/// What may wait for its PUBACK if the broker says nothing else.
const UNANSWERED_MAX: u16 = u16::MAX;

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const PINGRESP: u8 = 0xd0;
const DISCONNECT: u8 = 0xe0;

/// Quality of service 1 of a PUBLISH, and both of its bits.
const AT_LEAST_ONCE: u8 = 0x02;
const QUALITY: u8 = 0x06;

const CLEAN_SESSION: u8 = 0x02;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// From here on, codes of answers are failures.
const FAILURE: u8 = 0x80;

const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
const RECEIVE_MAXIMUM: u8 = 0x21;

/// A connection of one client.
#[derive(Debug)]
pub struct Mqtt {
    version: Version,
    session: Session,
    person: Person,
    password: Option<String>,
    /// The last one that was given, and how many messages are on their way.
    packet_id: u16,
    unanswered: u16,
    unanswered_max: u16,
}

impl Mqtt {
    pub fn new(version: Version, session: Session, person: Person, password: Option<String>) -> Self {
        Self { version, session, person, password, packet_id: 0, unanswered: 0, unanswered_max: UNANSWERED_MAX }
    }

    /// Packets are known by it until they are answered; 0 is none.
    fn next_packet_id(&mut self) -> u16 {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        self.packet_id
    }

    fn subscribe(&mut self, topic: &str, out: &mut Vec<u8>) -> u64 {
        let id = self.next_packet_id();
        let mut body = Vec::from(id.to_be_bytes());
        if self.version == Version::V5 {
            body.push(0);
        }
        put_string(topic, &mut body);
        body.push(1);
        put_packet(SUBSCRIBE, &[&body], out);
        u64::from(id)
    }

    /// How long the properties of version 5 at the beginning are, with their length.
    fn properties<'a>(&self, body: &'a [u8]) -> Result<(&'a [u8], &'a [u8])> {
        if self.version == Version::V3 {
            return Ok((&[], body));
        }
        let (length, head) = take_length(body)?.context("properties without a length")?;
        body[head..].split_at_checked(length).context("properties that end after the packet")
    }

    fn connected(&mut self, body: &[u8]) -> Result<()> {
        let [_, code, rest @ ..] = body else { bail!("an empty CONNACK") };
        ensure!(*code == 0, "can't connect: code {code:#04x}");
        let (mut properties, _) = self.properties(rest)?;
        while let Some((property, length)) = take_property(properties)? {
            if let [RECEIVE_MAXIMUM, high, low] = property {
                self.unanswered_max = u16::from_be_bytes([*high, *low]);
            }
            properties = &properties[length..];
        }
        Ok(())
    }

    fn published<'a>(&self, flags: u8, body: &'a [u8], out: &mut Vec<u8>) -> Result<&'a str> {
        let (length, rest) = body.split_first_chunk::<2>().context("a PUBLISH without a topic")?;
        let mut rest = rest.get(usize::from(u16::from_be_bytes(*length))..).context("a topic that is cut")?;
        match flags & QUALITY {
            0 => {}
            AT_LEAST_ONCE => {
                let (id, after) = rest.split_first_chunk::<2>().context("a PUBLISH without a number")?;
                rest = after;
                // A short PUBACK says in both versions that all is well.
                put_packet(PUBACK, &[id], out);
            }
            _ => bail!("a message at QoS 2, which nobody subscribed to"),
        }
        let (_, payload) = self.properties(rest)?;
        Ok(std::str::from_utf8(payload)?)
    }

    fn read_packet(&mut self, kind: u8, body: &[u8], out: &mut Vec<u8>, see: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let number = || body.first_chunk::<2>().map(|id| u16::from_be_bytes(*id)).context("an answer without a number");
        match kind {
            CONNACK => {
                self.connected(body)?;
                see(Event::Ready);
            }
            PUBACK => {
                let id = number()?;
                self.unanswered = self.unanswered.saturating_sub(1);
                see(answer(id, body.get(2).copied().unwrap_or(0)));
            }
            SUBACK => {
                let id = number()?;
                let (_, codes) = self.properties(&body[2..])?;
                see(answer(id, *codes.first().context("a SUBACK without a code")?));
            }
            PINGRESP => {}
            DISCONNECT => {
                bail!("the server closes the connection: code {:#04x}", body.first().copied().unwrap_or(0));
            }
            _ if kind & 0xf0 == PUBLISH => see(Event::Message(self.published(kind & 0x0f, body, out)?)),
            _ => bail!("a packet of kind {kind:#04x}, which no server sends"),
        }
        Ok(())
    }
}

fn answer(id: u16, code: u8) -> Event<'static> {
    match code {
        0..FAILURE => Event::Done(u64::from(id)),
        _ => Event::Refused(u64::from(id), format!("code {code:#04x}")),
    }
}

fn inbox(person: Person) -> String {
    format!("chat/person-{person}")
}

fn topic(to: To) -> String {
    match to {
        To::Person(person) => inbox(person),
        To::Group(group) => format!("group/{group}"),
    }
}

impl Codec for Mqtt {
    fn open(&mut self, out: &mut Vec<u8>) {
        let name = format!("person-{}", self.person);
        let mut flags = 0;
        if self.session == Session::Clean {
            flags |= CLEAN_SESSION;
        }
        if self.password.is_some() {
            flags |= USER_NAME | PASSWORD;
        }
        let mut body = Vec::new();
        put_string("MQTT", &mut body);
        body.extend([self.version as u8, flags]);
        body.extend(KEEP_ALIVE_SECONDS.to_be_bytes());
        match (self.version, self.session) {
            (Version::V3, _) => {}
            (Version::V5, Session::Clean) => body.push(0),
            (Version::V5, Session::Kept) => {
                body.extend([5, SESSION_EXPIRY_INTERVAL]);
                body.extend(SESSION_SECONDS.to_be_bytes());
            }
        }
        put_string(&name, &mut body);
        if let Some(password) = &self.password {
            put_string(&name, &mut body);
            put_string(password, &mut body);
        }
        put_packet(CONNECT, &[&body], out);
    }

    fn make(&mut self, group: u32, out: &mut Vec<u8>) -> u64 {
        self.join(To::Group(group), out)
    }

    fn join(&mut self, to: To, out: &mut Vec<u8>) -> u64 {
        // Whoever talks with somebody needs what comes to themselves.
        let topic = match to {
            To::Person(_) => inbox(self.person),
            To::Group(_) => topic(to),
        };
        self.subscribe(&topic, out)
    }

    fn send(&mut self, to: To, text: &str, out: &mut Vec<u8>) -> Result<u64> {
        ensure!(
            self.unanswered < self.unanswered_max,
            "the server takes {} unanswered messages at most",
            self.unanswered_max
        );
        self.unanswered += 1;
        let id = self.next_packet_id();
        let mut head = Vec::new();
        put_string(&topic(to), &mut head);
        head.extend(id.to_be_bytes());
        if self.version == Version::V5 {
            head.push(0);
        }
        put_packet(PUBLISH | AT_LEAST_ONCE, &[&head, text.as_bytes()], out);
        Ok(u64::from(id))
    }

    fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>, see: &mut dyn FnMut(Event<'_>)) -> Result<usize> {
        let mut used = 0;
        while let Some((kind, body, length)) = take_packet(&bytes[used..])? {
            used += length;
            self.read_packet(kind, body, out, see)?;
        }
        Ok(used)
    }
}

fn put_string(text: &str, out: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).expect("names are short");
    out.extend(length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Writes a packet whose body comes in parts.
fn put_packet(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    out.push(kind);
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// A length of one to four bytes, and how many they are.
fn take_length(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    ensure!(bytes.len() < 4, "a length of more than four bytes");
    Ok(None)
}

/// The first packet, if it is there as a whole: its kind, what is in it, and its length.
fn take_packet(bytes: &[u8]) -> Result<Option<(u8, &[u8], usize)>> {
    let [kind, rest @ ..] = bytes else { return Ok(None) };
    let Some((length, head)) = take_length(rest)? else { return Ok(None) };
    Ok(rest.get(head..head + length).map(|body| (*kind, body, 1 + head + length)))
}

/// The first property of version 5, which begins with what it is, and its length.
fn take_property(bytes: &[u8]) -> Result<Option<(&[u8], usize)>> {
    let [property, rest @ ..] = bytes else { return Ok(None) };
    let string = |from: usize| {
        let length = rest.get(from..).and_then(<[u8]>::first_chunk::<2>).context("a property that is cut")?;
        anyhow::Ok(from + 2 + usize::from(u16::from_be_bytes(*length)))
    };
    let value = match *property {
        0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2a => 1,
        0x13 | RECEIVE_MAXIMUM..=0x23 => 2,
        0x02 | SESSION_EXPIRY_INTERVAL | 0x18 | 0x27 => 4,
        0x0b => take_length(rest)?.context("a property that is cut")?.1,
        0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => string(0)?,
        0x26 => string(string(0)?)?,
        _ => bail!("a property {property:#04x}, which there is not"),
    };
    let length = 1 + value;
    Ok(Some((bytes.get(..length).context("a property that is cut")?, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONS: [Version; 2] = [Version::V3, Version::V5];

    fn connected(version: Version) -> Mqtt {
        let mut codec = Mqtt::new(version, Session::Kept, 7, None);
        let mut out = Vec::new();
        codec.open(&mut out);
        assert_eq!(&out[2..9], b"\0\x04MQTT".iter().copied().chain([version as u8]).collect::<Vec<_>>());
        assert!(out.ends_with(b"\0\x08person-7"));
        let packet: &[u8] = match version {
            Version::V3 => &[CONNACK, 2, 0, 0],
            // At most 2 unanswered, a name, a user property, no wildcards.
            Version::V5 => b"\x20\x14\0\0\x11\x21\0\x02\x12\0\x01x\x26\0\x01a\0\x02bc\x28\0",
        };
        check(&mut codec, packet, &["Ready"], &[]);
        codec
    }

    /// What comes of packets, however they are cut, and what is answered.
    fn check(codec: &mut Mqtt, packets: &[u8], expect: &[&str], expect_out: &[u8]) {
        for cut in 0..packets.len() {
            let (mut told, mut out) = (Vec::new(), Vec::new());
            let mut see = |event: Event<'_>| told.push(format!("{event:?}"));
            let used = codec.read(&packets[..cut], &mut out, &mut see).expect("packets that servers send");
            let rest = codec.read(&packets[used..], &mut out, &mut see).expect("packets that servers send");
            assert_eq!(used + rest, packets.len());
            assert_eq!(told, expect, "cut at {cut}");
            assert_eq!(out, expect_out, "cut at {cut}");
        }
    }

    #[test]
    fn packets_tell_what_happened() {
        for version in VERSIONS {
            let mut codec = connected(version);
            let mut packets = Vec::new();
            let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
            put_packet(PUBLISH | AT_LEAST_ONCE, &[b"\0\x01a\x01\x02", properties, b"42 x"], &mut packets);
            put_packet(PUBLISH, &[b"\0\x01a", properties, &[b'y'; 300]], &mut packets);
            put_packet(SUBACK, &[b"\0\x05", properties, &[1]], &mut packets);
            put_packet(SUBACK, &[b"\0\x06", properties, &[0x80]], &mut packets);
            put_packet(PUBACK, &[b"\xff\xff"], &mut packets);
            put_packet(PINGRESP, &[], &mut packets);
            let long = format!(r#"Message("{}")"#, "y".repeat(300));
            let expect = [r#"Message("42 x")"#, &long, "Done(5)", r#"Refused(6, "code 0x80")"#, "Done(65535)"];
            check(&mut codec, &packets, &expect, &[PUBACK, 2, 1, 2]);
        }
        let mut codec = connected(Version::V5);
        check(&mut codec, &[PUBACK, 3, 0, 9, 0x97], &[r#"Refused(9, "code 0x97")"#], &[]);
        for refused in [&[CONNACK, 2, 0, 5][..], &[DISCONNECT, 1, 0x8e], &[PINGRESP, 0xff, 0xff, 0xff, 0xff]] {
            assert!(codec.read(refused, &mut Vec::new(), &mut |_| {}).is_err());
        }
    }

    #[test]
    fn who_has_a_password_gives_their_name_too() {
        let mut out = Vec::new();
        Mqtt::new(Version::V3, Session::Clean, 7, Some("pw".to_owned())).open(&mut out);
        assert_eq!(out, b"\x10\x22\0\x04MQTT\x04\xc2\xff\xff\0\x08person-7\0\x08person-7\0\x02pw".as_slice());
    }

    #[test]
    fn what_is_said_is_what_the_protocol_wants() {
        for version in VERSIONS {
            let mut codec = connected(version);
            let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
            let mut expect = Vec::new();
            let mut out = Vec::new();
            let id = codec.join(To::Person(6), &mut out);
            put_packet(SUBSCRIBE, &[b"\0\x01", properties, b"\0\x0dchat/person-7\x01"], &mut expect);
            assert_eq!((id, &out), (1, &expect));
            expect.clear();
            out.clear();
            let text = "z".repeat(20_000);
            assert_eq!(codec.send(To::Person(6), &text, &mut out).unwrap(), 2);
            put_packet(0x32, &[b"\0\x0dchat/person-6\0\x02", properties, text.as_bytes()], &mut expect);
            assert_eq!(out, expect);
            assert_eq!(codec.send(To::Group(3), "g", &mut out).unwrap(), 3);
            let many = codec.send(To::Group(3), "g", &mut out);
            assert_eq!(many.is_err(), version == Version::V5, "two are what this broker takes");
            codec.packet_id = u16::MAX;
            assert_eq!(codec.make(0, &mut out), 1, "0 is no number");
        }
    }
}
