//! The names under which calls are counted: only those that there are, so that nobody makes a server
//! keep a series for every address that he can think of.

use std::collections::BTreeSet;

use axum::http::Method;
use prost::Message;
use prost_types::FileDescriptorSet;

use crate::proto::DESCRIPTORS;

/// What is counted of an address that is none.
pub(super) const OTHER: &str = "other";

/// Routes of plain HTTP; a part in braces stands for anything.
const ROUTES: [&str; 12] = [
    "/",
    "/static/{file}",
    "/health",
    "/metrics",
    "/openapi.json",
    "/api/separate",
    "/api/sessions",
    "/api/sessions/{id}",
    "/api/sessions/{id}/cancel",
    "/api/sessions/{id}/peaks/{stem}",
    "/download/{id}",
    "/download/{id}/{stem}",
];

/// The route that a path takes.
pub(super) fn route(path: &str) -> &'static str {
    let fits = |route: &&str| {
        let mut parts = path.split('/');
        let same = route.split('/').all(|wanted| {
            parts.next().is_some_and(|part| wanted.starts_with('{') || wanted == part)
        });
        same && (parts.next().is_none() || route.starts_with("/static/"))
    };
    ROUTES.iter().find(|route| fits(route)).copied().unwrap_or(OTHER)
}

/// The name of a method of HTTP.
pub(super) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER,
    }
}

/// The calls that this server has, as `package.Service/Method`.
pub(super) struct Methods(BTreeSet<String>);

impl Methods {
    /// Those of the proto, and of the services for health and reflection.
    pub(super) fn new() -> Methods {
        let mut names = BTreeSet::new();
        let standard = [
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        for descriptors in standard.into_iter().chain([DESCRIPTORS]) {
            // They are part of the binary; without them all calls are counted together.
            let files = FileDescriptorSet::decode(descriptors).unwrap_or_default().file;
            for file in &files {
                for service in &file.service {
                    let name = |method: &prost_types::MethodDescriptorProto| {
                        format!("{}.{}/{}", file.package(), service.name(), method.name())
                    };
                    names.extend(service.method.iter().map(name));
                }
            }
        }
        Methods(names)
    }

    /// The name of the call at this path.
    pub(super) fn label(&self, path: &str) -> String {
        let known = path.strip_prefix('/').and_then(|name| self.0.get(name));
        known.map_or_else(|| OTHER.to_owned(), String::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_counted_apart() {
        let check = |path, expected| assert_eq!(route(path), expected);
        check("/", "/");
        check("/static/app/main.js", "/static/{file}");
        check("/api/sessions", "/api/sessions");
        check("/api/sessions/x", "/api/sessions/{id}");
        check("/api/sessions/x/peaks/vocals", "/api/sessions/{id}/peaks/{stem}");
        check("/download/x.zip", "/download/{id}");
        check("/download/x/vocals", "/download/{id}/{stem}");
        check("/download/x/vocals/y", "other");
        check("/wp-login.php", "other");
        let methods = Methods::new();
        let check = |path: &str, expected: &str| assert_eq!(methods.label(path), expected);
        check("/stemwire.v1.SeparationService/GetStem", "stemwire.v1.SeparationService/GetStem");
        check("/grpc.health.v1.Health/Check", "grpc.health.v1.Health/Check");
        let reflection = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        check(&format!("/{reflection}"), reflection);
        check("//grpc.health.v1.Health/Check", "other");
        check("/stemwire.v1.SeparationService/Nothing", "other");
    }
}
