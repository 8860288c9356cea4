//! Whose connection it is, proxies considered.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use axum::http::HeaderMap;
use thiserror::Error;

/// The address a request comes from: the peer's, or what a trusted proxy says. An extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// A range of addresses in CIDR notation, `10.0.0.0/8`; an address alone is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// The text is not `address` or `address/bits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be an address or a network such as 10.0.0.0/8")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = plain(address.parse::<IpAddr>().map_err(|_| NetworkError)?);
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = bits.map_or(Ok(bits_max), str::parse).map_err(|_| NetworkError)?;
        if prefix_bits > bits_max { Err(NetworkError) } else { Ok(Self { address, prefix_bits }) }
    }
}

impl Network {
    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, plain(address)) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let host_bits = 32 - u32::from(self.prefix_bits);
                u64::from(network.to_bits()) >> host_bits == u64::from(address.to_bits()) >> host_bits
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let host_bits = 128 - u32::from(self.prefix_bits);
                // A shift by all 128 bits would overflow.
                network.to_bits().checked_shr(host_bits) == address.to_bits().checked_shr(host_bits)
            }
            _ => false,
        }
    }
}

/// IPv4 in IPv6 (`::ffff:a.b.c.d`) is the same client as plain IPv4.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What is counted as one client: an IPv4 address, or the /64 that an IPv6 customer gets.
pub(crate) fn group(address: IpAddr) -> IpAddr {
    match plain(address) {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

/// The client behind trusted proxies: the last address in `X-Forwarded-For` that is not one of them. What stands before it
/// may be anything, since the client itself has written it.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> ClientAddress {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = plain(peer);
    if !is_trusted(client) {
        return ClientAddress(client);
    }
    let values = headers.get_all("x-forwarded-for").into_iter().rev();
    // As bytes: what the client sent may be no text, and a proxy may have appended its peer to that.
    for hop in values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b',')) {
        let Some(address) = std::str::from_utf8(hop).ok().and_then(|hop| hop.trim().parse().ok()) else { break };
        client = plain(address);
        if !is_trusted(client) {
            break;
        }
    }
    ClientAddress(client)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        let check = |network: &str, address: &str, expect: bool| {
            let network = network.parse::<Network>().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expect, "{network:?} {address}");
        };
        check("10.0.0.0/8", "10.1.2.3", true);
        check("10.0.0.0/8", "11.1.2.3", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("0.0.0.0/0", "1.2.3.4", true);
        check("::/0", "2001:db8::1", true);
        check("2001:db8::/32", "2001:db8:1::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
        check("127.0.0.1", "127.0.0.1", true);
        check("127.0.0.1", "127.0.0.2", false);
        for text in ["", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
        }
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let check = |peer: &str, forwarded: &[&'static str], expect: &str| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let trusted = ["10.0.0.0/8".parse().unwrap()];
            let client = client_address(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(client, ClientAddress(expect.parse().unwrap()), "{peer} {forwarded:?}");
        };
        check("1.1.1.1", &["2.2.2.2"], "1.1.1.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["2.2.2.2"], "2.2.2.2");
        check("10.0.0.1", &["9.9.9.9, 2.2.2.2, 10.0.0.7"], "2.2.2.2");
        check("10.0.0.1", &["9.9.9.9", "2.2.2.2"], "2.2.2.2");
        check("10.0.0.1", &["2.2.2.2, nonsense"], "10.0.0.1");
        // The client sent both values, and the proxy appended to the second.
        check("10.0.0.1", &["9.9.9.9", "é, 2.2.2.2"], "2.2.2.2");
        check("10.0.0.1", &["9.9.9.9", "é"], "10.0.0.1");
    }
}
