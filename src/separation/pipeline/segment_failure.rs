//! What follows the failure of a segment: the run stops, the session is delayed, the segment is submitted again, or the next
//! engine takes over.

use super::run::Run;
use super::{RunOutcome, storage};
use crate::engine::EngineError;
use crate::proto::reason::ErrorReason;
use crate::separation::pipeline::fallback::{Cause, switch_engine};
use crate::separation::pipeline::in_flight::{InFlight, Sent};
use crate::session::Failure;

/// Delays for lack of an engine's memory, without a commit in between, after which it counts as an error of the engine: they
/// take a minute together, and another engine may need less.
const MOST_MEMORY_WAITS: u32 = 6;

impl Run<'_> {
    /// Decides what follows the failure of a segment. Returns how the run ends; `None` if the segment is computed again.
    ///
    /// # Errors
    /// The session is delayed, or fails, as no engine can continue it.
    pub(super) fn after_failure(
        &mut self,
        sent: Sent,
        error: &EngineError,
    ) -> Result<Option<RunOutcome>, Failure> {
        let delayed = |reason| Err(Failure::new(reason, error.to_string()));
        match error {
            EngineError::Cancelled | EngineError::ShuttingDown => {
                return Ok(Some(RunOutcome::Stopped));
            }
            error if error.is_shortage() && self.waits_after(error)? => {
                return delayed(ErrorReason::SystemLimit);
            }
            EngineError::Killed { .. } => return delayed(ErrorReason::ProcessKilled),
            error => self.retry_or_switch(sent, error)?,
        }
        Ok(None)
    }

    /// Whether the session is delayed after a shortage. Those of memory are counted.
    fn waits_after(&self, error: &EngineError) -> Result<bool, Failure> {
        if !matches!(error, EngineError::OutOfMemory { .. }) {
            return Ok(true);
        }
        let waits = self.session.manifest().memory_waits < MOST_MEMORY_WAITS;
        if waits {
            self.session.update(|manifest| manifest.memory_waits += 1).map_err(storage)?;
        }
        Ok(waits)
    }

    /// Retries a failed segment once; then switches to the next engine.
    fn retry_or_switch(&mut self, sent: Sent, error: &EngineError) -> Result<(), Failure> {
        if !self.is_input_extreme(&sent, error)? {
            self.context.chain.circuit_breakers().failed(self.engine.name(), error);
        }
        // A crash of its own process is the third abnormal end during the segment, so it is not retried.
        if !sent.retried && !matches!(error, EngineError::Crashed { .. }) {
            tracing::warn!(session = %self.session.id(), %error, "retrying the segment");
            return self.submit(Sent { retried: true, ..sent }, false);
        }
        let cause = Cause::of(error);
        let position = self.output.position();
        let from = self.engine.name().to_owned();
        self.engine = switch_engine(self.session, self.context, &from, &cause, position)?;
        // Results of the previous engine are no longer needed.
        self.context.pool.remove(self.session.id().as_u128());
        self.in_flight = InFlight::from(self.next);
        self.repeated_until = None;
        self.output.hand_over(&self.session.manifest());
        Ok(())
    }

    /// Whether the output is not finite because the input is extremely loud, which is not an error of the engine.
    fn is_input_extreme(&mut self, sent: &Sent, error: &EngineError) -> Result<bool, Failure> {
        if !matches!(error, EngineError::NotFinite { .. }) {
            return Ok(false);
        }
        let shown = self.track.read(sent.segment.shown.clone()).map_err(storage)?;
        Ok(error.is_of_input(&shown))
    }
}
