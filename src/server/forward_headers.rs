//! What a gateway adds to a call that it forwards to another one: the secret of the cluster, its own name, and what it
//! has found out about the client.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::cluster::ClusterSecret;

/// The gateway that forwarded the call. Its presence alone keeps the call from being forwarded again.
const FORWARDED_BY: HeaderName = HeaderName::from_static("stemwire-forwarded-by");

/// The address of the client.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("stemwire-forwarded-for");

/// The path that a proxy of the first gateway has removed.
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("stemwire-forwarded-prefix");

/// The secret of the cluster.
const SECRET: HeaderName = HeaderName::from_static("stemwire-cluster-secret");

/// The address of the gateway that has the session of a refused call; in the response until it leaves the server.
pub(super) const OWNER: HeaderName = HeaderName::from_static("stemwire-owner");

/// A call that another gateway has forwarded; an extension of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hop {
    /// It carries the secret: the other gateway has checked host, origin and token.
    Trusted,
    /// This gateway has no secret, so the call is one of any client. It is not forwarded again.
    Marked,
    /// It does not carry the secret that this gateway has.
    WrongSecret,
}

/// What a forwarded call comes with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ForwardedCall {
    pub(super) hop: Hop,
    /// The address of the client, from a trusted gateway.
    pub(super) client: Option<IpAddr>,
    /// The path that a proxy has removed, from a trusted gateway.
    pub(super) prefix: Option<String>,
}

/// How forwarded calls are recognised.
#[derive(Debug, Clone, Default)]
pub(crate) struct HopRules {
    /// `None` where all gateways are on this machine.
    secret: Option<Arc<ClusterSecret>>,
}

impl HopRules {
    /// Those of a cluster with this secret.
    pub(crate) fn new(secret: Option<ClusterSecret>) -> HopRules {
        HopRules { secret: secret.map(Arc::new) }
    }

    /// Whether the cluster has a secret.
    pub(super) fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// Takes the headers of a forwarded call out of a request, also where they are not believed. `None` for other calls.
    pub(super) fn take(&self, headers: &mut HeaderMap) -> Option<ForwardedCall> {
        let by = headers.remove(FORWARDED_BY);
        let secret = headers.remove(SECRET);
        let client = headers.remove(FORWARDED_FOR);
        let prefix = headers.remove(FORWARDED_PREFIX);
        by?;
        let hop = match (&self.secret, secret) {
            (None, _) => Hop::Marked,
            (Some(own), Some(given)) if own.accepts(given.as_bytes()) => Hop::Trusted,
            (Some(_), _) => Hop::WrongSecret,
        };
        let text = |value: Option<HeaderValue>| {
            let value = value.filter(|_| hop == Hop::Trusted)?;
            value.to_str().ok().map(str::to_owned)
        };
        let client = text(client).and_then(|client| client.parse().ok());
        Some(ForwardedCall { hop, client, prefix: text(prefix) })
    }

    /// Adds the headers of a call that the gateway `name` forwards.
    pub(super) fn mark(
        &self,
        headers: &mut HeaderMap,
        name: &str,
        client: Option<IpAddr>,
        prefix: &str,
    ) {
        // Without this header the call could be forwarded for ever.
        let by = HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("gateway"));
        headers.insert(FORWARDED_BY, by);
        let mut add = |header: HeaderName, text: &str| {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(header, value);
            }
        };
        if let Some(secret) = &self.secret {
            add(SECRET, secret.sent());
        }
        if let Some(client) = client {
            add(FORWARDED_FOR, &client.to_string());
        }
        if !prefix.is_empty() {
            add(FORWARDED_PREFIX, prefix);
        }
        if let Some(secret) = headers.get_mut(SECRET) {
            // Neither logged nor kept in tables of compression.
            secret.set_sensitive(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";

    fn rules(secret: Option<&str>) -> HopRules {
        HopRules::new(secret.map(|secret| ClusterSecret::new(secret).unwrap()))
    }

    fn received(from: Option<&str>, by: Option<&str>) -> Option<ForwardedCall> {
        let mut headers = HeaderMap::new();
        rules(from).mark(&mut headers, "one", Some([192, 0, 2, 1].into()), "/music");
        let call = rules(by).take(&mut headers);
        assert!(headers.is_empty(), "{headers:?}");
        call
    }

    #[test]
    fn only_a_call_with_the_secret_is_believed() {
        let other = "fedcba9876543210fedcba9876543210";
        let check = |from, by, hop, is_believed: bool| {
            let expected = ForwardedCall {
                hop,
                client: is_believed.then(|| [192, 0, 2, 1].into()),
                prefix: is_believed.then(|| "/music".to_owned()),
            };
            assert_eq!(received(from, by), Some(expected), "{from:?} {by:?}");
        };
        check(Some(ONE), Some(ONE), Hop::Trusted, true);
        check(Some(other), Some(ONE), Hop::WrongSecret, false);
        check(None, Some(ONE), Hop::WrongSecret, false);
        check(None, None, Hop::Marked, false);
        check(Some(ONE), None, Hop::Marked, false);
    }

    #[test]
    fn headers_of_clients_are_removed() {
        let mut headers = HeaderMap::new();
        for name in [SECRET, FORWARDED_FOR, FORWARDED_PREFIX] {
            headers.insert(name, HeaderValue::from_static("/x"));
        }
        assert_eq!(rules(Some(ONE)).take(&mut headers), None);
        assert!(headers.is_empty(), "{headers:?}");
    }
}
