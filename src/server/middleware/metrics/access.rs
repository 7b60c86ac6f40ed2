//! Metrics of credentials and wrong tokens.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::server::credentials::CredentialKind;

/// Counts reloads of credentials, and wrong tokens.
#[derive(Default)]
pub(crate) struct AccessMetrics {
    reloads: Family<ReloadLabels, Counter>,
    outdated: Family<CredentialLabel, Gauge>,
    wrong_tokens: Family<ThrottledLabel, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    credentials: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CredentialLabel {
    credentials: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ThrottledLabel {
    throttled: &'static str,
}

impl AccessMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        // From the start, so that the first increase shows.
        for throttled in ["false", "true"] {
            self.wrong_tokens.get_or_create(&ThrottledLabel { throttled }).inc_by(0);
        }
        let help = "Changes of credential files that were read, by result";
        registry.register("credential_reloads", help, self.reloads.clone());
        let help =
            "1 while the files of these credentials are unusable and earlier ones are in use";
        registry.register("credentials_outdated", help, self.outdated.clone());
        let help = "Calls with a wrong token, by whether their client had sent too many";
        registry.register("wrong_tokens", help, self.wrong_tokens.clone());
    }

    /// Counts a wrong token.
    pub(in crate::server) fn wrong_token(&self, is_throttled: bool) {
        let throttled = if is_throttled { "true" } else { "false" };
        self.wrong_tokens.get_or_create(&ThrottledLabel { throttled }).inc();
    }

    /// Shows that these credentials are reloaded, and current.
    pub(in crate::server) fn watch(&self, kind: CredentialKind) {
        self.outdated.get_or_create(&CredentialLabel { credentials: kind.as_str() }).set(0);
    }

    /// Counts a reload.
    pub(in crate::server) fn reloaded(&self, kind: CredentialKind, is_ok: bool) {
        let (credentials, result) = (kind.as_str(), if is_ok { "ok" } else { "failed" });
        self.reloads.get_or_create(&ReloadLabels { credentials, result }).inc();
        self.outdated.get_or_create(&CredentialLabel { credentials }).set(i64::from(!is_ok));
    }
}
