//! An engine made of engines: each stem of an [`Ensemble`] from its members.
//!
//! A segment has the length of the longest member's. Members with shorter segments separate several that overlap, with
//! triangular weights. `other` is the mixture minus the other stems.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::stop::Stopper;
use super::{Engine, EngineError, EngineOptions, InputLevel};
use crate::audio::{Frames, Stereo};
use crate::dsp::Segmentation;
use crate::model::Model;
use crate::model::files::{Ensemble, Split};

/// Least fraction of a member's segment that overlaps the next one within a segment of the ensemble.
const LEAST_OVERLAP: f64 = 0.25;

/// The loaded members of an ensemble.
pub(super) struct EnsembleEngine {
    model: Arc<Model>,
    ensemble: Ensemble,
    members: Vec<LoadedMember>,
    stop: Arc<StopRequest>,
}

struct LoadedMember {
    engine: Box<dyn Engine>,
    /// Frames of its segment.
    length: usize,
    /// Share of the mean that each of its stems gets back.
    shares: Vec<f32>,
    /// Where its segments begin in one of the ensemble.
    starts: Vec<usize>,
}

/// A request to stop, for the member that runs and those after it.
#[derive(Default)]
struct StopRequest {
    requested: AtomicBool,
    running: Mutex<Option<Stopper>>,
}

/// Loads the members of `model`, each with `load_member`. `None` if it is no ensemble.
///
/// # Errors
/// Those of `load_member`.
pub fn load(
    model: &Arc<Model>,
    load_member: impl Fn(&Arc<Model>) -> Result<Box<dyn Engine>, EngineError>,
) -> Result<Option<Box<dyn Engine>>, EngineError> {
    let Some(ensemble) = model.ensemble() else { return Ok(None) };
    let whole = model.card().segment.as_len();
    let load = |member: &Arc<Model>| {
        let card = member.card();
        let length = card.segment.as_len();
        let shares = card.mean_shares().collect();
        Ok(LoadedMember {
            engine: load_member(member)?,
            length,
            shares,
            starts: starts(whole, length),
        })
    };
    let members: Result<Vec<_>, EngineError> = ensemble.members.iter().map(load).collect();
    Ok(Some(Box::new(EnsembleEngine {
        model: Arc::clone(model),
        ensemble: ensemble.clone(),
        members: members?,
        stop: Arc::default(),
    })))
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

impl Engine for EnsembleEngine {
    fn prepare(&mut self, options: &EngineOptions) -> Result<(), EngineError> {
        let needed = self.ensemble.needed(&options.wanted);
        for (index, member) in self.members.iter_mut().enumerate() {
            let wanted = self.ensemble.needed_of(index, &needed);
            if wanted.contains(&true) {
                member.engine.prepare(&EngineOptions {
                    wanted,
                    members: None,
                    ..options.clone()
                })?;
            }
        }
        Ok(())
    }

    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        let needed = self.ensemble.needed(&options.wanted);
        let mut stems = vec![Stereo::zeros(mix.len()); self.model.card().stems.len()];
        let [of_mix, of_vocals] = self.ensemble.steps(&needed);
        self.compute(mix, &of_mix, options, &mut stems)?;
        if let Some(Split { lead, backing }) = self.ensemble.split.filter(|of| of_vocals[of.lead]) {
            let vocals = stems[backing].clone();
            self.compute(&vocals, &of_vocals, options, &mut stems)?;
            let [lead, backing] = stems.get_disjoint_mut([lead, backing]).map_err(|error| {
                EngineError::of_run(self.model.card().name.as_str(), error.to_string())
            })?;
            add(backing, lead, -1.0);
        }
        let remainder = self.ensemble.remainder();
        if options.wanted.get(remainder) == Some(&true) {
            let mut rest = mix.clone();
            stems[..remainder].iter().for_each(|stem| add(&mut rest, stem, -1.0));
            stems[remainder] = rest;
        }
        Ok(stems)
    }

    fn stopper(&mut self) -> Option<Stopper> {
        let stop = Arc::new(StopRequest::default());
        self.stop = Arc::clone(&stop);
        Some(Arc::new(move || stop.request()))
    }
}

impl EnsembleEngine {
    /// Adds what the members make of `input` to the `needed` stems.
    fn compute(
        &mut self,
        input: &Stereo,
        needed: &[bool],
        options: &EngineOptions,
        stems: &mut [Stereo],
    ) -> Result<(), EngineError> {
        let stop = Arc::clone(&self.stop);
        for (index, member) in self.members.iter_mut().enumerate() {
            let wanted = self.ensemble.needed_of(index, needed);
            if !wanted.contains(&true) {
                continue;
            }
            let seen = options.members.as_ref();
            let level = seen.and_then(|seen| seen.levels.get(index)).copied();
            let level = level.unwrap_or(InputLevel::UNCHANGED);
            let track = seen.map_or(0..input.len(), |seen| seen.track.clone());
            let input = level.applied(input, track);
            let options = EngineOptions { wanted, members: None, ..options.clone() };
            let name = self.model.card().name.as_str();
            let mut own = member.separate(&input, &options, &stop, name)?;
            for (stem, share) in own.iter_mut().zip(&member.shares) {
                level.undo(stem, *share);
            }
            for (stem, sources) in self.ensemble.sources.iter().enumerate() {
                let share = 1.0 / sources.len() as f32;
                for source in sources.iter().filter(|of| of.member == index && needed[stem]) {
                    add(&mut stems[stem], &own[source.stem], share);
                }
            }
        }
        Ok(())
    }
}

impl StopRequest {
    fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
        if let Some(stop) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            stop();
        }
    }

    /// Begins a run of `engine`. Returns whether it may run.
    fn begin(&self, engine: &mut dyn Engine) -> bool {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = engine.stopper();
        !self.requested.load(Ordering::SeqCst)
    }
}

impl LoadedMember {
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
            if !stop.begin(self.engine.as_mut()) {
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

/// Adds a segment that begins at `start`, with a weight for each frame.
fn add_weighted(total: &mut Stereo, start: usize, segment: &Stereo, weights: &[f32]) {
    for (total, segment) in total.planes_mut().into_iter().zip(segment.planes()) {
        for ((total, sample), weight) in total[start..].iter_mut().zip(segment).zip(weights) {
            *total += weight * sample;
        }
    }
}

/// Adds `factor` times a stem.
fn add(total: &mut Stereo, stem: &Stereo, factor: f32) {
    for (total, stem) in total.planes_mut().into_iter().zip(stem.planes()) {
        total.iter_mut().zip(stem).for_each(|(total, sample)| *total += factor * sample);
    }
}
