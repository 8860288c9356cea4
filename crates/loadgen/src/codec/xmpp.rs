//! XMPP (RFC 6120, 6121): a client on plain TCP. A message to a person is done when stream management (XEP-0198) says that the
//! server has taken it over, a message to a group (XEP-0045) when it comes back from the room.
//!
//! Stanzas are cut out by the depth of their tags, and of each only what is needed is looked at, so that the driver takes as
//! little of the machine as it can. Servers' streams are well-formed; what is not, isn't always noticed.

use std::borrow::Cow;
use std::collections::VecDeque;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::xml::{Element, take_element};
use super::{Codec, Event, Person, To};

/// Where the people are at home, and the groups.
const DOMAIN: &str = "localhost";
const ROOMS_DOMAIN: &str = "conference.localhost";
/// One device each.
const RESOURCE: &str = "load";
/// What everybody has who was given no token.
const PASSWORD: &str = "starling-load";
const BIND_ID: &str = "bind";

const ASK_FOR_ACK: &[u8] = b"<r xmlns='urn:xmpp:sm:3'/>";
/// What a room tells those who have joined, and whoever made it (XEP-0045, 15.6.2).
const SELF_PRESENCE: &str = "110";
const ROOM_CREATED: &str = "201";

/// Where a connection stands: what is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The mechanisms of signing in.
    Mechanisms,
    SignedIn,
    /// What there is for those who have signed in.
    Features,
    Bound,
    Enabled,
    Open,
}

/// A connection of one device.
#[derive(Debug)]
pub struct Xmpp {
    person: Person,
    password: String,
    stage: Stage,
    next_id: u64,
    /// Stanzas since stream management was enabled: what was sent, what of it the server has, and what came.
    sent: u64,
    acked: u64,
    received: u64,
    /// What is done when the server has so many stanzas.
    waiting: VecDeque<(u64, u64)>,
    /// Groups that are being joined.
    joining: Vec<(u32, u64)>,
}

impl Xmpp {
    pub fn new(person: Person, password: Option<String>) -> Self {
        Self {
            person,
            password: password.unwrap_or_else(|| PASSWORD.to_owned()),
            stage: Stage::Mechanisms,
            next_id: 1,
            sent: 0,
            acked: 0,
            received: 0,
            waiting: VecDeque::new(),
            joining: Vec::new(),
        }
    }

    fn name(&self) -> String {
        format!("person-{}", self.person)
    }

    fn id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Writes a stanza, and counts it as the server does.
    fn stanza(&mut self, stanza: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(stanza.as_bytes());
        self.sent += 1;
    }

    /// Done when the server has all that was sent so far.
    fn done_when_taken(&mut self, id: u64, out: &mut Vec<u8>) {
        self.waiting.push_back((self.sent, id));
        out.extend_from_slice(ASK_FOR_ACK);
    }

    /// The steps until messages can be sent.
    fn begin(&mut self, element: &Element<'_>, out: &mut Vec<u8>, see: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        match (self.stage, element.name) {
            (Stage::Mechanisms, "stream:features") => {
                ensure!(element.has(b"PLAIN"), "the server does not let anybody sign in by SASL PLAIN");
                let secret = STANDARD.encode(format!("\0{}\0{}", self.name(), self.password));
                let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>");
                out.extend_from_slice(auth.as_bytes());
                self.stage = Stage::SignedIn;
            }
            (Stage::SignedIn, "success") => {
                put_stream(out);
                self.stage = Stage::Features;
            }
            (Stage::Features, "stream:features") => {
                ensure!(element.has(b"urn:xmpp:sm:3"), "the server has no stream management, which tells what it took");
                let bind = format!(
                    "<iq type='set' id='{BIND_ID}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                     <resource>{RESOURCE}</resource></bind></iq>"
                );
                out.extend_from_slice(bind.as_bytes());
                self.stage = Stage::Bound;
            }
            (Stage::Bound, "iq") if element.attribute("id") == Some(BIND_ID) => {
                ensure!(element.attribute("type") == Some("result"), "no resource: {}", element.text);
                out.extend_from_slice(b"<enable xmlns='urn:xmpp:sm:3'/>");
                self.stanza("<presence/>", out);
                self.stage = Stage::Enabled;
            }
            (Stage::Enabled, "enabled") => {
                self.stage = Stage::Open;
                see(Event::Ready);
            }
            (_, "failure" | "failed") => bail!("can't connect: {}", element.text),
            // What else may come before the end, such as one's own roster, does not matter.
            _ => {}
        }
        Ok(())
    }

    fn see_element(&mut self, element: &Element<'_>, out: &mut Vec<u8>, see: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        match element.name {
            "message" | "presence" | "iq" if self.stage == Stage::Open => self.received += 1,
            "stream:error" => bail!("the server closes the connection: {}", element.text),
            _ => {}
        }
        match (self.stage, element.name) {
            (Stage::Open, "message") => self.see_message(element, see)?,
            (Stage::Open, "presence") => self.see_presence(element, out, see),
            (Stage::Open, "iq") => self.see_query(element, out, see),
            (Stage::Open, "a") => {
                let count: u32 = element.attribute("h").context("<a/> without h")?.parse()?;
                // The count of the protocol has 32 bits.
                self.acked += u64::from(count.wrapping_sub(self.acked as u32));
                while let Some((_, id)) = self.waiting.pop_front_if(|(count, _)| *count <= self.acked) {
                    see(Event::Done(id));
                }
            }
            (Stage::Open, "r") => {
                let answer = format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.received as u32);
                out.extend_from_slice(answer.as_bytes());
            }
            (Stage::Open, _) => {}
            _ => self.begin(element, out, see)?,
        }
        Ok(())
    }

    fn see_message(&self, element: &Element<'_>, see: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let id = || element.attribute("id")?.parse().ok();
        match element.attribute("type") {
            Some("error") => {
                if let Some(id) = id() {
                    see(Event::Refused(id, element.text.to_owned()));
                }
                return Ok(());
            }
            Some("groupchat") => {
                let from = element.attribute("from").and_then(|from| from.rsplit_once('/'));
                if let (Some((_, nick)), Some(id)) = (from, id())
                    && nick == self.name()
                {
                    see(Event::Done(id));
                }
            }
            _ => {}
        }
        if let Some(body) = element.content("body")? {
            see(Event::Message(&unescape(body)));
        }
        Ok(())
    }

    fn see_presence(&mut self, element: &Element<'_>, out: &mut Vec<u8>, see: &mut dyn FnMut(Event<'_>)) {
        let Some(place) = element
            .attribute("from")
            .and_then(|from| from.split('@').next()?.strip_prefix("group-")?.parse().ok())
            .and_then(|group: u32| self.joining.iter().position(|(other, _)| *other == group))
        else {
            return;
        };
        let (group, id) = self.joining[place];
        if element.attribute("type") == Some("error") {
            see(Event::Refused(id, element.text.to_owned()));
        } else if !has_status(element, SELF_PRESENCE) {
            return;
        } else if has_status(element, ROOM_CREATED) {
            // Some servers let nobody in until the maker is content with how the room is (XEP-0045, 10.1.2).
            let content = format!(
                "<iq type='set' id='{id}' to='{}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
                 <x xmlns='jabber:x:data' type='submit'/></query></iq>",
                address(To::Group(group))
            );
            self.stanza(&content, out);
            return;
        } else {
            see(Event::Done(id));
        }
        self.joining.swap_remove(place);
    }

    fn see_query(&mut self, element: &Element<'_>, out: &mut Vec<u8>, see: &mut dyn FnMut(Event<'_>)) {
        let id = element.attribute("id").unwrap_or_default();
        match element.attribute("type") {
            Some("get" | "set") => {
                let to = element.attribute("from").map(|from| format!(" to='{from}'")).unwrap_or_default();
                let answer = format!(
                    "<iq type='error' id='{id}'{to}><error type='cancel'>\
                     <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
                );
                self.stanza(&answer, out);
            }
            answer => {
                let Ok(id) = id.parse() else { return };
                let Some(place) = self.joining.iter().position(|(_, other)| *other == id) else { return };
                self.joining.swap_remove(place);
                match answer {
                    Some("error") => see(Event::Refused(id, element.text.to_owned())),
                    _ => see(Event::Done(id)),
                }
            }
        }
    }
}

/// Whether a room says this code, in whichever quotes.
fn has_status(presence: &Element<'_>, code: &str) -> bool {
    presence.text.split(" code=").skip(1).any(|rest| rest.get(1..).is_some_and(|rest| rest.starts_with(code)))
}

fn address(to: To) -> String {
    match to {
        To::Person(person) => format!("person-{person}@{DOMAIN}"),
        To::Group(group) => format!("group-{group}@{ROOMS_DOMAIN}"),
    }
}

fn put_stream(out: &mut Vec<u8>) {
    let stream = format!(
        "<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    );
    out.extend_from_slice(stream.as_bytes());
}

fn escape(text: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'<', b'&', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

fn unescape(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    Cow::Owned(marks.iter().fold(text.to_owned(), |text, (name, mark)| text.replace(name, mark)))
}

impl Codec for Xmpp {
    fn open(&mut self, out: &mut Vec<u8>) {
        put_stream(out);
    }

    fn make(&mut self, group: u32, out: &mut Vec<u8>) -> u64 {
        self.join(To::Group(group), out)
    }

    fn join(&mut self, to: To, out: &mut Vec<u8>) -> u64 {
        let id = self.id();
        match to {
            // Nothing to ask for: whoever is known can be written to.
            To::Person(_) => self.done_when_taken(id, out),
            To::Group(group) => {
                self.joining.push((group, id));
                let presence = format!(
                    "<presence id='{id}' to='{}/{}'><x xmlns='http://jabber.org/protocol/muc'>\
                     <history maxstanzas='0'/></x></presence>",
                    address(to),
                    self.name()
                );
                self.stanza(&presence, out);
            }
        }
        id
    }

    fn send(&mut self, to: To, text: &str, out: &mut Vec<u8>) -> Result<u64> {
        let id = self.id();
        let kind = match to {
            To::Person(_) => "chat",
            To::Group(_) => "groupchat",
        };
        let (address, text) = (address(to), escape(text));
        self.stanza(&format!("<message type='{kind}' id='{id}' to='{address}'><body>{text}</body></message>"), out);
        if matches!(to, To::Person(_)) {
            self.done_when_taken(id, out);
        }
        Ok(id)
    }

    fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>, see: &mut dyn FnMut(Event<'_>)) -> Result<usize> {
        let mut used = 0;
        while let Some((element, length)) = take_element(&bytes[used..])? {
            used += length;
            if let Some(element) = element {
                self.see_element(&element, out, see)?;
            }
        }
        Ok(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "<?xml version='1.0'?><stream:stream id='1' xmlns='jabber:client'>";

    /// What comes of a server's bytes, however they are cut, and what is answered.
    fn check(codec: &dyn Fn() -> Xmpp, text: &str, expect: &[&str], expect_out: &str) {
        for cut in 0..text.len() {
            let mut codec = codec();
            let (mut told, mut out) = (Vec::new(), Vec::new());
            let mut see = |event: Event<'_>| told.push(format!("{event:?}"));
            let used = codec.read(&text.as_bytes()[..cut], &mut out, &mut see).expect("what servers send");
            let rest = codec.read(&text.as_bytes()[used..], &mut out, &mut see).expect("what servers send");
            assert_eq!(used + rest, text.len(), "cut at {cut}");
            assert_eq!(told, expect, "cut at {cut}");
            assert_eq!(String::from_utf8(out).expect("XML is text"), expect_out, "cut at {cut}");
        }
    }

    fn connected() -> Xmpp {
        let mut codec = Xmpp::new(7, None);
        codec.stage = Stage::Open;
        codec.sent = 1;
        codec
    }

    #[test]
    fn a_connection_begins() {
        let signs_in = || Xmpp::new(7, Some("pw".to_owned()));
        let mut stream = Vec::new();
        signs_in().open(&mut stream);
        let stream = String::from_utf8(stream).unwrap();
        let features = "<stream:features><mechanisms><mechanism>PLAIN</mechanism></mechanisms></stream:features>";
        let more = "<stream:features><bind/><sm xmlns='urn:xmpp:sm:3'/></stream:features>";
        let text = format!(
            "{HEADER}{features}<success/>{HEADER}{more}<iq type='result' id='bind'><bind><jid>a@b/c</jid></bind></iq>\
             <enabled xmlns='urn:xmpp:sm:3'/>"
        );
        let out = format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHBlcnNvbi03AHB3</auth>{stream}\
             <iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>load</resource></bind></iq>\
             <enable xmlns='urn:xmpp:sm:3'/><presence/>"
        );
        check(&signs_in, &text, &["Ready"], &out);
        for refused in
            ["<stream:features/>", "<failure><not-authorized/></failure>", "<stream:error><x/></stream:error>"]
        {
            assert!(signs_in().read(refused.as_bytes(), &mut Vec::new(), &mut |_| {}).is_err());
        }
        assert!(connected().read(b"</stream:stream>", &mut Vec::new(), &mut |_| {}).is_err());
    }

    #[test]
    fn stanzas_tell_what_happened() {
        let chat = "<message type='chat' from='a@b/c' to='x'><archived id='9'/><body>42 &lt;&amp;lt;></body></message>";
        check(&connected, chat, &[r#"Message("42 <&lt;>")"#], "");
        let mine = "<message id='3' type='groupchat' from='group-1@r/person-7'><body>5 x</body></message>";
        check(&connected, mine, &["Done(3)", r#"Message("5 x")"#], "");
        let other = "<message id='3' type='groupchat' from='group-1@r/person-8'><body>5 x</body></message>\n";
        check(&connected, other, &[r#"Message("5 x")"#], "");
        let refused = "<message id='3' type='error'><body>5 x</body><error/></message>";
        check(&connected, refused, &[&format!("Refused(3, {refused:?})")], "");
        let ping = "<presence from='person-7@localhost/load'/><iq type='get' id='p' from='localhost'><ping/></iq><r/>";
        let answer = "<iq type='error' id='p' to='localhost'><error type='cancel'>\
            <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq><a xmlns='urn:xmpp:sm:3' h='2'/>";
        check(&connected, ping, &[], answer);
    }

    #[test]
    fn messages_are_done_when_they_are_taken() {
        let sent = || {
            let (mut codec, mut out) = (connected(), Vec::new());
            assert_eq!(codec.join(To::Person(6), &mut out), 1);
            assert_eq!(codec.send(To::Person(6), "a<b", &mut out).expect("always can"), 2);
            assert_eq!(codec.send(To::Group(0), "g", &mut out).expect("always can"), 3);
            assert_eq!(codec.send(To::Person(6), "c", &mut out).expect("always can"), 4);
            let out = String::from_utf8(out).expect("XML is text");
            assert!(out.contains("to='person-6@localhost'><body>a&lt;b</body></message><r xmlns='urn:xmpp:sm:3'/>"));
            codec
        };
        check(&sent, "<a h='1'/><a h=\"2\"/><a h='3'/>", &["Done(1)", "Done(2)"], "");
        check(&sent, "<a xmlns='urn:xmpp:sm:3' h='4'/>", &["Done(1)", "Done(2)", "Done(4)"], "");
    }

    #[test]
    fn groups_are_joined() {
        let joining = || {
            let (mut codec, mut out) = (connected(), Vec::new());
            assert_eq!((codec.make(4, &mut out), codec.join(To::Group(5), &mut out)), (1, 2));
            codec
        };
        let presence = |group: u32, inner: &str| {
            format!("<presence id='201' from='group-{group}@conference.localhost/person-110'><x>{inner}</x></presence>")
        };
        let (other, own) = (presence(5, "<item/>"), presence(5, "<item/><status code=\"110\"/>"));
        check(&joining, &(other + &own + &own), &["Done(2)"], "");
        let made = presence(4, "<status code='110'/><status code='201'/>");
        let content = "<iq type='set' id='1' to='group-4@conference.localhost'>\
            <query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>";
        check(&joining, &(made + "<iq type='result' id='1'/>"), &["Done(1)"], content);
        let full = "<presence type='error' from='group-5@conference.localhost/person-7'><error/></presence>";
        check(&joining, full, &[&format!("Refused(2, {full:?})")], "");
    }
}
