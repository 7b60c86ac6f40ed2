use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::*;
use crate::model::AvailableModels;

/// Counts the members that have begun, and answers when both have, or after a while.
#[derive(Default)]
struct Meeting {
    begun: Mutex<usize>,
    changed: Condvar,
}

/// Its stems are silent.
struct WaitingEngine {
    meeting: Arc<Meeting>,
    stems: usize,
}

impl Engine for WaitingEngine {
    fn separate(&mut self, mix: &Stereo, _: &EngineOptions) -> Result<Vec<Stereo>, EngineError> {
        let mut begun = self.meeting.begun.lock().unwrap();
        *begun += 1;
        self.meeting.changed.notify_all();
        let wait = Duration::from_secs(20);
        let (begun, waited) =
            self.meeting.changed.wait_timeout_while(begun, wait, |begun| *begun < 2).unwrap();
        drop(begun);
        assert!(!waited.timed_out(), "the other member has not begun");
        Ok(vec![Stereo::zeros(mix.len()); self.stems])
    }
}

#[test]
fn members_elsewhere_compute_at_once() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let models = tempfile::tempdir().unwrap();
    symlink(golden.join("scnet-tiny"), models.path().join("scnet-tiny")).unwrap();
    let models = AvailableModels::open(Some(models.path()));
    let model = models.find("vocals=mini+scnet-tiny,rest=mini").unwrap();
    let meeting = Arc::<Meeting>::default();
    let load = |member: &Arc<Model>| {
        let (meeting, stems) = (Arc::clone(&meeting), member.card().stems.len());
        Ok(Box::new(WaitingEngine { meeting, stems }) as Box<dyn Engine>)
    };
    let mut engine = super::load(&model, MemberOrder::AtOnce, load).unwrap().unwrap();
    let mix = Stereo::zeros(model.card().segment.as_len());
    let stems = engine.separate(&mix, &EngineOptions::all(model.card())).unwrap();
    assert_eq!(stems.len(), model.card().stems.len());
}
