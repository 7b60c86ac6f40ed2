//! Wire to domain, checked once, and domain to wire.

use prost_types::Timestamp;

use super::status::{ApiError, of_failure};
use crate::audio::{self, Frames, Hertz, StemName};
use crate::dsp::mask::MaskExtension;
use crate::engine::breaker::{Condition, Health};
use crate::engine::chain::Fault;
use crate::engine::{Model, Sha256Hash};
use crate::separation::reason_of;
use crate::session::manifest;
use crate::session::settings::{self, Accompaniment, OnDisconnect, OutputRate, RawPcm, Settings};
use crate::session::tail::Form;
use crate::session::{self, Session, SessionId, State};
use crate::wire;

/// The longest label that is kept.
const MAX_FILE_NAME_CHARS: usize = 255;

/// Stems that one request may name; no model has more.
const MAX_STEMS: usize = 64;

/// The loudest gain that makes sense: 60 dB.
const MAX_GAIN: f32 = 1000.0;

/// Parses what a client asks for.
pub(super) fn settings(config: &wire::SeparationConfig) -> Result<Settings, ApiError> {
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
        model: Some(config.model.clone()).filter(|model| !model.is_empty()),
        stems,
        input: config.input.as_ref().map(raw_pcm).transpose()?,
        encoding: encoding(output.encoding, "config.output.encoding")?.unwrap_or_default(),
        gain: gain(output.gain, "config.output.gain")?,
        rate: match known(output.rate, "config.output.rate")? {
            wire::OutputRate::Unspecified | wire::OutputRate::Model => OutputRate::Model,
            wire::OutputRate::Source => OutputRate::Source,
        },
        normalization: match known(config.normalization, "config.normalization")? {
            wire::Normalization::Unspecified | wire::Normalization::Streaming => {
                settings::Normalization::Streaming
            }
            wire::Normalization::Exact => settings::Normalization::Exact,
        },
        accompaniment: match known(config.accompaniment, "config.accompaniment")? {
            wire::Accompaniment::Unspecified | wire::Accompaniment::Sum => Accompaniment::Sum,
            wire::Accompaniment::Minus => Accompaniment::Minus,
        },
        with_accompaniment: false,
        allow_fallback: config.allow_fallback.unwrap_or(true),
        overlap: config.overlap,
        mask_extension: match known(config.mask_extension, "config.mask_extension")? {
            wire::MaskExtension::Unspecified | wire::MaskExtension::Average => {
                MaskExtension::Average
            }
            wire::MaskExtension::Zeros => MaskExtension::Zeros,
        },
        request_id,
        file_name: label(&config.file_name),
        on_disconnect: match known(config.on_disconnect, "config.on_disconnect")? {
            wire::OnDisconnect::Unspecified | wire::OnDisconnect::Pause => OnDisconnect::Pause,
            wire::OnDisconnect::Continue => OnDisconnect::Continue,
            wire::OnDisconnect::Cancel => OnDisconnect::Cancel,
        },
    })
}

/// Checked before the names are: comparing a million of them would take minutes.
pub(super) fn check_stem_count(count: usize, field: &'static str) -> Result<(), ApiError> {
    if count > MAX_STEMS {
        return Err(invalid(field, format!("{count} stems are more than {MAX_STEMS}")));
    }
    Ok(())
}

fn raw_pcm(input: &wire::RawPcm) -> Result<RawPcm, ApiError> {
    let encoding = encoding(input.encoding, "config.input.encoding")?
        .ok_or_else(|| invalid("config.input.encoding", "it must be set"))?;
    let rate = Hertz(input.sample_rate);
    if !rate.is_supported() {
        let problem = format!("{rate} is not {} to {}", Hertz::LOWEST, Hertz::HIGHEST);
        return Err(invalid("config.input.sample_rate", problem));
    }
    match u8::try_from(input.channels) {
        Ok(channels @ 1..=2) => Ok(RawPcm { encoding, rate, channels }),
        _ => Err(invalid("config.input.channels", "it must be 1 or 2")),
    }
}

/// How a read wants its samples, where it differs from what its session says.
pub(super) fn form(
    session: &Session,
    wanted_encoding: i32,
    wanted_gain: f32,
) -> Result<Form, ApiError> {
    let manifest = session.manifest();
    let own = &manifest.settings;
    Ok(Form {
        encoding: encoding(wanted_encoding, "encoding")?.unwrap_or(own.encoding),
        gain: if wanted_gain == 0.0 { own.gain } else { gain(wanted_gain, "gain")? },
    })
}

/// Parses a session's name.
pub(super) fn session_id(text: &str) -> Result<SessionId, ApiError> {
    text.parse().map_err(|_| ApiError::SessionIdInvalid(text.chars().take(80).collect()))
}

/// Parses a hash; an empty one is none.
pub(super) fn sha256(bytes: &[u8]) -> Result<Option<String>, ApiError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let hash = <[u8; 32]>::try_from(bytes).map_err(|_| invalid("sha256", "it has 32 bytes"))?;
    Ok(Some(Sha256Hash(hash).to_string()))
}

fn gain(gain: f32, field: &'static str) -> Result<f32, ApiError> {
    match gain {
        0.0 => Ok(1.0),
        gain if gain > 0.0 && gain <= MAX_GAIN => Ok(gain),
        _ => Err(invalid(field, format!("{gain} is not above 0 and at most {MAX_GAIN}"))),
    }
}

fn encoding(value: i32, field: &'static str) -> Result<Option<audio::Encoding>, ApiError> {
    Ok(match known(value, field)? {
        wire::Encoding::Unspecified => None,
        wire::Encoding::F32le => Some(audio::Encoding::F32Le),
        wire::Encoding::S16le => Some(audio::Encoding::S16Le),
        wire::Encoding::S24le => Some(audio::Encoding::S24Le),
    })
}

/// A value that this version of the protocol has.
fn known<T: TryFrom<i32>>(value: i32, field: &'static str) -> Result<T, ApiError> {
    T::try_from(value).map_err(|_| invalid(field, format!("{value} has no meaning")))
}

/// A name fit to be shown: no control characters, not too long.
fn label(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_FILE_NAME_CHARS).collect()
}

fn invalid(field: &'static str, problem: impl ToString) -> ApiError {
    ApiError::Invalid { field, problem: problem.to_string() }
}

/// A session as clients see it.
pub(super) fn session(session: &Session) -> wire::Session {
    let manifest = session.manifest();
    let ended = manifest.state.is_ended();
    let stem = |stem: &manifest::Stem| wire::Stem {
        name: stem.name.to_string(),
        frames: manifest.commit.stems.0,
        peak: stem.peak,
        sha256: stem.sha256.as_deref().map(hash).unwrap_or_default(),
    };
    let source = |source: &manifest::Source| wire::Source {
        container: source.container.clone(),
        codec: source.codec.clone(),
        sample_rate: source.rate.0,
        channels: source.channels,
        frames: source.frames.filter(|_| manifest.total.is_some() || ended).unwrap_or_default().0,
        damaged_frames: source.damaged.0,
        output_sample_rate: source.output_rate.0,
    };
    wire::Session {
        session_id: session.id().to_string(),
        state: state(manifest.state).into(),
        config: Some(config(&manifest)),
        engine: manifest.engine.as_ref().map(engine),
        engine_changes: manifest.engine_changes.iter().map(engine_change).collect(),
        committed_bytes: session.uploaded(),
        upload_complete: manifest.upload_complete(),
        source: manifest.source.as_ref().map(source),
        progress: Some(progress(session.progress())),
        stems: manifest.stems.iter().map(stem).collect(),
        error: manifest.failure.as_ref().map(failure),
        notices: manifest.notices.clone(),
        create_time: Some(timestamp(manifest.created)),
        update_time: Some(timestamp(manifest.updated)),
    }
}

/// What was asked for, with what was left open filled in.
fn config(manifest: &manifest::Manifest) -> wire::SeparationConfig {
    let settings = &manifest.settings;
    let input = settings.input.map(|raw| wire::RawPcm {
        encoding: wire_encoding(raw.encoding).into(),
        sample_rate: raw.rate.0,
        channels: raw.channels.into(),
    });
    let output = wire::OutputFormat {
        encoding: wire_encoding(settings.encoding).into(),
        rate: match settings.rate {
            OutputRate::Model => wire::OutputRate::Model,
            OutputRate::Source => wire::OutputRate::Source,
        }
        .into(),
        gain: settings.gain,
    };
    wire::SeparationConfig {
        model: manifest.plan.model.clone(),
        stems: manifest.plan.stems.iter().map(ToString::to_string).collect(),
        input,
        output: Some(output),
        normalization: match settings.normalization {
            settings::Normalization::Streaming => wire::Normalization::Streaming,
            settings::Normalization::Exact => wire::Normalization::Exact,
        }
        .into(),
        accompaniment: match settings.accompaniment {
            Accompaniment::Sum => wire::Accompaniment::Sum,
            Accompaniment::Minus => wire::Accompaniment::Minus,
        }
        .into(),
        allow_fallback: Some(settings.allow_fallback),
        overlap: Some(manifest.plan.overlap),
        request_id: settings.request_id.map(|id| id.to_string()).unwrap_or_default(),
        upload_offset: 0,
        file_name: settings.file_name.clone(),
        on_disconnect: match settings.on_disconnect {
            OnDisconnect::Pause => wire::OnDisconnect::Pause,
            OnDisconnect::Continue => wire::OnDisconnect::Continue,
            OnDisconnect::Cancel => wire::OnDisconnect::Cancel,
        }
        .into(),
        start_frame: 0,
        mask_extension: match settings.mask_extension {
            MaskExtension::Average => wire::MaskExtension::Average,
            MaskExtension::Zeros => wire::MaskExtension::Zeros,
        }
        .into(),
    }
}

/// How far a session is.
pub(super) fn progress(progress: session::Progress) -> wire::Progress {
    wire::Progress {
        finished_frames: progress.finished.0,
        total_frames: progress.total.unwrap_or_default().0,
        decoded_frames: progress.decoded.0,
        state: state(progress.state).into(),
        queue_position: progress.queue_position,
    }
}

/// A change of the engine.
pub(super) fn engine_change(change: &manifest::EngineChange) -> wire::EngineChange {
    wire::EngineChange {
        from: Some(engine(&change.from)),
        to: Some(engine(&change.to)),
        frame: change.frame.0,
        reason: change.reason.as_str().to_owned(),
        message: change.message.clone(),
    }
}

/// A model.
pub(super) fn model(model: &Model, health: &Health) -> wire::Model {
    let card = model.card();
    let state = match health.condition {
        Condition::Open | Condition::Probing => wire::ModelState::Broken,
        Condition::Closed if model.is_loaded() => wire::ModelState::Loaded,
        Condition::Closed => wire::ModelState::Available,
    };
    let broken = health.error.as_ref().filter(|_| state == wire::ModelState::Broken);
    wire::Model {
        name: card.name.to_string(),
        title: card.title.clone(),
        stems: card.stems.iter().map(ToString::to_string).collect(),
        sample_rate: card.sample_rate.0,
        segment_frames: card.segment.0,
        weights_sha256: card.weights_hash().0.to_vec(),
        verified: model.is_verified(),
        health: Some(engine_health(health)),
        licence: card.licence.clone(),
        state: state.into(),
        message: broken.map(ToString::to_string).unwrap_or_default(),
    }
}

/// A name of the chain that has no model.
pub(super) fn fault(fault: &Fault) -> wire::Model {
    let message = fault.error.to_string();
    wire::Model {
        name: fault.name.clone(),
        state: wire::ModelState::Broken.into(),
        message: message.clone(),
        health: Some(wire::EngineHealth {
            state: wire::EngineState::Failed.into(),
            failures: 1,
            since: None,
            reason: reason_of(&fault.error).as_str().to_owned(),
            message,
        }),
        ..wire::Model::default()
    }
}

fn engine_health(health: &Health) -> wire::EngineHealth {
    let error = health.error.as_ref();
    wire::EngineHealth {
        state: match health.condition {
            Condition::Closed => wire::EngineState::Working,
            Condition::Open => wire::EngineState::Failed,
            Condition::Probing => wire::EngineState::Probed,
        }
        .into(),
        failures: health.failures,
        since: health.since.map(Timestamp::from),
        reason: error.map(|error| reason_of(error).as_str().to_owned()).unwrap_or_default(),
        message: error.map(ToString::to_string).unwrap_or_default(),
    }
}

fn engine(engine: &manifest::Engine) -> wire::Engine {
    wire::Engine {
        model: engine.model.clone(),
        weights_sha256: hash(&engine.weights),
        verified: engine.verified,
        execution_provider: engine.provider.clone(),
        runtime: engine.runtime.clone(),
        threads: engine.threads,
        precision: engine.precision.clone(),
    }
}

fn failure(failure: &session::Failure) -> wire::SessionError {
    let (code, reason) = of_failure(failure);
    wire::SessionError {
        code: code.into(),
        reason: reason.to_owned(),
        message: failure.message.clone(),
        metadata: failure.details.clone().into_iter().collect(),
    }
}

fn state(state: State) -> wire::SessionState {
    match state {
        State::Uploading => wire::SessionState::Uploading,
        State::Running => wire::SessionState::Running,
        State::Paused => wire::SessionState::Paused,
        State::Done => wire::SessionState::Done,
        State::Failed => wire::SessionState::Failed,
        State::Cancelled => wire::SessionState::Cancelled,
    }
}

fn wire_encoding(encoding: audio::Encoding) -> wire::Encoding {
    match encoding {
        audio::Encoding::F32Le => wire::Encoding::F32le,
        audio::Encoding::S16Le => wire::Encoding::S16le,
        audio::Encoding::S24Le => wire::Encoding::S24le,
    }
}

fn hash(text: &str) -> Vec<u8> {
    text.parse::<Sha256Hash>().map(|hash| hash.0.to_vec()).unwrap_or_default()
}

fn timestamp(time: manifest::Timestamp) -> Timestamp {
    let nanos = (time.0 % 1000 * 1_000_000) as i32;
    Timestamp { seconds: i64::try_from(time.0 / 1000).unwrap_or(i64::MAX), nanos }
}

/// A position that a client names.
pub(super) fn frame(frame: u64) -> Frames {
    Frames(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut wire::SeparationConfig), expected: Result<(), &str>) {
        let mut config = wire::SeparationConfig::default();
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
            Some(wire::RawPcm { encoding, sample_rate, channels })
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
        check(|c| c.mask_extension = 2, Ok(()));
        check(|c| c.mask_extension = 3, Err("config.mask_extension"));
        check(|c| c.accompaniment = 2, Ok(()));
        check(|c| c.accompaniment = 3, Err("config.accompaniment"));
        let gain = |gain| Some(wire::OutputFormat { gain, ..wire::OutputFormat::default() });
        check(|c| c.output = gain(2.0), Ok(()));
        check(|c| c.output = gain(f32::NAN), Err("config.output.gain"));
        check(|c| c.output = gain(-1.0), Err("config.output.gain"));
    }

    #[test]
    fn labels_are_fit_to_be_shown() {
        assert_eq!(label("../a\u{1b}[31m\nb.mp3"), "../a[31mb.mp3");
        assert_eq!(label(&"x".repeat(1000)).len(), MAX_FILE_NAME_CHARS);
    }
}
