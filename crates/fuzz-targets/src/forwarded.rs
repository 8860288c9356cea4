//! What proxies say of the client's address: each line is a value of an `X-Forwarded-For` header.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use net::{ClientAddress, Network, client_address};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The proxies that are believed.
const TRUSTED: [&str; 3] = ["10.0.0.0/8", "fd00::/8", "192.0.2.1"];
/// One of them, and somebody else.
const PROXY: &str = "10.0.0.1";
const STRANGER: &str = "203.0.113.9";
/// What a client may send itself, in the hope to be taken for somebody else.
const LIES: [&[u8]; 5] = [b"198.51.100.7", b"10.0.0.9", b"nonsense", b"\xff", b""];

pub(crate) fn run(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let trusted = TRUSTED.map(|network| network.parse::<Network>().expect("a constant"));
    let of = |peer: &str, lines: &[&[u8]]| {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line).ok()?);
        }
        let ClientAddress(client) = client_address(peer.parse().expect("a constant"), &headers, &trusted);
        Some(client)
    };
    // HTTP itself refuses other bytes.
    let Some(client) = of(PROXY, &lines) else { return };
    assert_eq!(client, client.to_canonical());
    assert_eq!(of(STRANGER, &lines).map(|client| client.to_string()).as_deref(), Some(STRANGER));

    let hops = lines.iter().flat_map(|line| line.split(|byte| *byte == b','));
    let said = hops.filter_map(|hop| std::str::from_utf8(hop).ok()?.trim().parse::<IpAddr>().ok());
    let proxy: IpAddr = PROXY.parse().expect("a constant");
    assert!(
        client == proxy || said.into_iter().any(|address| address.to_canonical() == client),
        "nobody said {client}"
    );

    if !trusted.iter().any(|network| network.contains(client)) {
        for lie in LIES {
            let before: Vec<&[u8]> = [lie].into_iter().chain(lines.iter().copied()).collect();
            assert_eq!(of(PROXY, &before), Some(client), "a value before the others changes nothing");
            let first = [lie, b",", lines[0]].concat();
            let before: Vec<&[u8]> = [&first[..]].into_iter().chain(lines[1..].iter().copied()).collect();
            assert_eq!(of(PROXY, &before), Some(client), "an address before the others changes nothing");
        }
        let after: Vec<&[u8]> = lines.iter().copied().chain([b" 10.7.7.7, fd00::1 ".as_slice()]).collect();
        assert_eq!(of(PROXY, &after), Some(client), "more proxies change nothing");
    }
}
