//! Execution providers and precisions. Which of them a model runs on is decided in [`selection`].

pub mod selection;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::model::provider::{Provider, ProviderChoice};

/// The requested precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrecisionChoice {
    /// 32-bit floats.
    #[default]
    Exact,
    /// Also shorter floats inside the graph, if they are faster and above the SNR threshold.
    Fast,
}

/// Precision inside the graph. Inputs and outputs are 32-bit floats in any case.
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

/// A provider in a precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Execution {
    /// The provider.
    pub provider: Provider,
    /// The precision.
    pub precision: Precision,
}

impl Execution {
    /// The CPU in 32-bit floats: every build of the library has it, and all others are measured against it.
    pub const BASELINE: Execution = Execution::exact(Provider::Cpu);

    /// A provider in 32-bit floats.
    pub const fn exact(provider: Provider) -> Execution {
        Execution { provider, precision: Precision::F32 }
    }

    /// A provider in the reduced precision that it has on this processor, if any.
    pub fn reduced(provider: Provider) -> Option<Execution> {
        let precision = match provider {
            // ONNX Runtime's kernels multiply bfloat16 on ARM only.
            Provider::Cpu => {
                (cfg!(target_arch = "aarch64") && has_bf16()).then_some(Precision::Bf16)
            }
            Provider::Openvino => has_bf16().then_some(Precision::Bf16),
            // A GPU without it computes in 32-bit floats.
            Provider::Cuda => Some(Precision::Tf32),
        };
        precision.map(|precision| Execution { provider, precision })
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
    /// The precision's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::Tf32 => "tf32",
        }
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

impl fmt::Display for PrecisionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PrecisionChoice::Exact => "exact",
            PrecisionChoice::Fast => "fast",
        })
    }
}

impl FromStr for PrecisionChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<PrecisionChoice, String> {
        match text {
            "exact" => Ok(PrecisionChoice::Exact),
            "fast" => Ok(PrecisionChoice::Fast),
            _ => Err(format!("{text:?} is not a precision: choose exact or fast")),
        }
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Precision, String> {
        let all = [Precision::F32, Precision::Bf16, Precision::Tf32];
        let found = all.into_iter().find(|precision| precision.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is not a precision: choose f32, bf16 or tf32"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_names_round_trip() {
        for precision in [Precision::F32, Precision::Bf16, Precision::Tf32] {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        for choice in [PrecisionChoice::Exact, PrecisionChoice::Fast] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!(Execution::BASELINE.to_string(), "cpu f32");
    }
}
