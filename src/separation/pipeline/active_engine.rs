//! The engine that computes a session, and how it cuts the track.

use std::sync::Arc;

use super::Context;
use crate::audio::{Frames, Stereo};
use crate::dsp::fade::window_shares;
use crate::dsp::segments::{Blend, WindowShape};
use crate::dsp::{Segment, Segmentation};
use crate::engine::{EngineError, EngineIdentity, EngineOptions, MemberInput, SeparatedSegment};
use crate::model::card::Family;
use crate::model::{Model, ModelCard};
use crate::separation::normalization::Level;
use crate::separation::stem_recipe::{StemRecipe, apply, needs_mix, recipes, wanted};
use crate::session::manifest::{Columns, EngineSpan, Manifest};

/// The levels of a segment.
pub(super) struct Levels {
    /// That at which the engine sees the track.
    pub(super) own: Level,
    /// Those at which the members of an ensemble see it.
    pub(super) members: Vec<Level>,
}

impl Levels {
    /// The track as it is.
    pub(super) const UNCHANGED: Levels = Levels { own: Level::Unchanged, members: Vec::new() };
}

/// An engine that computes a session's segments.
pub(super) struct ActiveEngine {
    model: Arc<Model>,
    windows: Segmentation,
    /// Share of the mixture that each frame of a window contributes, for models whose windows are summed. Empty for models
    /// whose windows are averaged: each frame contributes all of it.
    mix_shares: Vec<f32>,
    recipes: Vec<StemRecipe>,
    options: EngineOptions,
    /// Which of the engines of the model it is.
    identity: Option<EngineIdentity>,
}

impl ActiveEngine {
    /// The engine of the session's current span.
    ///
    /// # Errors
    /// [`EngineError::Model`] or [`EngineError::Load`] if the model has been removed or
    /// replaced by an incompatible one.
    pub(super) fn find(
        manifest: &Manifest,
        context: &Context,
    ) -> Result<ActiveEngine, EngineError> {
        let span = manifest.engine_span();
        let model = context.models.find(&span.model)?;
        let card = model.card();
        let other = |reason: String| EngineError::Load { model: card.name.to_string(), reason };
        let recipes = recipes(&manifest.plan.stems, &card.stems, manifest.settings.accompaniment)
            .ok_or_else(|| other("it no longer yields the session's stems".into()))?;
        let same = span.segment == card.segment && span.columns == Cut::of(card, None).columns;
        if !same || manifest.plan.model_rate != card.sample_rate {
            return Err(other(format!(
                "it takes {} frames at {} per segment, but the session was started with {} at {}",
                card.segment, card.sample_rate, span.segment, manifest.plan.model_rate
            )));
        }
        let windows = windows(&span);
        let options = EngineOptions {
            wanted: wanted(&recipes, card.stems.len()),
            mask_extension: manifest.settings.mask_extension,
            members: None,
        };
        let mix_shares = span.columns.map(|c| window_shares(span.segment, c.size, c.hop));
        let mix_shares = mix_shares.unwrap_or_default();
        Ok(ActiveEngine { windows, mix_shares, options, recipes, model, identity: None })
    }

    /// The same model with this engine.
    pub(super) fn by(self, identity: EngineIdentity) -> ActiveEngine {
        ActiveEngine { identity: Some(identity), ..self }
    }

    /// Which engine it is, once it is chosen.
    pub(super) fn identity(&self) -> Option<&EngineIdentity> {
        self.identity.as_ref()
    }

    pub(super) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    pub(super) fn name(&self) -> &str {
        self.model.card().name.as_str()
    }

    pub(super) fn windows(&self) -> Segmentation {
        self.windows
    }

    /// Options for a segment at these levels.
    pub(super) fn options(&self, segment: &Segment, levels: &Levels) -> EngineOptions {
        let shown = (segment.shown.end - segment.shown.start) as usize;
        let track = segment.zeros_before..segment.zeros_before + shown;
        let levels: Vec<_> = levels.members.iter().map(|level| level.linear()).collect();
        let members = (!levels.is_empty()).then_some(MemberInput { levels, track });
        EngineOptions { members, ..self.options.clone() }
    }

    /// The models that see the track: this one, or the members of an ensemble.
    pub(super) fn models(&self) -> &[Arc<Model>] {
        self.model.ensemble().map_or(std::slice::from_ref(&self.model), |of| &of.members)
    }

    /// The levels for a segment: one by card.
    pub(super) fn levels<E>(
        &self,
        mut of: impl FnMut(&ModelCard) -> Result<Level, E>,
    ) -> Result<Levels, E> {
        let levels = self.models().iter().map(|model| of(model.card()));
        let mut levels = levels.collect::<Result<Vec<_>, E>>()?;
        Ok(match self.model.ensemble() {
            Some(_) => Levels { own: Level::Unchanged, members: levels },
            None => Levels { own: levels.pop().unwrap_or(Level::Unchanged), members: Vec::new() },
        })
    }

    /// Whether a wanted stem needs the mixture.
    pub(super) fn needs_mix(&self) -> bool {
        needs_mix(&self.recipes)
    }

    /// The wanted stems of a separated segment, at the level of the track, for the frames of its span. `mix` is the track
    /// there, and may be empty if it is not needed.
    pub(super) fn stems(
        &self,
        answer: SeparatedSegment,
        segment: &Segment,
        level: Level,
        mut mix: Stereo,
    ) -> Vec<Stereo> {
        let offsets = self.model.card().mean_shares();
        let shares = self.mix_shares.iter().skip(segment.trim_before);
        for plane in mix.planes_mut() {
            plane.iter_mut().zip(shares.clone()).for_each(|(sample, share)| *sample *= share);
        }
        let stems = answer.stems.into_iter().zip(offsets).zip(&self.options.wanted);
        let stems = stems.map(|((stem, share), &wanted)| match wanted {
            true => level.output(segment, stem, share),
            false => Stereo::new(),
        });
        apply(&self.recipes, stems.collect(), &mix)
    }
}

/// How an engine span cuts the track.
pub(super) fn windows(span: &EngineSpan) -> Segmentation {
    let windows = match (span.columns, span.windows) {
        (Some(Columns { size, hop }), _) => Segmentation::of_spectrum(span.segment, size, hop),
        (None, WindowShape::Centred) => Segmentation::new(span.segment, span.overlap),
        (None, WindowShape::Mirrored) => Segmentation::mirrored(span.segment, parts(span.overlap)),
        (None, WindowShape::Hann { margin }) => {
            Segmentation::hann(span.segment, span.overlap, margin)
        }
    };
    windows.from(span.origin, span.first)
}

/// How a model cuts tracks.
pub(in crate::separation) struct Cut {
    pub(in crate::separation) overlap: f64,
    /// The spectral columns of a model whose segments are summed.
    pub(in crate::separation) columns: Option<Columns>,
    pub(in crate::separation) windows: WindowShape,
}

impl Cut {
    /// Least overlap from which on a model whose reference mirrors the track is cut as by the reference.
    const LEAST_MIRRORED: f64 = 0.5;

    /// With the overlap that is asked for, unless the model fixes it, or that of the card. The overlap of mirrored windows is
    /// rounded to one half, two thirds, three quarters, …
    pub(in crate::separation) fn of(card: &ModelCard, asked: Option<f64>) -> Cut {
        let frames = Frames::from_len;
        let summed = card.stft.filter(|_| card.blend == Blend::Sum);
        let columns = summed.map(|s| Columns { size: frames(s.size), hop: frames(s.hop) });
        let overlap = asked.filter(|_| columns.is_none()).unwrap_or(card.overlap);
        if let (Family::Mdx, Some(stft)) = (card.family, card.stft) {
            let margin = frames(stft.size / 2);
            return Cut { overlap, columns, windows: WindowShape::Hann { margin } };
        }
        if card.family.has_mirrored_windows() && overlap >= Cut::LEAST_MIRRORED {
            let overlap = 1.0 - 1.0 / parts(overlap) as f64;
            return Cut { overlap, columns, windows: WindowShape::Mirrored };
        }
        Cut { overlap, columns, windows: WindowShape::Centred }
    }
}

/// How many mirrored windows overlap in each frame.
fn parts(overlap: f64) -> u64 {
    (1.0 / (1.0 - overlap)).round() as u64
}
