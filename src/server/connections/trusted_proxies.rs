//! Proxies in front of the server, and what their headers name: the client of a request, and the path before its own.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;
use ipnet::IpNet;

use super::connection::Client;

/// The header in which each proxy adds the address that it was called from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The header with the path that a proxy has removed from that of the request.
const FORWARDED_PREFIX: &str = "x-forwarded-prefix";

/// Limit of such a path in characters.
const MAX_PREFIX: usize = 256;

/// Networks of the proxies whose headers are read. A client could write the same headers itself, so those of others are
/// not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether the host at `address` is one of them.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client that a trusted proxy names: the last address that is no trusted proxy, since each one adds its own to
    /// what it got. `None` without a valid address.
    pub(super) fn client(&self, headers: &HeaderMap) -> Option<Client> {
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let entries = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut found = None;
        for address in entries.map_while(|entry| address(entry.trim())) {
            found = Some(Client::at(address));
            if !self.trusts(address) {
                break;
            }
        }
        found
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    /// Reads addresses and networks such as `10.0.0.0/8`, separated by commas.
    fn from_str(text: &str) -> Result<TrustedProxies, String> {
        let network = |text: &str| {
            let one = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
            let parsed = one.or_else(|_| text.parse::<IpNet>());
            parsed.map_err(|_| format!("{text:?} is no address or network such as 10.0.0.0/8"))
        };
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(network).collect::<Result<_, _>>().map(TrustedProxies)
    }
}

/// The path that a trusted proxy has removed, such as `/music`; `None` without a valid one.
pub(super) fn prefix(headers: &HeaderMap) -> Option<&str> {
    let path = headers.get(FORWARDED_PREFIX)?.to_str().ok()?.trim_end_matches('/');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    // `//host` would be a URL of another host.
    let is_path = path.starts_with('/') && !path.contains("//");
    (is_path && path.len() <= MAX_PREFIX && path.bytes().all(fits)).then_some(path)
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(name: &str, lines: &[&str]) -> HeaderMap {
        let name: HeaderName = name.parse().unwrap();
        HeaderMap::from_iter(lines.iter().map(|line| (name.clone(), line.parse().unwrap())))
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        let proxies: TrustedProxies = "127.0.0.1, 10.0.0.0/8,2001:db8::/32".parse().unwrap();
        let check = |lines: &[&str], expected: Option<&str>| {
            let expected = expected.map(|address| Client::at(address.parse().unwrap()));
            assert_eq!(proxies.client(&headers(FORWARDED_FOR, lines)), expected, "{lines:?}");
        };
        check(&[], None);
        check(&[""], None);
        check(&["198.51.100.7"], Some("198.51.100.7"));
        // What is before it was written by the client.
        check(&["203.0.113.9, 198.51.100.7"], Some("198.51.100.7"));
        check(&["127.0.0.1, 198.51.100.7, 10.1.2.3"], Some("198.51.100.7"));
        check(&["203.0.113.9", "198.51.100.7, 10.1.2.3", "2001:db8::5"], Some("198.51.100.7"));
        check(&["198.51.100.7:4711, 10.1.2.3"], Some("198.51.100.7"));
        check(&["[2001:db9::1]:4711"], Some("2001:db9::1"));
        check(&["[2001:db9::1]"], Some("2001:db9::1"));
        check(&["::ffff:10.1.2.3, ::ffff:198.51.100.7"], Some("198.51.100.7"));
        // All are proxies: the first of them is the client.
        check(&["10.9.9.9, 10.1.2.3"], Some("10.9.9.9"));
        check(&["unknown, 10.1.2.3"], Some("10.1.2.3"));
        check(&["198.51.100.7, unknown"], None);
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        let trusts = |proxies: &str, address: &str| {
            proxies.parse::<TrustedProxies>().unwrap().trusts(address.parse().unwrap())
        };
        assert!(trusts("::ffff:10.0.0.1", "10.0.0.1") && trusts("10.0.0.1", "::ffff:10.0.0.1"));
        assert!(trusts("::1,172.16.0.0/12", "172.31.0.1"));
        assert!(!trusts("10.0.0.1", "10.0.0.2") && !trusts("", "127.0.0.1"));
        for wrong in ["localhost", "10.0.0.0/33", "10.0.0.1:80", "10.0.0.1 10.0.0.2"] {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_is_the_path_of_a_url() {
        let check = |given: &str, expected| {
            assert_eq!(prefix(&headers(FORWARDED_PREFIX, &[given])), expected, "{given}");
        };
        check("/music", Some("/music"));
        check("/music/", Some("/music"));
        check("/a/b-c_d.e~f", Some("/a/b-c_d.e~f"));
        for none in ["", "/", "music", "//evil.example", "/a//b", "/a?b", "/\"", "/a b"] {
            check(none, None);
        }
        check(&format!("/{}", "x".repeat(MAX_PREFIX)), None);
    }
}
