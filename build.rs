//! Compiles the protocol, without protoc.

use std::error::Error;
use std::path::PathBuf;

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let protos = ["config", "engine", "session", "separation_service"]
        .map(|name| format!("stemwire/v1/{name}.proto"));
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(protos, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("stemwire.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".stemwire.v1.StemChunk.pcm")
        .bytes(".stemwire.v1.SeparateRequest.chunk")
        .bytes(".stemwire.v1.UploadChunkRequest.data")
        .compile_fds(descriptors)?;
    Ok(())
}
