//! Values of options that choose one of a few.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::results::OutputFormat;
use crate::dsp::mask::MaskExtension;
use crate::model::choice::Quality;
use crate::session::settings::{Accompaniment, Normalization, OutputChannels, OutputRate};

impl ValueEnum for Normalization {
    fn value_variants<'a>() -> &'a [Normalization] {
        &[Normalization::Streaming, Normalization::Exact]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Normalization::Streaming => {
                PossibleValue::new("streaming").help("The part received so far; starts at once")
            }
            Normalization::Exact => {
                PossibleValue::new("exact").help("The whole track, as in the reference")
            }
        })
    }
}

impl ValueEnum for Quality {
    fn value_variants<'a>() -> &'a [Quality] {
        &[Quality::Fast, Quality::Balanced, Quality::Best]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Quality::Fast => "The fastest, as measured on this machine",
            Quality::Balanced => "The best published figures among those faster than real time",
            Quality::Best => "The best published figures",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

impl ValueEnum for MaskExtension {
    fn value_variants<'a>() -> &'a [MaskExtension] {
        &[MaskExtension::Average, MaskExtension::Zeros]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            MaskExtension::Average => {
                PossibleValue::new("average").help("The average of the mask below")
            }
            MaskExtension::Zeros => {
                PossibleValue::new("zeros").help("Zero, as in Spleeter's published configuration")
            }
        })
    }
}

impl ValueEnum for Accompaniment {
    fn value_variants<'a>() -> &'a [Accompaniment] {
        &[Accompaniment::Sum, Accompaniment::Minus]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Accompaniment::Sum => PossibleValue::new("sum").help("Sum of all other stems"),
            Accompaniment::Minus => {
                PossibleValue::new("minus").help("Song minus that stem; computes no other stem")
            }
        })
    }
}

impl ValueEnum for OutputFormat {
    fn value_variants<'a>() -> &'a [OutputFormat] {
        &OutputFormat::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let value = PossibleValue::new(self.name()).help(self.description());
        Some(match self {
            OutputFormat::Each(format) => value.aliases(format.short_name()),
            OutputFormat::NiStems => value,
        })
    }
}

impl ValueEnum for OutputChannels {
    fn value_variants<'a>() -> &'a [OutputChannels] {
        &[OutputChannels::Stereo, OutputChannels::Source]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            OutputChannels::Stereo => PossibleValue::new("stereo").help("Two, as models compute"),
            OutputChannels::Source => {
                PossibleValue::new("source").help("One if the song has one, else two")
            }
        })
    }
}

impl ValueEnum for OutputRate {
    fn value_variants<'a>() -> &'a [OutputRate] {
        &[OutputRate::Model, OutputRate::Source]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            OutputRate::Model => PossibleValue::new("model").help("Rate of the model"),
            OutputRate::Source => PossibleValue::new("source").help("Rate of the song"),
        })
    }
}
