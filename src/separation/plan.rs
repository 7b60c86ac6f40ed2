//! Resolves a request to a model and stems.

use super::SeparationError;
use super::pipeline::{Cause, Context, Cut, engine_of};
use crate::audio::{Frames, StemName};
use crate::engine::fallback::chain::{ModelChoice, SkippedModel};
use crate::model::{Model, ModelCard};
use crate::session::manifest::{EngineChange, EngineRecord, Plan};
use crate::session::{Session, SessionError, Settings};

/// The resolved settings.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// The preferred model, if it was skipped because it does not work.
    pub(super) skipped: Option<SkippedModel>,
}

/// Resolves settings with the installed and working models.
///
/// # Errors
/// `Engine` if no model fits; `Overlap`.
pub(super) fn plan(settings: &Settings, context: &Context) -> Result<Planned, SeparationError> {
    let (chain, mut stems) = (&context.chain, settings.stems.clone());
    let mut choice = None;
    let ModelChoice { model, skipped } = match (&settings.model, settings.quality) {
        (Some(name), _) => {
            chain.named(context.models.find(name)?, &stems, settings.allow_fallback)?
        }
        (None, Some(quality)) => {
            let speed = |model: &Model| {
                let speed = context.pool.speed(model)?;
                Some(speed.real_time_factor(model.card(), settings.overlap))
            };
            let chosen = chain.by_quality(quality, &stems, &context.models, &speed)?;
            (stems, choice) = (chosen.stems, Some(chosen.reason));
            chosen.choice
        }
        (None, None) => chain.first_for(&stems)?,
    };
    let card = model.card();
    let overlap = settings.overlap.unwrap_or(card.overlap);
    if !(0.0..=ModelCard::MAX_OVERLAP).contains(&overlap) {
        return Err(SeparationError::Overlap(overlap));
    }
    let Cut { overlap, columns, windows } = Cut::of(card, settings.overlap);
    if stems.is_empty() {
        let named = settings.model.as_ref().and(skipped.as_ref());
        let named = named.and_then(|other| other.model.as_ref());
        // A substitute for a named model yields the stems of that model.
        stems.clone_from(named.map_or(&card.stems, |named| &named.card().stems));
    }
    if settings.stems.is_empty() {
        let has = |name: &str| stems.iter().any(|stem| stem.as_str() == name);
        if settings.with_accompaniment && has(StemName::VOCALS) && !has(StemName::ACCOMPANIMENT) {
            stems.push(StemName::accompaniment());
        }
    }
    let plan = Plan {
        model: card.name.to_string(),
        choice,
        model_rate: card.sample_rate,
        segment: card.segment,
        stems,
        overlap,
        columns,
        windows,
        silent_passages: true,
        late_start: true,
    };
    Ok(Planned { plan, skipped })
}

/// Records in the manifest that a session starts with another engine than the skipped one.
///
/// # Errors
/// `Engine` if the model is no longer installed; `Storage`.
pub(super) fn note(
    session: &Session,
    skipped: &SkippedModel,
    context: &Context,
) -> Result<(), SeparationError> {
    let name = session.manifest().plan.model.clone();
    let to = context.models.find(&name)?;
    let cause = Cause::of_health(&skipped.error);
    let from = skipped.model.as_ref().map(|model| engine_of(model, context));
    let change = EngineChange {
        from: from.unwrap_or_else(|| EngineRecord::unknown(&skipped.name)),
        to: engine_of(&to, context),
        frame: Frames::ZERO,
        reason: cause.reason,
        message: format!("{}; starting with {name} instead", cause.message),
    };
    let noted = change.clone();
    session
        .update(|manifest| manifest.engine_changes.push(change))
        .map_err(SessionError::Storage)?;
    context.emit(|observer| observer.engine_changed(&noted));
    Ok(())
}
