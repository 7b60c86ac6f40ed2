//! Isolated engines whose processes are shell scripts.

use super::*;
use crate::model::AvailableModels;

const LONG: Duration = Duration::from_secs(600);

/// The error of an engine whose process runs this script: at its start, or of a segment. `say` writes a message.
fn error_of(script: &str) -> EngineError {
    let model = AvailableModels::open(None).find("mini").unwrap();
    let say = r#"say() { printf '\nstemwire-compute %s\n' "$*"; }; "#;
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{say}{script}")]);
    let mut engine = match IsolatedEngine::start(&mut command, &model, LONG) {
        Ok(engine) => engine,
        Err(error) => return error,
    };
    let options = EngineOptions::all(model.card());
    engine.separate(&Stereo::zeros(4), &options).unwrap_err()
}

#[test]
fn a_fault_of_the_process_is_evidence_and_a_kill_is_none() {
    for signal in ["SEGV", "ABRT", "BUS", "ILL", "FPE"] {
        for script in [format!("kill -{signal} $$"), format!("say loaded; kill -{signal} $$")] {
            let error = error_of(&script);
            let name = format!("SIG{signal}");
            assert!(
                matches!(&error, EngineError::Crashed { signal, .. } if *signal == name),
                "{script}: {error}"
            );
        }
    }
    // Not SIGINT: a shell in the background of another ignores it.
    for signal in ["KILL", "TERM"] {
        let error = error_of(&format!("say loaded; kill -{signal} $$"));
        assert!(matches!(error, EngineError::Killed { .. }), "{signal}: {error}");
    }
}

#[test]
fn memory_that_runs_out_is_no_fault() {
    let error =
        error_of("say loaded; echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$");
    assert!(matches!(error, EngineError::SystemLimit { .. }), "{error}");
}

#[test]
fn an_error_of_the_engine_is_what_it_is_in_this_process() {
    let failed = |script: &str| error_of(script).to_string();
    assert_eq!(failed("say failed no such file"), "model mini cannot be loaded: no such file");
    let lacking = error_of("say failed std::bad_alloc");
    assert!(matches!(lacking, EngineError::OutOfMemory { .. }), "{lacking}");
    let request = "read line; head -c 32 >/dev/null; ";
    let segment = |answer: &str| failed(&format!("say loaded; {request}{answer}; read line"));
    assert_eq!(segment("say failed no luck"), "model mini failed on a segment: no luck");
    assert_eq!(segment("say not-finite"), "model mini returned numbers that are not finite");
    let wrong = segment("say stems 4 4131058926; printf 1234");
    assert_eq!(wrong, "model mini failed on a segment: its process answered out of turn");
    assert!(segment("exit 3").ends_with("its process ended with exit status: 3"));
}

#[test]
fn a_stopped_engine_is_killed() {
    let model = AvailableModels::open(None).find("mini").unwrap();
    let script = "printf '\\nstemwire-compute loaded\\n'; exec sleep 600";
    let mut engine =
        IsolatedEngine::start(Command::new("sh").args(["-c", script]), &model, LONG).unwrap();
    let stop = engine.stopper().unwrap();
    stop();
    let options = EngineOptions::all(model.card());
    let error = engine.separate(&Stereo::zeros(4), &options).unwrap_err();
    assert!(matches!(error, EngineError::Killed { .. }), "{error}");
}
