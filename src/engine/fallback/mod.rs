//! What happens when an engine fails: the chain of models to try, and circuit breakers.

pub mod chain;
pub mod circuit_breaker;
