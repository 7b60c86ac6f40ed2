//! Execution providers and precisions: what may be asked for, and what is then computed with.

pub mod selection;

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

/// Which provider is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ProviderChoice {
    /// The fastest of those that are here, as long as the numbers stay.
    #[default]
    Auto,
    /// This one and no other.
    Only(Provider),
}

/// How exact the numbers shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrecisionChoice {
    /// Those of 32-bit floats.
    #[default]
    Exact,
    /// Shorter ones within, where that is faster and near enough.
    Fast,
}

/// In what a graph is computed; what goes in and comes out are 32-bit floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// IEEE 754 single precision.
    F32,
    /// Products of bfloat16: 8 bits of significand.
    Bf16,
    /// Products of NVIDIA's TensorFloat-32: 11 bits of significand.
    Tf32,
}

/// How a model is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Execution {
    /// By what.
    pub provider: Provider,
    /// In what.
    pub precision: Precision,
}

impl Provider {
    /// All of them; where nothing else counts, the first that is there is used.
    pub const ALL: [Provider; 3] = [Provider::Cpu, Provider::Openvino, Provider::Cuda];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::Cpu => "cpu",
            Provider::Openvino => "openvino",
            Provider::Cuda => "cuda",
        }
    }

    /// The reduced precision that it has on this processor.
    pub fn reduced(self) -> Option<Precision> {
        match self {
            // ONNX Runtime's kernels multiply bfloat16 on ARM only.
            Provider::Cpu => {
                (cfg!(target_arch = "aarch64") && has_bf16()).then_some(Precision::Bf16)
            }
            Provider::Openvino => has_bf16().then_some(Precision::Bf16),
            // A GPU without it computes as ever.
            Provider::Cuda => Some(Precision::Tf32),
        }
    }
}

/// Whether the processor multiplies bfloat16 itself: without that it is slower than 32-bit floats.
fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    false
}

impl Precision {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::Tf32 => "tf32",
        }
    }
}

impl Execution {
    /// What every build of the library can do, and what all others are measured by.
    pub const BASELINE: Execution = Execution::exact(Provider::Cpu);

    /// In 32-bit floats.
    pub const fn exact(provider: Provider) -> Execution {
        Execution { provider, precision: Precision::F32 }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.provider, self.precision)
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

impl fmt::Display for PrecisionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PrecisionChoice::Exact => "exact",
            PrecisionChoice::Fast => "fast",
        })
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Provider, String> {
        let found = Provider::ALL.into_iter().find(|provider| provider.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no provider: take cpu, openvino or cuda"))
    }
}

impl FromStr for ProviderChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<ProviderChoice, String> {
        if text == "auto" {
            return Ok(ProviderChoice::Auto);
        }
        let unknown = |_| format!("{text:?} is no provider: take auto, cpu, openvino or cuda");
        text.parse().map(ProviderChoice::Only).map_err(unknown)
    }
}

impl FromStr for PrecisionChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<PrecisionChoice, String> {
        match text {
            "exact" => Ok(PrecisionChoice::Exact),
            "fast" => Ok(PrecisionChoice::Fast),
            _ => Err(format!("{text:?} is no precision: take exact or fast")),
        }
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Precision, String> {
        let all = [Precision::F32, Precision::Bf16, Precision::Tf32];
        let found = all.into_iter().find(|precision| precision.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no precision: take f32, bf16 or tf32"))
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
    fn names_are_read_as_they_are_written() {
        for provider in Provider::ALL {
            assert_eq!(provider.to_string().parse(), Ok(provider));
            let choice = ProviderChoice::Only(provider);
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!("auto".parse(), Ok(ProviderChoice::Auto));
        assert!("AUTO".parse::<ProviderChoice>().unwrap_err().contains("take auto, cpu"));
        for precision in [Precision::F32, Precision::Bf16, Precision::Tf32] {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        for choice in [PrecisionChoice::Exact, PrecisionChoice::Fast] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!(Execution::BASELINE.to_string(), "cpu f32");
    }
}
