//! Switches a session to the next engine of the chain when the current one cannot continue.

use std::sync::Arc;

use super::{Context, storage};
use crate::audio::Frames;
use crate::engine::EngineError;
use crate::engine::fallback::chain::NoSuccessor;
use crate::model::Model;
use crate::proto::reason::{ChangeReason, ErrorReason};
use crate::separation::pipeline::active_engine::{ActiveEngine, Cut};
use crate::separation::pipeline::engine_choice::{
    EngineChoice, choose, engine_of, record_of, same,
};
use crate::session::manifest::{EngineChange, EngineRecord, Manifest, Successor};
use crate::session::{Failure, Session};

/// The cause of a switch to another engine.
pub(in crate::separation) struct Cause {
    pub(in crate::separation) reason: ChangeReason,
    pub(in crate::separation) message: String,
}

impl Cause {
    /// An error that occurred twice.
    pub(super) fn of(error: &EngineError) -> Cause {
        Cause { reason: reason_of(error), message: error.to_string() }
    }

    /// The cause if the engine that a session was to start with is unhealthy.
    pub(in crate::separation) fn of_health(error: &EngineError) -> Cause {
        match Cause::of(error) {
            cause if cause.reason == ChangeReason::ModelUnavailable => cause,
            cause => Cause { reason: ChangeReason::BreakerOpen, ..cause },
        }
    }
}

/// The change reason of an engine error.
pub fn reason_of(error: &EngineError) -> ChangeReason {
    match error {
        EngineError::NotFinite { .. } => ChangeReason::EngineNotFinite,
        EngineError::TimedOut { .. } => ChangeReason::EngineTimeout,
        EngineError::Panicked { .. } => ChangeReason::EnginePanicked,
        EngineError::Crashed { .. } => ChangeReason::EngineCrashed,
        EngineError::Run { .. }
        | EngineError::Killed { .. }
        | EngineError::OutOfMemory { .. }
        | EngineError::SystemLimit { .. }
        | EngineError::Cancelled
        | EngineError::ShuttingDown => ChangeReason::EngineFailed,
        EngineError::Model(_)
        | EngineError::NoModelForStems { .. }
        | EngineError::Load { .. }
        | EngineError::NoneWorks { .. } => ChangeReason::ModelUnavailable,
    }
}

/// The engine of the current span; the next one of the chain if it cannot be loaded, or if it is unhealthy and another
/// one is healthy.
pub(super) fn active_engine(
    session: &Session,
    context: &Context,
    position: Frames,
) -> Result<ActiveEngine, Failure> {
    let manifest = session.manifest();
    let engine = match ActiveEngine::find(&manifest, context) {
        Ok(engine) => engine,
        Err(error) => {
            let from = manifest.engine_span().model;
            return switch_engine(session, context, &from, &Cause::of(&error), position);
        }
    };
    if manifest.repeated_until().is_some() {
        // It did compute this span, as the manifest records.
        let identity = same(&manifest, engine.model(), &context.pool)?;
        return Ok(engine.by(identity));
    }
    let health = context.chain.health(engine.model());
    let cause = if context.chain.circuit_breakers().is_closed(engine.name()) {
        None
    } else {
        health.error.as_ref().map(Cause::of_health)
    };
    if let Some(cause) = cause
        && manifest.settings.allow_fallback
        && successor(&manifest, context, engine.name()).is_ok()
    {
        return switch_engine(session, context, engine.name(), &cause, position);
    }
    match choose(&manifest, engine.model(), &context.pool) {
        EngineChoice::Compute(identity) => {
            identify(session, record_of(identity.clone(), engine.model(), context), context)?;
            Ok(engine.by(identity))
        }
        EngineChoice::Missing(failure) if next_at_hand(&manifest, context).is_some() => {
            let cause = Cause { reason: ChangeReason::ModelUnavailable, message: failure.message };
            switch_engine(session, context, engine.name(), &cause, position)
        }
        EngineChoice::Wait(failure) | EngineChoice::Missing(failure) => Err(failure),
    }
}

/// Whether a session that waits for an engine can continue.
pub(in crate::separation) fn has_engine(manifest: &Manifest, context: &Context) -> bool {
    let Ok(model) = context.models.find(&manifest.engine_span().model) else { return true };
    match choose(manifest, &model, &context.pool) {
        EngineChoice::Compute(_) => true,
        EngineChoice::Wait(_) => false,
        EngineChoice::Missing(_) => next_at_hand(manifest, context).is_some(),
    }
}

/// The next model of the chain that a machine has, for a session that may fall back.
fn next_at_hand(manifest: &Manifest, context: &Context) -> Option<Arc<Model>> {
    let may = manifest.settings.allow_fallback && manifest.repeated_until().is_none();
    let next = may.then(|| successor(manifest, context, &manifest.engine_span().model))?.ok()?;
    (!context.pool.engines(&next).is_empty()).then_some(next)
}

/// Switches the session to the next engine of the chain, which begins at `position`, and records the change.
///
/// # Errors
/// The failure of the session if there is no next engine.
pub(super) fn switch_engine(
    session: &Session,
    context: &Context,
    from: &str,
    cause: &Cause,
    position: Frames,
) -> Result<ActiveEngine, Failure> {
    let manifest = session.manifest();
    if !manifest.settings.allow_fallback {
        let text = format!("{}, and the request does not allow fallback", cause.message);
        return Err(
            failure(&manifest, cause, text).with_remedy("Allow fallback, or name another model.")
        );
    }
    let model = successor(&manifest, context, from).map_err(|none| match none {
        NoSuccessor::LacksStem(yields) => {
            let text = format!(
                "{}, and no other engine yields every wanted stem: {yields}",
                cause.message
            );
            Failure::new(ErrorReason::NoFallbackForStem, text)
                .with("segment", manifest.commit.segments)
        }
        NoSuccessor::NoneWorks(faults) => {
            let text = format!("{}, and no other engine works: {faults}", cause.message);
            failure(&manifest, cause, text)
                .with_remedy("Run `stemwire doctor` on the machine that computes.")
        }
    })?;
    let card = model.card();
    let to = engine_of(&model, context);
    let message = format!("{}; continuing with {}", cause.message, card.name);
    tracing::warn!(session = %session.id(), reason = cause.reason.as_str(), %message, "switching to another engine");
    let change = EngineChange {
        from: before(&manifest, context, from),
        to: to.clone(),
        frame: manifest.commit.stems,
        reason: cause.reason,
        message,
    };
    let Cut { overlap, columns, windows } = Cut::of(card, manifest.settings.overlap);
    let successor = Successor { engine: to, segment: card.segment, overlap, columns, windows };
    session
        .update(|manifest| {
            note_unverified(manifest, &successor.engine);
            manifest.begin_span(successor, position);
            manifest.engine_changes.push(change.clone());
        })
        .map_err(storage)?;
    context.emit(|observer| observer.engine_changed(&change));
    let found = ActiveEngine::find(&session.manifest(), context);
    let unavailable =
        |error: EngineError| Failure::new(ErrorReason::ModelUnavailable, error.to_string());
    let engine = found.map_err(unavailable)?;
    match choose(&session.manifest(), engine.model(), &context.pool) {
        EngineChoice::Compute(identity) => Ok(engine.by(identity)),
        EngineChoice::Wait(failure) | EngineChoice::Missing(failure) => Err(failure),
    }
}

/// The next model of the chain: one that a machine has now, if there is one.
fn successor(
    manifest: &Manifest,
    context: &Context,
    from: &str,
) -> Result<Arc<Model>, NoSuccessor> {
    let tried = manifest.engine_changes.iter().map(|change| change.from.model.clone());
    let tried: Vec<String> = tried.collect();
    let next = |tried: &[String]| {
        context.chain.successor(from, tried, &manifest.plan.stems, manifest.plan.model_rate)
    };
    let idle = context.chain.models().iter().filter(|model| context.pool.engines(model).is_empty());
    let idle = idle.map(|model| model.card().name.to_string());
    let with_idle: Vec<_> = tried.iter().cloned().chain(idle).collect();
    next(&with_idle).or_else(|_| next(&tried))
}

/// The engine that is replaced, as recorded.
fn before(manifest: &Manifest, context: &Context, from: &str) -> EngineRecord {
    let known = manifest.engine.clone().filter(|engine| engine.model == from);
    let found = || context.models.find(from).ok().map(|model| engine_of(&model, context));
    known.or_else(found).unwrap_or_else(|| EngineRecord::unknown(from))
}

/// The failure of a session without a next engine.
fn failure(manifest: &Manifest, cause: &Cause, text: String) -> Failure {
    let begun = manifest.commit.segments > 0;
    let reason = match cause.reason {
        ChangeReason::ModelUnavailable if !begun => ErrorReason::ModelUnavailable,
        _ => ErrorReason::EngineFailed,
    };
    Failure::new(reason, text).with("segment", manifest.commit.segments)
}

/// Records the engine that computes, and a change if another one has computed before.
fn identify(session: &Session, engine: EngineRecord, context: &Context) -> Result<(), Failure> {
    let manifest = session.manifest();
    if manifest.engine.as_ref() == Some(&engine) {
        return Ok(());
    }
    session
        .update(|manifest| {
            note_unverified(manifest, &engine);
            let before = manifest.engine.replace(engine.clone());
            let had_frames = manifest.commit.segments > 0 || manifest.recomputed > 0;
            if let Some(change) = manifest.engine_changes.last_mut()
                && change.to.is_unknown()
            {
                change.to.clone_from(&engine);
            }
            let known = before.filter(|before| had_frames && !before.is_unknown());
            let Some(from) = known else { return };
            let (reason, message) = if from.weights != engine.weights {
                (
                    ChangeReason::ModelReplaced,
                    "the model's weights were replaced; the remaining frames are computed with the new ones",
                )
            } else if context.pool.runtime().is_none() {
                (
                    ChangeReason::WorkersChanged,
                    "no worker computes as before any more; the remaining frames may differ in the last bits",
                )
            } else {
                (
                    ChangeReason::ServerRestarted,
                    "the server was restarted with another library or number of threads; the \
                     remaining frames may differ in the last bits",
                )
            };
            let (to, frame) = (engine, manifest.commit.stems);
            let message = message.into();
            manifest.engine_changes.push(EngineChange { from, to, frame, reason, message });
        })
        .map_err(storage)
}

/// Adds a notice if the weights of an engine are not verified.
fn note_unverified(manifest: &mut Manifest, engine: &EngineRecord) {
    if engine.verified || engine.is_unknown() {
        return;
    }
    let text =
        format!("the weights of {} (SHA-256 {}) are not verified", engine.model, engine.weights);
    // By the hash: earlier versions wrote another text.
    if !manifest.notices.iter().any(|notice| notice.contains(&engine.weights)) {
        manifest.notices.push(text);
    }
}
