//! Compiles the protocol, without protoc: the service to implement (tonic), and the descriptors that reflection serves.
//!
//! The messages are those of `stemwire-client`. Those between the parts of a cluster are no part of the protocol.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use protox::Compiler;

/// Where the messages between the parts of a cluster are declared.
const CLUSTER: &str = "src/cluster/proto";

const FILES: [&str; 5] = ["config", "engine", "session", "separation_service", "error_reason"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed={CLUSTER}");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut compiler = Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(FILES.map(|name| format!("stemwire/v1/{name}.proto")))?;
    fs::write(out.join("stemwire.v1.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .build_client(false)
        .extern_path(".stemwire.v1", "::stemwire_client::proto")
        .compile_fds(compiler.file_descriptor_set())?;
    let mut compiler = Compiler::new([CLUSTER])?;
    compiler.include_source_info(true);
    compiler.open_file("stemwire/cluster/v1/task_service.proto")?;
    // Samples are received without a copy.
    tonic_prost_build::configure().bytes(".").compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
