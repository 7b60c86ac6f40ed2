//! Converts `SeparationConfig` to validated settings and back, with defaults filled in.

use std::num::NonZero;

use super::invalid;
use crate::audio::{self, Hertz, InvalidTimeSpan, StemName, TimeSpan};
use crate::dsp::mask::MaskExtension;
use crate::model::choice::Quality;
use crate::model::ensemble_spec::EnsembleSpec;
use crate::proto;
use crate::server::status::ApiError;
use crate::session::Session;
use crate::session::live::CallAttempt;
use crate::session::manifest;
use crate::session::settings::{
    self, Accompaniment, OnDisconnect, OutputChannels, OutputRate, RawPcm, Settings,
};
use crate::session::stem_reader::StemFormat;

/// Characters kept of a file name.
const MAX_FILE_NAME_CHARS: usize = 255;

/// Limit of stems in one request; no model has as many.
const MAX_STEMS: usize = 64;

/// Limit of the gain: 60 dB.
const MAX_GAIN: f32 = 1000.0;

/// Parses and checks the config of a request.
pub(in crate::server) fn settings(config: &proto::SeparationConfig) -> Result<Settings, ApiError> {
    let output = config.output.unwrap_or_default();
    check_stem_count(config.stems.len(), "config.stems")?;
    let mut stems: Vec<StemName> = Vec::new();
    for name in &config.stems {
        let stem = name.parse().map_err(|error| invalid("config.stems", error))?;
        if !stems.contains(&stem) {
            stems.push(stem);
        }
    }
    let request_id = match config.request_id.as_str() {
        "" => None,
        text => {
            let id = text.parse().map_err(|_| invalid("config.request_id", "it must be a UUID"))?;
            Some(id)
        }
    };
    Ok(Settings {
        model: model(config)?,
        quality: quality(config)?,
        stems,
        input: config.input.as_ref().map(raw_pcm).transpose()?,
        span: span(config)?,
        track: track(config)?,
        encoding: encoding(output.encoding, "config.output.encoding")?.unwrap_or_default(),
        gain: gain(output.gain, "config.output.gain")?,
        channels: channels(output.channels, "config.output.channels")?.unwrap_or_default(),
        rate: match known(output.rate, "config.output.rate")? {
            proto::OutputRate::Unspecified | proto::OutputRate::Model => OutputRate::Model,
            proto::OutputRate::Source => OutputRate::Source,
        },
        normalization: match known(config.normalization, "config.normalization")? {
            proto::Normalization::Unspecified | proto::Normalization::Streaming => {
                settings::Normalization::Streaming
            }
            proto::Normalization::Exact => settings::Normalization::Exact,
        },
        accompaniment: match known(config.accompaniment, "config.accompaniment")? {
            proto::Accompaniment::Unspecified | proto::Accompaniment::Sum => Accompaniment::Sum,
            proto::Accompaniment::Minus => Accompaniment::Minus,
        },
        with_accompaniment: false,
        allow_fallback: config.allow_fallback.unwrap_or(true),
        overlap: config.overlap,
        mask_extension: match known(config.mask_extension, "config.mask_extension")? {
            proto::MaskExtension::Unspecified | proto::MaskExtension::Average => {
                MaskExtension::Average
            }
            proto::MaskExtension::Zeros => MaskExtension::Zeros,
        },
        request_id,
        file_name: label(&config.file_name),
        on_disconnect: match known(config.on_disconnect, "config.on_disconnect")? {
            proto::OnDisconnect::Unspecified | proto::OnDisconnect::Pause => OnDisconnect::Pause,
            proto::OnDisconnect::Continue => OnDisconnect::Continue,
            proto::OnDisconnect::Cancel => OnDisconnect::Cancel,
        },
    })
}

/// Which of its client's calls a call is, if the client numbers them.
pub(in crate::server) fn attempt(
    config: &proto::SeparationConfig,
) -> Result<Option<CallAttempt>, ApiError> {
    let Some(proto::CallAttempt { caller, number }) = &config.attempt else { return Ok(None) };
    let wrong = |_| invalid("config.attempt.caller", "it must be a UUID");
    Ok(Some(CallAttempt { caller: caller.parse().map_err(wrong)?, number: *number }))
}

/// Checks the number of stems before their names are compared, which is quadratic.
pub(in crate::server) fn check_stem_count(
    count: usize,
    field: &'static str,
) -> Result<(), ApiError> {
    if count > MAX_STEMS {
        return Err(invalid(field, format!("{count} stems exceed the limit of {MAX_STEMS}")));
    }
    Ok(())
}

/// The name of the model, or the text of the ensemble.
fn model(config: &proto::SeparationConfig) -> Result<Option<String>, ApiError> {
    if config.ensemble.is_empty() {
        return Ok(Some(config.model.clone()).filter(|model| !model.is_empty()));
    }
    if !config.model.is_empty() {
        return Err(invalid("config.ensemble", "it names models, and so does `model`"));
    }
    let parsed = config.ensemble.parse::<EnsembleSpec>();
    Ok(Some(parsed.map_err(|error| invalid("config.ensemble", error))?.to_string()))
}

fn quality(config: &proto::SeparationConfig) -> Result<Option<Quality>, ApiError> {
    let quality = match known(config.quality, "config.quality")? {
        proto::Quality::Unspecified => return Ok(None),
        proto::Quality::Fast => Quality::Fast,
        proto::Quality::Balanced => Quality::Balanced,
        proto::Quality::Best => Quality::Best,
    };
    if !config.model.is_empty() || !config.ensemble.is_empty() {
        return Err(invalid("config.quality", "it chooses a model, and the request names one"));
    }
    Ok(Some(quality))
}

fn span(config: &proto::SeparationConfig) -> Result<TimeSpan, ApiError> {
    TimeSpan::from_seconds(config.start_s, config.end_s).map_err(|error| match error {
        InvalidTimeSpan::Time(time) if time.to_bits() == config.start_s.to_bits() => {
            invalid("config.start_s", error)
        }
        _ => invalid("config.end_s", error),
    })
}

fn track(config: &proto::SeparationConfig) -> Result<Option<NonZero<u32>>, ApiError> {
    if config.track > 0 && config.input.is_some() {
        return Err(invalid("config.track", "raw PCM has no tracks"));
    }
    Ok(NonZero::new(config.track))
}

fn raw_pcm(input: &proto::RawPcm) -> Result<RawPcm, ApiError> {
    let encoding = encoding(input.encoding, "config.input.encoding")?
        .ok_or_else(|| invalid("config.input.encoding", "it must be set"))?;
    let rate = Hertz(input.sample_rate);
    if !rate.is_supported() {
        let problem = format!("{rate} is not within {} to {}", Hertz::LOWEST, Hertz::HIGHEST);
        return Err(invalid("config.input.sample_rate", problem));
    }
    match u8::try_from(input.channels) {
        Ok(channels @ 1..=2) => Ok(RawPcm { encoding, rate, channels }),
        _ => Err(invalid("config.input.channels", "it must be 1 or 2")),
    }
}

/// The sample format of a read: that of the request, where it differs from the session's.
pub(in crate::server) fn stem_format(
    session: &Session,
    wanted_encoding: i32,
    wanted_gain: f32,
    wanted_channels: i32,
) -> Result<StemFormat, ApiError> {
    let manifest = session.durable_manifest();
    let own = &manifest.settings;
    Ok(StemFormat {
        encoding: encoding(wanted_encoding, "encoding")?.unwrap_or(own.encoding),
        gain: if wanted_gain == 0.0 { own.gain } else { gain(wanted_gain, "gain")? },
        channels: channels(wanted_channels, "channels")?.unwrap_or(own.channels),
    })
}

fn gain(gain: f32, field: &'static str) -> Result<f32, ApiError> {
    match gain {
        0.0 => Ok(1.0),
        gain if gain > 0.0 && gain <= MAX_GAIN => Ok(gain),
        _ => Err(invalid(field, format!("it must be above 0 and at most {MAX_GAIN}, not {gain}"))),
    }
}

fn encoding(value: i32, field: &'static str) -> Result<Option<audio::Encoding>, ApiError> {
    Ok(match known(value, field)? {
        proto::Encoding::Unspecified => None,
        proto::Encoding::F32le => Some(audio::Encoding::F32Le),
        proto::Encoding::S16le => Some(audio::Encoding::S16Le),
        proto::Encoding::S24le => Some(audio::Encoding::S24Le),
    })
}

fn channels(value: i32, field: &'static str) -> Result<Option<OutputChannels>, ApiError> {
    Ok(match known(value, field)? {
        proto::OutputChannels::Unspecified => None,
        proto::OutputChannels::Stereo => Some(OutputChannels::Stereo),
        proto::OutputChannels::Source => Some(OutputChannels::Source),
    })
}

/// Converts an enum value; refuses one that this protocol version does not define.
fn known<T: TryFrom<i32>>(value: i32, field: &'static str) -> Result<T, ApiError> {
    T::try_from(value).map_err(|_| invalid(field, format!("{value} is not a known value")))
}

/// A printable file name: without control characters, and cut to [`MAX_FILE_NAME_CHARS`].
fn label(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_FILE_NAME_CHARS).collect()
}

/// The config of a session, with the values in effect for unset fields.
pub(super) fn config(manifest: &manifest::Manifest) -> proto::SeparationConfig {
    proto::SeparationConfig {
        model: manifest.plan.model.clone(),
        stems: manifest.plan.stems.iter().map(ToString::to_string).collect(),
        overlap: Some(manifest.plan.overlap),
        ..proto::SeparationConfig::from(&manifest.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut proto::SeparationConfig), expected: Result<(), &str>) {
        let mut config = proto::SeparationConfig::default();
        change(&mut config);
        match (settings(&config), expected) {
            (Ok(_), Ok(())) => {}
            (Err(ApiError::Invalid { field, .. }), Err(expected)) => assert_eq!(field, expected),
            (parsed, _) => panic!("{config:?} gave {parsed:?}"),
        }
    }

    #[test]
    fn configs_are_checked() {
        let raw = |encoding: i32, sample_rate, channels| {
            Some(proto::RawPcm { encoding, sample_rate, channels })
        };
        check(|_| {}, Ok(()));
        check(|c| c.input = raw(2, 48_000, 1), Ok(()));
        check(|c| c.input = raw(0, 48_000, 1), Err("config.input.encoding"));
        check(|c| c.input = raw(9, 48_000, 1), Err("config.input.encoding"));
        check(|c| c.input = raw(2, 0, 1), Err("config.input.sample_rate"));
        check(|c| c.input = raw(2, 48_000, 255), Err("config.input.channels"));
        check(|c| c.stems = vec!["../vocals".into()], Err("config.stems"));
        check(|c| c.request_id = "mine".into(), Err("config.request_id"));
        check(|c| c.normalization = 7, Err("config.normalization"));
        check(|c| c.ensemble = "vocals=a,rest=b".into(), Ok(()));
        check(|c| c.ensemble = "vocals".into(), Err("config.ensemble"));
        let both = |c: &mut proto::SeparationConfig| {
            (c.ensemble, c.model) = ("vocals=a".into(), "mini".into())
        };
        check(both, Err("config.ensemble"));
        check(|c| (c.quality, c.ensemble) = (2, "vocals=a".into()), Err("config.quality"));
        check(|c| c.quality = 2, Ok(()));
        check(|c| c.quality = 4, Err("config.quality"));
        check(|c| (c.quality, c.model) = (2, "mini".into()), Err("config.quality"));
        check(|c| c.mask_extension = 2, Ok(()));
        check(|c| c.mask_extension = 3, Err("config.mask_extension"));
        check(|c| (c.start_s, c.end_s) = (1.5, Some(2.0)), Ok(()));
        check(|c| c.start_s = -1.0, Err("config.start_s"));
        check(|c| c.end_s = Some(f64::NAN), Err("config.end_s"));
        check(|c| (c.start_s, c.end_s) = (2.0, Some(2.0)), Err("config.end_s"));
        check(|c| c.track = 2, Ok(()));
        check(|c| (c.track, c.input) = (1, raw(2, 48_000, 1)), Err("config.track"));
        check(|c| c.accompaniment = 2, Ok(()));
        check(|c| c.accompaniment = 3, Err("config.accompaniment"));
        let gain = |gain| Some(proto::OutputFormat { gain, ..proto::OutputFormat::default() });
        check(|c| c.output = gain(2.0), Ok(()));
        check(|c| c.output = gain(f32::NAN), Err("config.output.gain"));
        check(|c| c.output = gain(-1.0), Err("config.output.gain"));
        let channels =
            |channels| Some(proto::OutputFormat { channels, ..proto::OutputFormat::default() });
        check(|c| c.output = channels(2), Ok(()));
        check(|c| c.output = channels(3), Err("config.output.channels"));
    }

    #[test]
    fn labels_are_fit_to_be_shown() {
        assert_eq!(label("../a\u{1b}[31m\nb.mp3"), "../a[31mb.mp3");
        assert_eq!(label(&"x".repeat(1000)).len(), MAX_FILE_NAME_CHARS);
    }
}
