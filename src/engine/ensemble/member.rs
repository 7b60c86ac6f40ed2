//! One model of an ensemble: its segments within one of the ensemble, at the level that it expects.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::audio::{Frames, Stereo};
use crate::dsp::Segmentation;
use crate::engine::stop::Stopper;
use crate::engine::{Engine, EngineError, EngineOptions, InputLevel};
use crate::model::ModelCard;

/// Least fraction of a member's segment that overlaps the next one within a segment of the ensemble.
const LEAST_OVERLAP: f64 = 0.25;

/// A loaded member.
pub(super) struct LoadedMember {
    /// Its place among the members.
    pub(super) index: usize,
    pub(super) engine: Box<dyn Engine>,
    /// Frames of its segment.
    length: usize,
    /// Share of the mean that each of its stems gets back.
    shares: Vec<f32>,
    /// Where its segments begin in one of the ensemble.
    starts: Vec<usize>,
}

/// A request to stop, for the members that run and those after them.
#[derive(Default)]
pub(super) struct StopRequest {
    requested: AtomicBool,
    /// One for each member that has begun, by its place among them.
    begun: Mutex<BTreeMap<usize, Stopper>>,
}

impl LoadedMember {
    /// An engine of the model with this `card`, for segments of `whole` frames.
    pub(super) fn new(
        index: usize,
        card: &ModelCard,
        engine: Box<dyn Engine>,
        whole: usize,
    ) -> LoadedMember {
        let length = card.segment.as_len();
        let (shares, starts) = (card.mean_shares().collect(), starts(whole, length));
        LoadedMember { index, engine, length, shares, starts }
    }

    /// The member's stems for a segment of the ensemble.
    pub(super) fn separate_at_level(
        &mut self,
        mix: &Stereo,
        options: EngineOptions,
        stop: &StopRequest,
        ensemble: &str,
    ) -> Result<Vec<Stereo>, EngineError> {
        let seen = options.members.as_ref();
        let level = seen.and_then(|seen| seen.levels.get(self.index)).copied();
        let level = level.unwrap_or(InputLevel::UNCHANGED);
        let input = level.applied(mix, seen.map_or(0..mix.len(), |seen| seen.track.clone()));
        let options = EngineOptions { members: None, ..options };
        let mut own = self.separate(&input, &options, stop, ensemble)?;
        for (stem, share) in own.iter_mut().zip(&self.shares) {
            level.undo(stem, *share);
        }
        Ok(own)
    }

    /// The member's stems for a segment of the ensemble, both at the member's level.
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
        stop: &StopRequest,
        ensemble: &str,
    ) -> Result<Vec<Stereo>, EngineError> {
        let mut stems = vec![Stereo::zeros(mix.len()); options.wanted.len()];
        let window = match &self.starts[..] {
            // Each frame is in one segment.
            [_] => vec![1.0; self.length],
            _ => Segmentation::new(Frames::from_len(self.length), LEAST_OVERLAP).weights(),
        };
        let mut total = vec![0.0_f32; mix.len()];
        for &start in &self.starts {
            let input = mix.slice(start..start + self.length);
            if !stop.begin(self.index, self.engine.as_mut()) {
                let reason = "it was asked to stop".to_owned();
                return Err(EngineError::Run { model: ensemble.to_owned(), reason });
            }
            let own = self.engine.separate(&input, options)?;
            for (index, own) in own.into_iter().enumerate() {
                if options.wanted.get(index) == Some(&true) {
                    add_weighted(&mut stems[index], start, &own, &window);
                }
            }
            for (total, weight) in total[start..].iter_mut().zip(&window) {
                *total += weight;
            }
        }
        if self.starts.len() > 1 {
            for plane in stems.iter_mut().flat_map(Stereo::planes_mut) {
                plane.iter_mut().zip(&total).for_each(|(sample, total)| *sample /= total);
            }
        }
        Ok(stems)
    }
}

impl StopRequest {
    pub(super) fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *begun).values().for_each(|stop| stop());
    }

    /// Begins a run of the engine of the member with this index. Returns whether it may run.
    fn begin(&self, member: usize, engine: &mut dyn Engine) -> bool {
        if let Some(stopper) = engine.stopper() {
            self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(member, stopper);
        }
        !self.requested.load(Ordering::SeqCst)
    }
}

impl InputLevel {
    /// A segment at this level. Only the frames of `track` are changed: the others are padding, which is zero.
    fn applied(self, mix: &Stereo, track: Range<usize>) -> Stereo {
        let mut input = mix.clone();
        for sample in
            input.planes_mut().into_iter().filter_map(|p| p.get_mut(track.clone())).flatten()
        {
            *sample = (*sample - self.mean) / self.deviation;
        }
        input
    }

    /// Scales a stem back, which gets `share` of the mean.
    fn undo(self, stem: &mut Stereo, share: f32) {
        for sample in stem.planes_mut().into_iter().flatten() {
            *sample = *sample * self.deviation + share * self.mean;
        }
    }
}

/// Where segments of `length` frames begin in one of `whole` frames: as few as overlap enough, at equal distances.
fn starts(whole: usize, length: usize) -> Vec<usize> {
    let rest = whole.saturating_sub(length);
    let stride = ((1.0 - LEAST_OVERLAP) * length as f64) as usize;
    match rest.div_ceil(stride.max(1)) {
        0 => vec![0],
        steps => (0..=steps).map(|step| step * rest / steps).collect(),
    }
}

/// Adds a segment that begins at `start`, with a weight for each frame.
fn add_weighted(total: &mut Stereo, start: usize, segment: &Stereo, weights: &[f32]) {
    for (total, segment) in total.planes_mut().into_iter().zip(segment.planes()) {
        for ((total, sample), weight) in total[start..].iter_mut().zip(segment).zip(weights) {
            *total += weight * sample;
        }
    }
}
