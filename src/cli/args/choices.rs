//! Values of options that choose among a few.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::audio::FileFormat;
use crate::dsp::mask::MaskExtension;
use crate::session::settings::{Accompaniment, Normalization, OutputRate};

impl ValueEnum for Normalization {
    fn value_variants<'a>() -> &'a [Normalization] {
        &[Normalization::Streaming, Normalization::Exact]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Normalization::Streaming => PossibleValue::new("streaming").help("At once"),
            Normalization::Exact => {
                PossibleValue::new("exact").help("By the whole track, as the reference does")
            }
        })
    }
}

impl ValueEnum for MaskExtension {
    fn value_variants<'a>() -> &'a [MaskExtension] {
        &[MaskExtension::Average, MaskExtension::Zeros]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            MaskExtension::Average => {
                PossibleValue::new("average").help("As much as on average below")
            }
            MaskExtension::Zeros => PossibleValue::new("zeros")
                .help("Nothing, as in Spleeter's published configuration"),
        })
    }
}

impl ValueEnum for Accompaniment {
    fn value_variants<'a>() -> &'a [Accompaniment] {
        &[Accompaniment::Sum, Accompaniment::Minus]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Accompaniment::Sum => PossibleValue::new("sum").help("Of all stems but the vocals"),
            Accompaniment::Minus => PossibleValue::new("minus")
                .help("Of the song without the vocals, which no other stem is needed for"),
        })
    }
}

impl ValueEnum for FileFormat {
    /// FLAC files are made by the server only.
    fn value_variants<'a>() -> &'a [FileFormat] {
        &[FileFormat::WavF32, FileFormat::WavS24, FileFormat::WavS16]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            FileFormat::WavF32 => "32-bit float, never clips",
            FileFormat::WavS24 => "24-bit integer",
            FileFormat::WavS16 => "16-bit integer",
            FileFormat::Flac => return None,
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

impl ValueEnum for OutputRate {
    fn value_variants<'a>() -> &'a [OutputRate] {
        &[OutputRate::Model, OutputRate::Source]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            OutputRate::Model => PossibleValue::new("model").help("The model's"),
            OutputRate::Source => PossibleValue::new("source").help("The song's own"),
        })
    }
}
