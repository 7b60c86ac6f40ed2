//! Execution providers: how each is set, and whether it is there.

use ort::ep::{
    ArbitrarilyConfigurableExecutionProvider, ArenaExtendStrategy, CPU, CUDA,
    ExecutionProviderDispatch, OpenVINO, cuda,
};
use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::Runtime;
use crate::engine::{Execution, Precision, Provider};

/// What one engine is opened with.
#[derive(Clone)]
pub struct ExecutionConfig {
    /// The loaded library.
    pub runtime: Runtime,
    /// The provider and its precision.
    pub execution: Execution,
    /// Compute threads.
    pub threads: usize,
}

/// A graph of one node, `y = Relu(x)` for one number: opening it wakes a provider up.
const SMALLEST_GRAPH: &[u8] =
    b"\x08\x08:3\n\x0c\n\x01x\x12\x01y\"\x04Relu\x12\x01pZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\
      \n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r";

/// Sets what computes a graph. Nodes that the provider does not know are left to the CPU's kernels.
///
/// # Errors
/// What the runtime says where the provider is not there or cannot be woken up.
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
    // Left to itself it takes bf16 wherever the processor has it, and binds its threads to cores, the
    // same ones for every worker.
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
        // An exhaustive search may end differently from one start to the next, and so may the bits.
        .with_conv_algorithm_search(cuda::ConvAlgorithmSearch::Heuristic)
        .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
        .build()
        .error_on_failure()
}

impl Runtime {
    /// Wakes a provider up, which shows whether its libraries and its device are there.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn probe(&self, execution: Execution) -> Result<(), String> {
        let builder = Session::builder(self.environment()).map_err(|e| e.to_string())?;
        let builder = builder.with_intra_threads(1).map_err(|e| e.to_string())?;
        let mut builder = set(builder, execution, 1, true)?;
        builder.commit_from_memory(SMALLEST_GRAPH).map(drop).map_err(cause)
    }
}

/// What an error of the runtime says is wrong, without the place in its source that noticed it.
fn cause<T>(error: ort::Error<T>) -> String {
    without_place(&error.to_string()).to_owned()
}

fn without_place(text: &str) -> &str {
    // Then comes something like `1 : FAIL : `.
    let rest = text.split_once("[ONNXRuntimeError] : ").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.splitn(3, " : ").nth(2)).unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::onnx::Graph;

    #[test]
    fn the_cause_is_told_without_its_place() {
        let text = "/src/bridge.cc:2043 Provider& Get() [ONNXRuntimeError] : 1 : FAIL : \
                    Failed to load library x.so with error: y.so.13: cannot open : really";
        let expected = "Failed to load library x.so with error: y.so.13: cannot open : really";
        assert_eq!(without_place(text), expected);
        assert_eq!(without_place("no device"), "no device");
    }

    #[test]
    fn the_smallest_graph_is_one() {
        let graph = Graph::parse(SMALLEST_GRAPH).unwrap();
        assert_eq!((graph.port("x"), graph.port("y")), (Some(vec![1]), Some(vec![1])));
    }
}
