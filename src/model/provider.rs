//! Names of execution providers, as cards and the command line use them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What runs a graph within ONNX Runtime; also the build of the library that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// ONNX Runtime's own kernels; in every build.
    Cpu,
    /// Intel's OpenVINO, on the CPU.
    Openvino,
    /// NVIDIA's CUDA; needs its libraries on the system.
    Cuda,
}

/// The requested provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ProviderChoice {
    /// The fastest installed provider above the SNR threshold.
    #[default]
    Auto,
    /// This provider and no other.
    Only(Provider),
}

impl Provider {
    /// All providers, in order of preference.
    pub const ALL: [Provider; 3] = [Provider::Cpu, Provider::Openvino, Provider::Cuda];

    /// The provider's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::Cpu => "cpu",
            Provider::Openvino => "openvino",
            Provider::Cuda => "cuda",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for ProviderChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProviderChoice::Auto => f.pad("auto"),
            ProviderChoice::Only(provider) => provider.fmt(f),
        }
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Provider, String> {
        let found = Provider::ALL.into_iter().find(|provider| provider.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is not a provider: choose cpu, openvino or cuda"))
    }
}

impl FromStr for ProviderChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<ProviderChoice, String> {
        if text == "auto" {
            return Ok(ProviderChoice::Auto);
        }
        let unknown = |_| format!("{text:?} is not a provider: choose auto, cpu, openvino or cuda");
        text.parse().map(ProviderChoice::Only).map_err(unknown)
    }
}

impl TryFrom<String> for ProviderChoice {
    type Error = String;

    fn try_from(text: String) -> Result<ProviderChoice, String> {
        text.parse()
    }
}

impl From<ProviderChoice> for String {
    fn from(choice: ProviderChoice) -> String {
        choice.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_names_round_trip() {
        for provider in Provider::ALL {
            assert_eq!(provider.to_string().parse(), Ok(provider));
            let choice = ProviderChoice::Only(provider);
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!("auto".parse(), Ok(ProviderChoice::Auto));
        assert!("AUTO".parse::<ProviderChoice>().unwrap_err().contains("choose auto, cpu"));
    }
}
