//! The candidates: providers and precisions that the installed libraries offer.

use std::path::PathBuf;

use crate::engine::runtime::RuntimeError;
use crate::engine::runtime::locate::{FoundLibrary, LibraryOrigin};
use crate::engine::{Execution, PrecisionChoice, Provider, ProviderChoice};

/// The requested provider and precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProviderRequest {
    /// The provider.
    pub provider: ProviderChoice,
    /// The precision.
    pub precision: PrecisionChoice,
}

/// A provider in a precision, with the library that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The library's file.
    pub library: PathBuf,
    /// The provider and its precision.
    pub execution: Execution,
}

/// The candidates for a request, in order of preference. Each provider is taken from the first library that has it.
///
/// # Errors
/// [`RuntimeError::NoProvider`].
pub(super) fn candidates(
    libraries: &[FoundLibrary],
    request: ProviderRequest,
) -> Result<Vec<Candidate>, RuntimeError> {
    let requested = |&provider: &Provider| match request.provider {
        ProviderChoice::Auto => true,
        ProviderChoice::Only(only) => provider == only,
    };
    let mut candidates = Vec::new();
    for provider in Provider::ALL.into_iter().filter(requested) {
        let Some(found) = libraries.iter().find(|found| found.providers().contains(&provider))
        else {
            continue;
        };
        let reduced = match request.precision {
            PrecisionChoice::Exact => None,
            PrecisionChoice::Fast => Execution::reduced(provider),
        };
        candidates.extend(
            [Some(Execution::exact(provider)), reduced]
                .into_iter()
                .flatten()
                .map(|execution| Candidate { library: found.path.clone(), execution }),
        );
    }
    match request.provider {
        ProviderChoice::Only(provider) if candidates.is_empty() => {
            let named = |found: &FoundLibrary| {
                matches!(found.origin, LibraryOrigin::Flag | LibraryOrigin::Environment)
            };
            Err(RuntimeError::NoProvider {
                provider,
                found: libraries.iter().map(describe).collect(),
                named: libraries.iter().any(named),
            })
        }
        _ => Ok(candidates),
    }
}

fn describe(found: &FoundLibrary) -> String {
    let providers: Vec<_> = found.providers().iter().map(ToString::to_string).collect();
    format!("{} with {}", found.path.display(), providers.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &std::path::Path, providers: &[&str]) -> FoundLibrary {
        std::fs::create_dir_all(folder).unwrap();
        for provider in providers {
            let name = format!("libonnxruntime_providers_{provider}.so");
            std::fs::write(folder.join(name), "").unwrap();
        }
        FoundLibrary { path: folder.join("libonnxruntime.so"), origin: LibraryOrigin::Cache }
    }

    fn names(
        libraries: &[FoundLibrary],
        provider: &str,
        precision: PrecisionChoice,
    ) -> Vec<String> {
        let request = ProviderRequest { provider: provider.parse().unwrap(), precision };
        let candidates = candidates(libraries, request).unwrap();
        let folder = |path: &PathBuf| path.parent().unwrap().file_name().unwrap().to_owned();
        let name = |c: &Candidate| format!("{:?} {}", folder(&c.library), c.execution);
        candidates.iter().map(name).collect()
    }

    #[test]
    fn each_provider_is_taken_from_the_first_library_that_has_it() {
        let root = tempfile::tempdir().unwrap();
        let libraries =
            [found(&root.path().join("a"), &[]), found(&root.path().join("b"), &["openvino"])];
        let exact = PrecisionChoice::Exact;
        assert_eq!(names(&libraries, "auto", exact), ["\"a\" cpu f32", "\"b\" openvino f32"]);
        assert_eq!(names(&libraries, "openvino", exact), ["\"b\" openvino f32"]);
        assert_eq!(names(&libraries, "cpu", exact), ["\"a\" cpu f32"]);
        let fast = names(&libraries, "openvino", PrecisionChoice::Fast);
        assert_eq!(
            fast.len(),
            if Execution::reduced(Provider::Openvino).is_some() { 2 } else { 1 }
        );
    }

    #[test]
    fn a_missing_provider_is_an_error_that_lists_the_others() {
        let root = tempfile::tempdir().unwrap();
        let libraries = [found(root.path(), &["openvino"])];
        let request = ProviderRequest {
            provider: ProviderChoice::Only(Provider::Cuda),
            ..ProviderRequest::default()
        };
        let error = candidates(&libraries, request).unwrap_err();
        assert!(error.to_string().contains("with cpu and openvino"), "{error}");
        assert!(error.remedy().contains("stemwire runtime install cuda"), "{}", error.remedy());
    }
}
