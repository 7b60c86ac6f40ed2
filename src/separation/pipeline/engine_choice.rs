//! Which of the engines of a model computes a session.
//!
//! The bytes of a session depend on its engine, so it keeps to the one that it has begun with. Where other machines compute, that
//! one may be lost: the session is paused until it is back. After some time it continues with another engine of the model, or,
//! if there is none and the request allows fallback, with another model.

use std::sync::Arc;
use std::time::Duration;

use super::Context;
use super::active_engine::ActiveEngine;
use crate::engine::EngineIdentity;
use crate::engine::pool::Pool;
use crate::model::{Model, Sha256Hash};
use crate::proto::reason::ErrorReason;
use crate::session::manifest::{EngineRecord, MemberRecord};
use crate::session::{Failure, Manifest};

/// Time for which a session waits for an engine that is lost: a worker that is started again, with its model, takes less.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time without an engine after which a session that waits for segments is paused. A worker that replaces another takes less.
const PAUSE_AFTER: Duration = Duration::from_secs(3);

/// The engine of a session's model.
#[derive(Debug, PartialEq)]
pub(super) enum EngineChoice {
    /// This one computes.
    Compute(EngineIdentity),
    /// It is waited for.
    Wait(Failure),
    /// No machine has any, and there has been time for one to come.
    Missing(Failure),
}

/// Chooses the engine of `model` for a session.
pub(super) fn choose(manifest: &Manifest, model: &Model, pool: &Pool) -> EngineChoice {
    let engines = pool.engines(model);
    let recorded = recorded(manifest, model);
    if let Some(recorded) = recorded {
        if engines.contains(&recorded) {
            return EngineChoice::Compute(recorded);
        }
        if pool.absent(model, Some(&recorded)) < PATIENCE {
            return EngineChoice::Wait(lacks(model, Some(&recorded)));
        }
    }
    match engines.into_iter().next() {
        Some(first) => EngineChoice::Compute(first),
        None if pool.absent(model, None) < PATIENCE => EngineChoice::Wait(lacks(model, None)),
        None => EngineChoice::Missing(lacks(model, None)),
    }
}

/// The engine that is to compute again what it has computed, which no other may do.
pub(super) fn same(
    manifest: &Manifest,
    model: &Model,
    pool: &Pool,
) -> Result<EngineIdentity, Failure> {
    let recorded = recorded(manifest, model);
    let mut engines = pool.engines(model).into_iter();
    let found = engines.find(|engine| recorded.as_ref().is_none_or(|recorded| recorded == engine));
    found.ok_or_else(|| lacks(model, recorded.as_ref()))
}

/// Why what `engine` computes will not come, if no machine has it any more.
pub(super) fn loss(engine: &ActiveEngine, pool: &Pool) -> Option<Failure> {
    let (model, identity) = (engine.model(), engine.identity()?);
    let is_lost = pool.absent(model, Some(identity)) >= PAUSE_AFTER;
    is_lost.then(|| lacks(model, Some(identity)))
}

/// The engine with which a session has begun a model, if it still has these weights.
fn recorded(manifest: &Manifest, model: &Model) -> Option<EngineIdentity> {
    let card = model.card();
    let changes = manifest.engine_changes.iter().rev();
    let mut records = manifest.engine.iter().chain(changes.flat_map(|one| [&one.to, &one.from]));
    let record = records.find(|record| record.model == card.name.as_str())?;
    let weights = card.weights_hash();
    if record.weights.parse::<Sha256Hash>().ok()? != weights {
        return None;
    }
    Some(EngineIdentity {
        model: card.name.clone(),
        weights,
        verified: model.is_verified(),
        // An engine of which only the model is known has none.
        provider: record.provider.parse().ok()?,
        runtime: record.runtime.clone(),
        threads: record.threads as usize,
        precision: record.precision.parse().ok()?,
    })
}

fn lacks(model: &Model, engine: Option<&EngineIdentity>) -> Failure {
    let name = &model.card().name;
    let text = match engine {
        None => format!("no worker has {name}"),
        Some(EngineIdentity { provider, precision, runtime, threads, .. }) => {
            format!(
                "no worker computes {name} with {provider} {precision}, {runtime} and {threads} threads"
            )
        }
    };
    Failure::new(ErrorReason::NoWorker, text)
}

/// The preferred engine of a model, for the manifest. Where no machine has one, only its name is known.
pub(in crate::separation) fn engine_of(model: &Model, context: &Context) -> EngineRecord {
    match context.pool.engines(model).into_iter().next() {
        Some(engine) => record_of(engine, model, context),
        None => EngineRecord::unknown(model.card().name.as_str()),
    }
}

/// An engine with everything else that its output depends on here, for the manifest.
pub(super) fn record_of(engine: EngineIdentity, model: &Model, context: &Context) -> EngineRecord {
    let members = model.ensemble().map(|ensemble| ensemble.members.iter());
    let member = |model: &Arc<Model>| member_of(model, &engine, context);
    let members = members.into_iter().flatten().map(member).collect();
    let EngineIdentity { model, weights, verified, provider, runtime, threads, precision } = engine;
    EngineRecord {
        model: model.to_string(),
        weights: weights.to_string(),
        verified,
        provider: provider.to_string(),
        runtime,
        threads: u32::try_from(threads).unwrap_or(u32::MAX),
        precision: precision.to_string(),
        members,
    }
}

/// A member of the ensemble that `engine` computes.
fn member_of(model: &Model, engine: &EngineIdentity, context: &Context) -> MemberRecord {
    let own = context.pool.member_engine(model, engine);
    let EngineRecord { model, weights, verified, provider, precision, .. } = match own {
        Some(own) => record_of(own, model, context),
        None => EngineRecord::unknown(model.card().name.as_str()),
    };
    MemberRecord { model, weights, verified, provider, precision }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::pool::{Dispatcher, OwnerId, Task};
    use crate::engine::{Precision, Provider};
    use crate::model::{AvailableModels, ModelName};
    use crate::session::manifest::Plan;
    use crate::session::{SessionId, Settings};

    /// Machines with engines of so many threads; all others have been lost for some time.
    struct Machines {
        threads: Vec<usize>,
        lost: Duration,
    }

    impl Dispatcher for Machines {
        fn submit(&self, _: OwnerId, _: Task) {}
        fn remove(&self, _: OwnerId) {}
        fn has_abandoned_worker(&self, _: &ModelName) -> bool {
            false
        }
        fn lanes(&self) -> usize {
            self.threads.len()
        }
        fn engines(&self, model: &Model) -> Vec<EngineIdentity> {
            self.threads.iter().map(|&threads| engine(model, threads)).collect()
        }
        fn absent(&self, _: &Model, _: Option<&EngineIdentity>) -> Duration {
            self.lost
        }
    }

    fn engine(model: &Model, threads: usize) -> EngineIdentity {
        EngineIdentity {
            model: model.card().name.clone(),
            weights: model.card().weights_hash(),
            verified: model.is_verified(),
            provider: Provider::Cpu,
            runtime: "a library".into(),
            threads,
            precision: Precision::F32,
        }
    }

    /// The threads of the engine that computes a session; 0 if it waits, 99 if none is waited for.
    fn chosen(begun: Option<usize>, threads: &[usize], lost_s: u64) -> usize {
        let model = AvailableModels::open(None).find("mini").unwrap();
        let plan = Plan { model: "mini".into(), ..Plan::for_test(&["vocals"]) };
        let mut manifest = Manifest::new(SessionId::random(), Settings::default(), plan);
        manifest.engine = begun.map(|threads| EngineRecord {
            weights: model.card().weights_hash().to_string(),
            provider: "cpu".into(),
            runtime: "a library".into(),
            precision: "f32".into(),
            threads: threads as u32,
            ..EngineRecord::unknown("mini")
        });
        let machines = Machines { threads: threads.to_vec(), lost: Duration::from_secs(lost_s) };
        match choose(&manifest, &model, &Pool::by(Box::new(machines))) {
            EngineChoice::Compute(engine) => engine.threads,
            EngineChoice::Wait(failure) => {
                assert_eq!(failure.reason, ErrorReason::NoWorker);
                0
            }
            EngineChoice::Missing(_) => 99,
        }
    }

    #[test]
    fn a_session_keeps_to_its_engine_and_waits_for_it() {
        assert_eq!(chosen(None, &[4, 2], 99), 4);
        assert_eq!(chosen(Some(2), &[4, 2], 99), 2);
        assert_eq!(chosen(Some(2), &[4], 29), 0);
        assert_eq!(chosen(Some(2), &[4], 30), 4);
        for begun in [None, Some(2)] {
            assert_eq!(chosen(begun, &[], 29), 0);
            assert_eq!(chosen(begun, &[], 30), 99);
        }
    }
}
