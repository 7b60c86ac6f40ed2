//! Access: host names, web origins, bearer tokens.
//!
//! A foreign page in a browser on this machine must not reach the server. Its requests have its own `Origin` or,
//! after DNS rebinding, its own name as `Host`. Programs send no `Origin`, and an IP address as `Host` cannot be
//! rebound.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::middleware::Next;
use axum::response::Response;

use super::grpc_status::is_grpc;
use super::guess_limit::{Excess, GuessLimit};
use super::metrics::Metrics;
use super::named_host::named_host;
use crate::server::ServerConfig;
use crate::server::connections::Client;
use crate::server::credentials::Credentials;
use crate::server::forward_headers::Hop;
use crate::server::status::{ApiError, respond, to_status};
use crate::server::web;

/// Calls of other parts of the cluster, which have a secret of their own.
const INTERNAL: &str = "/stemwire.cluster.v1.";

/// Refuses forbidden requests before they are read.
pub(crate) async fn check(
    State(rules): State<Arc<Rules>>,
    request: Request,
    next: Next,
) -> Response {
    let refusal = match request.extensions().get::<Hop>() {
        Some(Hop::Trusted) => None,
        Some(Hop::WrongSecret) => {
            tracing::warn!("a call is marked as another gateway's and has a wrong cluster secret");
            Some(Refused::WrongToken)
        }
        Some(Hop::Marked) | None => rules.refusal(request.uri(), request.headers()),
    };
    let refusal = refusal.map(|refusal| match refusal {
        Refused::WrongToken => rules.count_guess(&request),
        Refused::Other(error) => error,
    });
    match refusal {
        // As gRPC or HTTP, like the request.
        Some(error) if is_grpc(request.headers()) => to_status(error).into_http(),
        Some(error) => respond(&error),
        None => next.run(request).await,
    }
}

/// The access rules.
pub(crate) struct Rules {
    credentials: Arc<Credentials>,
    hosts: Vec<String>,
    origins: Vec<String>,
    guesses: GuessLimit,
    metrics: Arc<Metrics>,
}

/// Why a request is refused.
enum Refused {
    WrongToken,
    Other(ApiError),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Refused {
        Refused::Other(error)
    }
}

/// What a request proves about its client.
enum Proof {
    Valid,
    Missing,
    Wrong,
}

impl Rules {
    /// The rules of a configuration.
    pub(crate) fn of(config: &ServerConfig, metrics: Arc<Metrics>) -> Rules {
        let lower = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Rules {
            credentials: Arc::clone(&config.credentials),
            hosts: lower(&config.hosts),
            origins: lower(&config.origins),
            guesses: GuessLimit::new(config.max_guesses),
            metrics,
        }
    }

    fn refusal(&self, uri: &Uri, headers: &HeaderMap) -> Option<Refused> {
        let host = match named_host(uri, headers) {
            Ok(host) if self.is_allowed(&host) => host,
            Ok(host) => return Some(ApiError::HostForbidden { host: host.to_string() }.into()),
            Err(problem) => return Some(ApiError::HostInvalid(problem).into()),
        };
        if let Some(origin) = text(headers, ORIGIN)
            && !self.trusts(origin, &host)
        {
            return Some(ApiError::OriginForbidden { origin: origin.to_owned() }.into());
        }
        let path = uri.path();
        if is_public(path) || path.starts_with(INTERNAL) {
            return None;
        }
        match self.proof(path, headers) {
            Proof::Valid => None,
            Proof::Missing => Some(ApiError::Unauthenticated.into()),
            Proof::Wrong => Some(Refused::WrongToken),
        }
    }

    /// Counts a wrong token. Returns the error of its request.
    fn count_guess(&self, request: &Request) -> ApiError {
        // Every request has its client.
        let Some(&client) = request.extensions().get::<Client>() else {
            return ApiError::Unauthenticated;
        };
        let counted = self.guesses.count(client, Instant::now());
        self.metrics.access.wrong_token(counted.is_err());
        let Err(Excess { is_first, retry }) = counted else { return ApiError::Unauthenticated };
        let limit = self.guesses.per_window();
        if is_first {
            tracing::warn!(%client, limit, "too many wrong tokens in a minute; more are refused without a log line");
        }
        ApiError::TooManyGuesses { limit, retry }
    }

    fn is_allowed(&self, host: &Authority) -> bool {
        let name = host.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        name == "localhost" || name.parse::<IpAddr>().is_ok() || self.hosts.contains(&name)
    }

    fn trusts(&self, origin: &str, host: &Authority) -> bool {
        let origin = origin.to_ascii_lowercase();
        let host = host.as_str().to_ascii_lowercase();
        let own = origin == format!("http://{host}") || origin == format!("https://{host}");
        own || self.origins.contains(&origin)
    }

    fn proof(&self, path: &str, headers: &HeaderMap) -> Proof {
        let Some(tokens) = self.credentials.tokens() else { return Proof::Valid };
        // Links on the page cannot carry a header. Other sites do not send the cookie, and downloads change nothing.
        let kept = path.starts_with("/download/").then(|| kept_token(headers)).flatten();
        match (bearer(headers), kept) {
            (Some(given), _) if tokens.contain(given) => Proof::Valid,
            (_, Some(kept)) if tokens.contain(&kept) => Proof::Valid,
            (None, None) => Proof::Missing,
            _ => Proof::Wrong,
        }
    }
}

/// Whether calls of a path need no token: health probes send none, and the page asks for it and sends it with its calls.
pub(crate) fn is_public(path: &str) -> bool {
    path == "/health" || path.starts_with("/grpc.health.v1.Health/") || web::is_page(path)
}

/// The token of the header `authorization`. The scheme is compared without case (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

/// The token from the page's cookie, which has it in hexadecimal digits.
fn kept_token(headers: &HeaderMap) -> Option<String> {
    let mut cookies = text(headers, COOKIE)?.split(';').map(str::trim);
    let digits = cookies.find_map(|cookie| cookie.strip_prefix("stemwire_token="))?;
    String::from_utf8(base16ct::lower::decode_vec(digits).ok()?).ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::credentials::CredentialSources;

    const TOKEN: &str = "a secret of some length";

    #[track_caller]
    fn check(headers: &[(&str, &str)], expected: Option<&str>) {
        check_at("/x", headers, expected);
    }

    #[track_caller]
    fn check_at(path: &str, headers: &[(&str, &str)], expected: Option<&str>) {
        let token = headers.iter().any(|(name, _)| *name == "token").then(|| TOKEN.to_owned());
        let sources = CredentialSources { token, ..CredentialSources::default() };
        let config = ServerConfig {
            credentials: Arc::new(Credentials::read(&sources).unwrap()),
            hosts: vec!["Music.example".into()],
            origins: vec!["https://page.example".into()],
            ..ServerConfig::default()
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().filter(|(name, _)| *name != "token") {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let rules = Rules::of(&config, Arc::new(Metrics::new()));
        let reason = rules.refusal(&path.parse().unwrap(), &map).map(|refused| match refused {
            Refused::WrongToken => "WrongToken".to_owned(),
            Refused::Other(error) => format!("{error:?}"),
        });
        match (&reason, expected) {
            (None, None) => {}
            (Some(reason), Some(part)) => assert!(reason.contains(part), "{reason}"),
            _ => panic!("{headers:?} gave {reason:?}"),
        }
    }

    #[test]
    fn only_allowed_hosts_and_origins_are_served() {
        check(&[("host", "localhost:8000")], None);
        check(&[("host", "127.0.0.1:8000")], None);
        check(&[("host", "[::1]:8000")], None);
        check(&[("host", "MUSIC.example")], None);
        check(&[("host", "evil.example:8000")], Some("HostForbidden"));
        check(&[("host", "localhost.evil.example")], Some("HostForbidden"));
        check(&[], Some("HostInvalid"));
        check(&[("host", "")], Some("HostInvalid"));
        check(&[("host", "localhost"), ("host", "localhost")], Some("HostInvalid"));
        let local = ("host", "localhost:8000");
        check(&[local, ("origin", "http://localhost:8000")], None);
        check(&[local, ("origin", "http://localhost:3000")], Some("OriginForbidden"));
        check(&[local, ("origin", "https://page.example")], None);
        check(&[local, ("origin", "null")], Some("OriginForbidden"));
    }

    #[test]
    fn the_token_must_be_right() {
        let local = ("host", "localhost");
        let token = ("token", "");
        check(&[local, token], Some("Unauthenticated"));
        for scheme in ["Bearer ", "bearer ", "BEARER  "] {
            check(&[local, token, ("authorization", &format!("{scheme}{TOKEN}"))], None);
        }
        for wrong in ["Bearer a secret of some lengt", "Bearer ", "bearer x"] {
            check(&[local, token, ("authorization", wrong)], Some("WrongToken"));
        }
        for none in ["Bearer", "Basic dXNlcjpwYXNz", TOKEN] {
            check(&[local, token, ("authorization", none)], Some("Unauthenticated"));
        }
    }

    #[test]
    fn a_download_may_carry_the_token_as_a_cookie() {
        let (local, token) = (("host", "localhost"), ("token", ""));
        let digits = base16ct::lower::encode_string(TOKEN.as_bytes());
        let cookie = ("cookie", &*format!("theme=dark; stemwire_token={digits}"));
        check_at("/download/x/vocals", &[local, token, cookie], None);
        let wrong = [
            (&digits[2..], "WrongToken"),
            (&digits[1..], "Unauthenticated"),
            (TOKEN, "Unauthenticated"),
        ];
        for (wrong, reason) in wrong {
            let wrong = ("cookie", &*format!("stemwire_token={wrong}"));
            check_at("/download/x/vocals", &[local, token, wrong], Some(reason));
        }
        check_at("/api/sessions", &[local, token, cookie], Some("Unauthenticated"));
    }
}
