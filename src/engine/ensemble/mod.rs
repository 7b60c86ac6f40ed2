//! An engine made of engines: each stem of an [`Ensemble`] from its members.
//!
//! A segment has the length of the longest member's. Members with shorter segments separate several that overlap, with
//! triangular weights. `other` is the mixture minus the other stems.

mod member;

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{Builder, ScopedJoinHandle, scope};

use self::member::{LoadedMember, StopRequest};
use super::stop::Stopper;
use super::{Engine, EngineError, EngineOptions};
use crate::audio::Stereo;
use crate::model::Model;
use crate::model::files::{Ensemble, Split};

/// When the members of an ensemble compute a segment. The stems are the same.
#[derive(Clone, Copy)]
pub enum MemberOrder {
    /// One after the other: they compute in this process.
    InTurn,
    /// All at once, each on a thread of its own: they only wait for others that compute.
    AtOnce,
}

/// The loaded members of an ensemble.
struct EnsembleEngine {
    model: Arc<Model>,
    ensemble: Ensemble,
    members: Vec<LoadedMember>,
    order: MemberOrder,
    stop: Arc<StopRequest>,
}

/// Loads the members of `model`, each with `load_member`. They compute in this `order`. `None` if it is no ensemble.
///
/// # Errors
/// Those of `load_member`.
pub fn load(
    model: &Arc<Model>,
    order: MemberOrder,
    load_member: impl Fn(&Arc<Model>) -> Result<Box<dyn Engine>, EngineError>,
) -> Result<Option<Box<dyn Engine>>, EngineError> {
    let Some(ensemble) = model.ensemble() else { return Ok(None) };
    let whole = model.card().segment.as_len();
    let load = |(index, member): (usize, &Arc<Model>)| {
        Ok(LoadedMember::new(index, member.card(), load_member(member)?, whole))
    };
    let members: Result<Vec<_>, EngineError> =
        ensemble.members.iter().enumerate().map(load).collect();
    Ok(Some(Box::new(EnsembleEngine {
        model: Arc::clone(model),
        ensemble: ensemble.clone(),
        members: members?,
        order,
        stop: Arc::default(),
    })))
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
        let EnsembleEngine { model, ensemble, members, order, stop } = self;
        let name = model.card().name.as_str();
        let of_member = |member: &LoadedMember| {
            let wanted = ensemble.needed_of(member.index, needed);
            wanted.contains(&true).then(|| EngineOptions { wanted, ..options.clone() })
        };
        let needed_members = members.iter_mut().filter_map(|member| {
            let options = of_member(member)?;
            Some((member, options))
        });
        // Always in the order of the members: sums of floats depend on it.
        let mut add_stems = |member: usize, own: &[Stereo]| {
            for (stem, sources) in ensemble.sources.iter().enumerate() {
                let share = 1.0 / sources.len() as f32;
                for source in sources.iter().filter(|of| of.member == member && needed[stem]) {
                    add(&mut stems[stem], &own[source.stem], share);
                }
            }
        };
        match order {
            MemberOrder::InTurn => {
                for (member, options) in needed_members {
                    let own = member.separate_at_level(input, options, stop, name)?;
                    add_stems(member.index, &own);
                }
            }
            MemberOrder::AtOnce => {
                let (stop, span) = (&*stop, &tracing::Span::current());
                let all = scope(|scope| {
                    let mut threads = Vec::new();
                    for (member, options) in needed_members {
                        let index = member.index;
                        let work = move || {
                            span.in_scope(|| member.separate_at_level(input, options, stop, name))
                        };
                        let thread = Builder::new().name("member".into()).spawn_scoped(scope, work);
                        threads.push((index, thread));
                    }
                    let join = |(index, thread)| (index, stems_of(thread, name));
                    threads.into_iter().map(join).collect::<Vec<_>>()
                });
                for (member, own) in all {
                    add_stems(member, &own?);
                }
            }
        }
        Ok(())
    }
}

/// Waits for the stems of a member; panics as its thread did.
fn stems_of(
    thread: io::Result<ScopedJoinHandle<'_, Result<Vec<Stereo>, EngineError>>>,
    ensemble: &str,
) -> Result<Vec<Stereo>, EngineError> {
    let thread = thread.map_err(|error| EngineError::SystemLimit {
        model: ensemble.to_owned(),
        reason: error.to_string(),
    })?;
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Adds `factor` times a stem.
fn add(total: &mut Stereo, stem: &Stereo, factor: f32) {
    for (total, stem) in total.planes_mut().into_iter().zip(stem.planes()) {
        total.iter_mut().zip(stem).for_each(|(total, sample)| *total += factor * sample);
    }
}

#[cfg(test)]
mod tests;
