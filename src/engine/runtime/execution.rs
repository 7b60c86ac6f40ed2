//! Configures execution providers and probes whether they work.

use ort::ep::{
    ArbitrarilyConfigurableExecutionProvider, ArenaExtendStrategy, CPU, CUDA,
    ExecutionProviderDispatch, OpenVINO, cuda,
};
use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::Runtime;
use crate::engine::{Execution, Precision, Provider};

/// Configuration of an engine's session.
#[derive(Clone)]
pub struct ExecutionConfig {
    /// The loaded library.
    pub runtime: Runtime,
    /// The provider and its precision.
    pub execution: Execution,
    /// Compute threads.
    pub threads: usize,
}

/// A graph of one node, `y = Relu(x)` for one number: opening it loads a provider.
const SMALLEST_GRAPH: &[u8] =
    b"\x08\x08:3\n\x0c\n\x01x\x12\x01y\"\x04Relu\x12\x01pZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\
      \n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r";

/// Sets the execution provider of a session. Nodes that the provider does not support run on the CPU.
///
/// # Errors
/// The error of the runtime if the provider is missing or fails to load.
pub(in crate::engine) fn set(
    builder: SessionBuilder,
    execution: Execution,
    threads: usize,
    arena: bool,
) -> Result<SessionBuilder, String> {
    let kernels = CPU::default().with_arena_allocator(arena).build();
    let mut providers: Vec<ExecutionProviderDispatch> = Vec::new();
    match execution.provider {
        Provider::Cpu => {}
        Provider::Openvino => providers.push(openvino(execution.precision, threads)),
        Provider::Cuda => providers.push(cuda(execution.precision)),
    }
    providers.push(kernels);
    let builder = builder.with_execution_providers(providers).map_err(cause)?;
    if execution == (Execution { provider: Provider::Cpu, precision: Precision::Bf16 }) {
        let key = "mlas.enable_gemm_fastmath_arm64_bfloat16";
        return builder.with_config_entry(key, "1").map_err(|e| e.to_string());
    }
    Ok(builder)
}

fn openvino(precision: Precision, threads: usize) -> ExecutionProviderDispatch {
    // By default OpenVINO uses bf16 if the processor has it, and binds its threads to cores, the same ones for every worker.
    let config = format!(
        r#"{{"CPU":{{"INFERENCE_PRECISION_HINT":"{precision}","INFERENCE_NUM_THREADS":"{threads}","NUM_STREAMS":"1","ENABLE_CPU_PINNING":"NO"}}}}"#
    );
    OpenVINO::default()
        .with_device_type("CPU")
        .with_arbitrary_config("load_config", config)
        .build()
        .error_on_failure()
}

fn cuda(precision: Precision) -> ExecutionProviderDispatch {
    CUDA::default()
        .with_tf32(precision == Precision::Tf32)
        // An exhaustive search may select another algorithm at the next start, with other bits.
        .with_conv_algorithm_search(cuda::ConvAlgorithmSearch::Heuristic)
        .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
        .build()
        .error_on_failure()
}

impl Runtime {
    /// Loads a provider, to check its libraries and its device.
    ///
    /// # Errors
    /// The error of the runtime.
    pub fn probe(&self, execution: Execution) -> Result<(), String> {
        let builder = Session::builder(self.environment()).map_err(|e| e.to_string())?;
        let builder = builder.with_intra_threads(1).map_err(|e| e.to_string())?;
        let mut builder = set(builder, execution, 1, true)?;
        builder.commit_from_memory(SMALLEST_GRAPH).map(drop).map_err(cause)
    }
}

/// The message of an error of the runtime, without its source location.
fn cause<T>(error: ort::Error<T>) -> String {
    without_location(&error.to_string()).to_owned()
}

fn without_location(text: &str) -> &str {
    // The rest begins with a code, such as `1 : FAIL : `.
    let rest = text.split_once("[ONNXRuntimeError] : ").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.splitn(3, " : ").nth(2)).unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::onnx::Graph;

    #[test]
    fn the_cause_has_no_source_location() {
        let text = "/src/bridge.cc:2043 Provider& Get() [ONNXRuntimeError] : 1 : FAIL : \
                    Failed to load library x.so with error: y.so.13: cannot open : really";
        let expected = "Failed to load library x.so with error: y.so.13: cannot open : really";
        assert_eq!(without_location(text), expected);
        assert_eq!(without_location("no device"), "no device");
    }

    #[test]
    fn the_smallest_graph_is_valid() {
        let graph = Graph::parse(SMALLEST_GRAPH).unwrap();
        assert_eq!((graph.port("x"), graph.port("y")), (Some(vec![1]), Some(vec![1])));
    }
}
