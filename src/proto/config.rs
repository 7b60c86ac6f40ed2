//! Session settings as messages.

use std::num::NonZero;

use super::{OutputFormat, SeparationConfig};
use crate::audio::Encoding;
use crate::dsp::mask::MaskExtension;
use crate::model::choice::Quality;
use crate::session::settings::{
    Accompaniment, Normalization, OnDisconnect, OutputChannels, OutputRate, RawPcm, Settings,
};

impl From<&Settings> for SeparationConfig {
    fn from(settings: &Settings) -> SeparationConfig {
        let output = OutputFormat {
            encoding: super::Encoding::from(settings.encoding).into(),
            rate: match settings.rate {
                OutputRate::Model => super::OutputRate::Model,
                OutputRate::Source => super::OutputRate::Source,
            }
            .into(),
            gain: settings.gain,
            channels: match settings.channels {
                OutputChannels::Stereo => super::OutputChannels::Stereo,
                OutputChannels::Source => super::OutputChannels::Source,
            }
            .into(),
        };
        SeparationConfig {
            model: settings.model.clone().unwrap_or_default(),
            stems: settings.stems.iter().map(ToString::to_string).collect(),
            input: settings.input.map(super::RawPcm::from),
            output: Some(output),
            normalization: match settings.normalization {
                Normalization::Streaming => super::Normalization::Streaming,
                Normalization::Exact => super::Normalization::Exact,
            }
            .into(),
            accompaniment: match settings.accompaniment {
                Accompaniment::Sum => super::Accompaniment::Sum,
                Accompaniment::Minus => super::Accompaniment::Minus,
            }
            .into(),
            allow_fallback: Some(settings.allow_fallback),
            overlap: settings.overlap,
            request_id: settings.request_id.map(|id| id.to_string()).unwrap_or_default(),
            upload_offset: 0,
            attempt: None,
            file_name: settings.file_name.clone(),
            on_disconnect: match settings.on_disconnect {
                OnDisconnect::Pause => super::OnDisconnect::Pause,
                OnDisconnect::Continue => super::OnDisconnect::Continue,
                OnDisconnect::Cancel => super::OnDisconnect::Cancel,
            }
            .into(),
            start_frame: 0,
            start_s: settings.span.start.as_secs_f64(),
            track: settings.track.map_or(0, NonZero::get),
            end_s: settings.span.end.map(|end| end.as_secs_f64()),
            mask_extension: match settings.mask_extension {
                MaskExtension::Average => super::MaskExtension::Average,
                MaskExtension::Zeros => super::MaskExtension::Zeros,
            }
            .into(),
            quality: match settings.quality {
                None => super::Quality::Unspecified,
                Some(Quality::Fast) => super::Quality::Fast,
                Some(Quality::Balanced) => super::Quality::Balanced,
                Some(Quality::Best) => super::Quality::Best,
            }
            .into(),
            // It is the model.
            ensemble: String::new(),
        }
    }
}

impl From<RawPcm> for super::RawPcm {
    fn from(raw: RawPcm) -> super::RawPcm {
        super::RawPcm {
            encoding: super::Encoding::from(raw.encoding).into(),
            sample_rate: raw.rate.0,
            channels: raw.channels.into(),
        }
    }
}

impl From<Encoding> for super::Encoding {
    fn from(encoding: Encoding) -> super::Encoding {
        match encoding {
            Encoding::F32Le => super::Encoding::F32le,
            Encoding::S16Le => super::Encoding::S16le,
            Encoding::S24Le => super::Encoding::S24le,
        }
    }
}
