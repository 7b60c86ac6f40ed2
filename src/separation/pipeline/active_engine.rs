//! The engine whose turn it is, and how it cuts the track.

use std::sync::Arc;

use super::Context;
use crate::audio::{Frames, Stereo};
use crate::dsp::Segmentation;
use crate::dsp::fade::window_shares;
use crate::dsp::segments::Blend;
use crate::engine::{Answer, EngineError, Identity, Options};
use crate::model::{Model, ModelCard};
use crate::separation::pipeline::in_flight::Sent;
use crate::separation::stem_recipe::{Pick, needs_mix, pick, picks, wanted};
use crate::session::manifest::{Columns, Engine, Manifest, Turn};

/// An engine that computes a session's segments.
pub(super) struct Player {
    model: Arc<Model>,
    windows: Segmentation,
    weights: Vec<f32>,
    /// What each frame of a window counts of the mixture, where windows are summed; empty where each
    /// counts all of it, as their mean does too.
    mix_shares: Vec<f32>,
    picks: Vec<Pick>,
    options: Options,
}

impl Player {
    /// The engine of the session's present turn.
    ///
    /// # Errors
    /// [`EngineError::UnknownModel`], [`EngineError::Card`] or [`EngineError::Load`] where the model is no
    /// longer there or no longer what it was.
    pub(super) fn find(manifest: &Manifest, context: &Context) -> Result<Player, EngineError> {
        let turn = manifest.turn();
        let model = context.catalog.find(&turn.model)?;
        let card = model.card();
        let other = |reason: String| EngineError::Load { model: card.name.to_string(), reason };
        let picks = picks(&manifest.plan.stems, &card.stems, manifest.settings.accompaniment)
            .ok_or_else(|| other("it no longer yields the session's stems".into()))?;
        let same = turn.segment == card.segment && turn.columns == columns_of(card);
        if !same || manifest.plan.model_rate != card.sample_rate {
            return Err(other(format!(
                "it sees {} frames at {} at once now, but the session was begun with {} at {}; send the \
                 song again",
                card.segment, card.sample_rate, turn.segment, manifest.plan.model_rate
            )));
        }
        let windows = windows(&turn);
        let options = Options {
            wanted: wanted(&picks, card.stems.len()),
            mask_extension: manifest.settings.mask_extension,
        };
        let mix_shares = turn.columns.map(|c| window_shares(turn.segment, c.size, c.hop));
        let mix_shares = mix_shares.unwrap_or_default();
        Ok(Player { windows, weights: windows.weights(), mix_shares, options, picks, model })
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

    /// How much each frame of a window counts.
    pub(super) fn weights(&self) -> &[f32] {
        &self.weights
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether a wanted stem is made of the mixture.
    pub(super) fn needs_mix(&self) -> bool {
        needs_mix(&self.picks)
    }

    /// The wanted stems of an answer, at the track's level, where the segment has a say; `mix` is the track
    /// there, and may be empty where it is not needed.
    pub(super) fn stems(&self, answer: Answer, sent: &Sent, mut mix: Stereo) -> Vec<Stereo> {
        let offsets = self.model.card().residual_shares.iter().copied();
        let offsets = offsets.chain(std::iter::repeat(1.0));
        let shares = self.mix_shares.iter().skip(sent.segment.trim_before);
        for plane in mix.planes_mut() {
            plane.iter_mut().zip(shares.clone()).for_each(|(sample, share)| *sample *= share);
        }
        let stems = answer.stems.into_iter().zip(offsets).zip(&self.options.wanted);
        let stems = stems.map(|((stem, share), &wanted)| match wanted {
            true => sent.level.output(&sent.segment, stem, share),
            false => Stereo::new(),
        });
        pick(&self.picks, stems.collect(), &mix)
    }
}

/// How a turn cuts the track.
pub(super) fn windows(turn: &Turn) -> Segmentation {
    let windows = match turn.columns {
        None => Segmentation::new(turn.segment, turn.overlap),
        Some(Columns { size, hop }) => Segmentation::of_spectrum(turn.segment, size, hop),
    };
    windows.from(turn.origin, turn.first)
}

/// The columns of a model whose segments are summed.
pub(in crate::separation) fn columns_of(card: &ModelCard) -> Option<Columns> {
    let frames = Frames::from_len;
    match card.blend {
        Blend::Average => None,
        Blend::Sum => card.stft.map(|s| Columns { size: frames(s.size), hop: frames(s.hop) }),
    }
}

/// What a model's numbers depend on here, as manifests keep it.
pub(in crate::separation) fn engine_of(model: &Model, context: &Context) -> Engine {
    let pool = &context.pool;
    let identity = model.identity(pool.computing(), pool.config().threads_per_worker);
    let Identity { model, weights, verified, provider, runtime, threads, precision } = identity;
    Engine {
        model: model.to_string(),
        weights: weights.to_string(),
        verified,
        provider: provider.to_string(),
        runtime,
        threads: u32::try_from(threads).unwrap_or(u32::MAX),
        precision: precision.to_string(),
    }
}
