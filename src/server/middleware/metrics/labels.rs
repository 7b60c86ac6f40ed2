//! Labels of calls. Unknown routes and methods share one label: otherwise each request could create a time series.

use std::collections::BTreeSet;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use prost::Message;
use prost_types::FileDescriptorSet;

use crate::proto::DESCRIPTORS;

/// The label of unknown routes and methods.
pub(super) const OTHER: &str = "other";

/// The pattern of the route that an HTTP request matched; [`OTHER`] if it matched none or a gRPC service.
pub(super) fn route(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    matched.filter(|pattern| !pattern.contains("{*")).unwrap_or(OTHER).to_owned()
}

/// The label of an HTTP method: its name, or [`OTHER`].
pub(super) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER,
    }
}

/// The gRPC methods of the server, as `package.Service/Method`.
pub(super) struct Methods(BTreeSet<String>);

impl Methods {
    /// The methods of the proto and of the health and reflection services.
    pub(super) fn new() -> Methods {
        let mut names = BTreeSet::new();
        let standard = [
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        for descriptors in standard.into_iter().chain([DESCRIPTORS]) {
            // The embedded descriptors decode. If they did not, all methods would share one label.
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

    /// The label of the method at this path.
    pub(super) fn label(&self, path: &str) -> String {
        let known = path.strip_prefix('/').and_then(|name| self.0.get(name));
        known.map_or_else(|| OTHER.to_owned(), String::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_methods_have_labels() {
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
