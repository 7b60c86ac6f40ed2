//! The host that a request names.

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

/// The host that a request names, in its target, in `Host` or in both.
///
/// # Errors
/// The problem, if it names none or several: another server on its way could have taken it for another host's.
pub(super) fn named_host(uri: &Uri, headers: &HeaderMap) -> Result<Authority, &'static str> {
    let in_headers = headers.get_all(HOST).iter().map(|host| {
        let host = host.to_str().ok().and_then(|host| host.parse().ok());
        host.ok_or("the host name is malformed")
    });
    let mut hosts = uri.authority().cloned().map(Ok).into_iter().chain(in_headers);
    let host: Authority = hosts.next().unwrap_or(Err("the request names no host"))?;
    match headers.get_all(HOST).iter().count() {
        0 | 1 => {}
        _ => return Err("the request has more than one `Host`"),
    }
    match hosts.next().transpose()? {
        Some(other) if other != host => Err("`Host` differs from the host of the request's target"),
        _ => Ok(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &str, hosts: &[&str], expected: Result<&str, &str>) {
        let headers = hosts.iter().map(|host| (HOST, host.parse().unwrap())).collect();
        let named = named_host(&target.parse().unwrap(), &headers);
        assert_eq!(named.as_ref().map(Authority::as_str).map_err(|problem| *problem), expected);
    }

    #[test]
    fn target_and_header_name_the_same_host() {
        let local = &["localhost:8000"];
        check("/x", local, Ok("localhost:8000"));
        check("http://localhost:8000/x", local, Ok("localhost:8000"));
        check("http://LOCALHOST:8000/x", local, Ok("LOCALHOST:8000"));
        check("http://localhost:8000/x", &[], Ok("localhost:8000"));
        let differs = Err("`Host` differs from the host of the request's target");
        check("http://localhost:8001/x", local, differs);
        check("/x", &[], Err("the request names no host"));
        check("/x", &[""], Err("the host name is malformed"));
        check("/x", &["localhost", "localhost"], Err("the request has more than one `Host`"));
    }
}
