//! Engines: their stems against the reference implementations, and how they stop.

mod isolated;
mod parity;
mod parity_mdx;
mod parity_roformer;
mod parity_scnet;
mod parity_spleeter;
mod plain_onnx;
mod stopping;
