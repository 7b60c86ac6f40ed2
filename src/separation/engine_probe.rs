//! Probes failed engines, so that they are used again once they work.

use std::sync::Arc;

use super::pipeline::Context;
use crate::engine::{Chain, EngineError};

/// Submits a probe for each engine that is due. The result goes to its circuit breaker; this does not wait.
pub(super) fn round(context: &Context) {
    let breakers = context.chain.circuit_breakers();
    for name in breakers.due() {
        match context.models.find(&name) {
            Ok(model) if context.pool.has_abandoned_worker(&model) => {
                let reason = "an earlier run of it has not returned".into();
                breakers.probe_failed(&name, EngineError::Run { model: name.clone(), reason });
            }
            Ok(model) => {
                let chain = Arc::clone(&context.chain);
                let report = move |result: Result<_, EngineError>| {
                    report_to_breaker(&chain, &name, result.err())
                };
                context.pool.probe(&model, Box::new(report));
            }
            Err(error) => breakers.probe_failed(&name, error.into()),
        }
    }
}

fn report_to_breaker(chain: &Chain, name: &str, error: Option<EngineError>) {
    match error {
        None => chain.circuit_breakers().succeeded(name),
        Some(error) => {
            tracing::info!(model = name, %error, "probe failed");
            chain.circuit_breakers().probe_failed(name, error);
        }
    }
}
