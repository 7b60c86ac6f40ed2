//! Reasons for errors and for changes of engine, as `proto/stemwire/v1/error_reason.proto` declares them.
//!
//! The enums and the options of their values are generated. Nothing here needs prost or tonic.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The `domain` of a `google.rpc.ErrorInfo` with one of these reasons.
pub const DOMAIN: &str = "stemwire";

include!("generated/reasons.rs");

/// The option `error` of a reason.
struct ReasonOptions {
    code: i32,
    http_status: u16,
    retry_after_s: u32,
    category: Category,
    remedy: &'static str,
}

impl ErrorReason {
    /// The reason of this name on the wire; `None` for one of a later version.
    pub fn from_name(name: &str) -> Option<ErrorReason> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
    }

    /// The gRPC code, as a number of `google.rpc.Code`.
    pub fn code(self) -> i32 {
        self.options().code
    }

    /// The status over plain HTTP.
    pub fn http_status(self) -> u16 {
        self.options().http_status
    }

    /// How long to wait before sending the same call again; `None` where a retry cannot help.
    pub fn retry_after(self) -> Option<Duration> {
        let seconds = u64::from(self.options().retry_after_s);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// The category of the error, which determines the exit code.
    pub fn category(self) -> Category {
        self.options().category
    }

    /// The default remedy, as one imperative sentence.
    pub fn remedy(self) -> &'static str {
        self.options().remedy
    }
}

impl fmt::Display for ErrorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_all_options() {
        assert!(ErrorReason::ALL.len() > 60);
        for reason in ErrorReason::ALL.iter().copied() {
            assert!((1..=16).contains(&reason.code()), "{reason}");
            assert!((400..600).contains(&reason.http_status()), "{reason}");
            let (remedy, first) = (reason.remedy(), reason.remedy().chars().next());
            assert!(first.is_some_and(char::is_uppercase) && remedy.ends_with('.'), "{reason}");
        }
    }

    #[test]
    fn names_are_the_same_on_the_wire_and_on_disk() {
        for reason in ErrorReason::ALL.iter().copied() {
            let name = format!("\"{reason}\"");
            assert_eq!(serde_json::to_string(&reason).unwrap(), name);
            assert_eq!(serde_json::from_str::<ErrorReason>(&name).unwrap(), reason);
            assert_eq!(ErrorReason::from_name(reason.as_str()), Some(reason));
        }
        assert_eq!(ErrorReason::from_name("FROM_A_LATER_VERSION"), None);
        assert_eq!(ChangeReason::EngineNotFinite.as_str(), "ENGINE_NOT_FINITE");
    }

    #[test]
    fn options_are_read_from_the_proto() {
        let reason = ErrorReason::UploadTooLarge;
        assert_eq!((reason.code(), reason.http_status()), (8, 413));
        assert_eq!((reason.category(), reason.retry_after()), (Category::Input, None));
        assert!(reason.remedy().contains("--max-upload"));
        let pause = ErrorReason::QueueFull.retry_after();
        assert_eq!(pause, Some(Duration::from_secs(10)));
    }
}
