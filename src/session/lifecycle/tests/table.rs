//! Every pair of a state and an event.

use std::collections::{HashMap, HashSet};

use super::*;

/// The state after each event (rows) in each state (columns); `.` where nothing happens.
const NEXT: &str = "
                u- u+ z- z+ y- y+ q- q+ o- o+ s- s+ p- p+ r- r+ c- c+ f- f+ w- w+ d- d+ D  F  C  X
created         q- q+ q- q+ .  .  .  .  .  .  .  .  r- r+ .  .  .  .  .  .  q- q+ .  .  .  .  .  .
resume          q- q+ q- q+ .  .  .  .  .  .  .  .  r- r+ .  .  .  .  .  .  q- q+ .  .  .  .  .  .
take-over       q- q+ q- q+ .  .  .  .  .  .  .  .  r- r+ .  .  .  .  .  .  q- q+ .  .  .  .  .  .
watcher         .  q+ .  q+ .  .  .  .  .  .  .  .  .  r+ .  .  .  .  .  .  .  q+ .  .  .  .  .  .
slot            .  .  .  .  .  .  o- o+ .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
bytes           .  .  q- q+ .  .  .  .  .  .  .  .  r- r+ .  .  .  .  .  .  q- q+ .  .  .  .  .  .
finished        u+ u+ z+ z+ y+ y+ q+ q+ o+ o+ s+ s+ p+ p+ r+ r+ c+ c+ f+ f+ w+ w+ d+ d+ D  .  .  .
refused         F  F  F  F  F  F  F  F  f- f+ f- f+ f- f+ f- f+ f- f+ .  .  F  F  F  F  .  .  .  .
idle            .  .  .  .  .  .  w- .  p- .  .  .  .  .  p- .  .  .  .  .  .  .  w- .  .  .  .  .
left-pause      .  .  .  .  .  .  w- w+ p- p+ .  .  .  .  p- p+ .  .  .  .  .  .  w- w+ .  .  .  .
left-pause+     .  .  .  .  .  .  w- .  p- .  .  .  .  .  p- .  .  .  .  .  .  .  w- .  .  .  .  .
left-continue   .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
left-continue+  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
left-cancel     .  .  .  .  .  .  C  C  c- c+ .  .  c- c+ c- c+ .  .  .  .  C  C  C  C  .  .  .  .
left-cancel+    .  .  .  .  .  .  C  C  c- c+ .  .  c- c+ c- c+ .  .  .  .  C  C  C  C  .  .  .  .
wait-pause      .  .  .  .  .  .  w- w+ p- p+ .  .  .  .  p- p+ .  .  .  .  .  .  w- w+ .  .  .  .
wait-pause+     .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
wait-continue   .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
wait-continue+  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
wait-cancel     .  .  .  .  .  .  C  C  c- c+ .  .  c- c+ c- c+ .  .  .  .  C  C  C  C  .  .  .  .
wait-cancel+    .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
late-pause      .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
late-pause+     .  q+ .  q+ .  .  .  .  .  .  .  .  .  r+ .  .  .  .  .  .  .  q+ .  .  .  .  .  .
late-continue   q- q+ q- q+ .  .  .  .  .  .  .  .  r- r+ .  .  .  .  .  .  q- q+ .  .  .  .  .  .
late-continue+  q- q+ q- q+ .  .  .  .  .  .  .  .  r- r+ .  .  .  .  .  .  q- q+ .  .  .  .  .  .
late-cancel     .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
late-cancel+    .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
abandoned       X  X  X  X  X  X  X  X  c- c+ c- c+ c- c+ c- c+ .  .  .  .  X  X  X  X  X  .  .  .
cancel          C  C  C  C  C  C  C  C  c- c+ c- c+ c- c+ c- c+ .  .  .  .  C  C  C  C  .  .  .  .
delete          X  X  X  X  X  X  X  X  c- c+ c- c+ c- c+ c- c+ .  .  .  .  X  X  X  X  X  X  X  .
run-done        .  .  .  .  .  .  .  .  D  D  D  D  D  D  D  D  D  D  F  F  .  .  .  .  .  .  .  .
run-stopped     .  .  .  .  .  .  .  .  u- u+ u- u+ w- w+ q- q+ C  C  F  F  .  .  .  .  .  .  .  .
run-delayed     .  .  .  .  .  .  .  .  d- d+ u- u+ w- w+ d- d+ C  C  F  F  .  .  .  .  .  .  .  .
run-failed      .  .  .  .  .  .  .  .  F  F  F  F  F  F  F  F  F  F  F  F  .  .  .  .  .  .  .  .
retry           .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  q- q+ .  .  .  .
window          .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  F  F  .  .  .  .  .  .
stopping        u- u+ z- z+ y- y+ u- u+ s- s+ s- s+ p- p+ s- s+ c- c+ f- f+ z- z+ y- y+ .  .  .  .
restarted       w- u+ w- w+ w- d+ .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
suspect         w- d+ w- w+ w- d+ .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
damaged         .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  q+ .  .  .
retention       .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  X  X  X  .
";

/// The actions of each change between kinds of states: from, to, the events (`*` for any), the actions.
const ACTIONS: &str = "
u q created,resume,take-over,watcher,late-pause+,late-continue,late-continue+: RestartIdleClock Enqueue
u u restarted: Settle
z q *: Persist RestartIdleClock Enqueue
w q *: Persist RestartIdleClock Enqueue
p r *:
q o slot: RestartIdleClock StartRun
u u finished: Persist
z z finished: Persist
q q finished: Persist
o o finished: Persist
s s finished: Persist
p p finished: Persist
r r finished: Persist
c c finished: Persist
f f finished: Persist
w w finished: Persist
y y finished: Persist
d d finished: Persist
D D finished: Persist
u F refused: Fail(UploadRefused) RemoveScratch
z F refused: Fail(UploadRefused) RemoveScratch
w F refused: Fail(UploadRefused) RemoveScratch
y F refused: Fail(UploadRefused) RemoveScratch
d F refused: Fail(UploadRefused) RemoveScratch
q F refused: LeaveQueue Fail(UploadRefused) RemoveScratch
o f refused: RequestStop
s f refused:
p f refused:
r f refused:
c f refused:
q w *: LeaveQueue Settle
o p *: RequestStop
r p *:
q C *: LeaveQueue Settle RemoveScratch
o c *: RequestStop
s c *:
p c *:
r c *:
u C cancel: Settle RemoveScratch
z C cancel: Settle RemoveScratch
w C *: Settle RemoveScratch
d C *: Settle RemoveScratch
y C cancel: Settle RemoveScratch
d w *: Settle
u X *: Settle RemoveScratch RemoveFiles
z X *: Settle RemoveScratch RemoveFiles
w X *: Settle RemoveScratch RemoveFiles
y X *: Settle RemoveScratch RemoveFiles
d X *: Settle RemoveScratch RemoveFiles
q X *: LeaveQueue Settle RemoveScratch RemoveFiles
D X *: RemoveFiles
D q damaged: Persist RestartIdleClock Enqueue
F X *: RemoveFiles
C X *: RemoveFiles
o D run-done: Persist RemoveScratch FreeSlot
s D run-done: Persist RemoveScratch FreeSlot
p D run-done: Persist RemoveScratch FreeSlot
r D run-done: Persist RemoveScratch FreeSlot
c D run-done: Persist RemoveScratch FreeSlot
o F run-failed: Fail(RunFailed) RemoveScratch FreeSlot
s F run-failed: Fail(RunFailed) RemoveScratch FreeSlot
p F run-failed: Fail(RunFailed) RemoveScratch FreeSlot
r F run-failed: Fail(RunFailed) RemoveScratch FreeSlot
c F run-failed: Fail(RunFailed) RemoveScratch FreeSlot
f F *: Fail(UploadRefused) RemoveScratch FreeSlot
o u run-stopped: FreeSlot
s u run-stopped,run-delayed: FreeSlot
p w run-stopped,run-delayed: Settle FreeSlot
o d run-delayed: Settle FreeSlot
r d run-delayed: Settle FreeSlot
d q retry: Persist RestartIdleClock Enqueue
r q run-stopped: FreeSlot Enqueue
c C run-stopped,run-delayed: Settle RemoveScratch FreeSlot
w F window: Fail(ResumeWindowPassed) RemoveScratch
q u stopping: LeaveQueue AnnounceShutdown
o s stopping: RequestStop AnnounceShutdown
r s stopping: AnnounceShutdown
u u stopping: AnnounceShutdown
z z stopping: AnnounceShutdown
s s stopping: AnnounceShutdown
p p stopping: AnnounceShutdown
c c stopping: AnnounceShutdown
f f stopping: AnnounceShutdown
w z stopping: AnnounceShutdown
y y stopping: AnnounceShutdown
d y stopping: AnnounceShutdown
y w restarted,suspect: Settle
y d restarted,suspect:
u w restarted,suspect: Settle
z w restarted,suspect:
u d suspect: Settle
";

fn kind(name: &str) -> &str {
    name.trim_end_matches(['-', '+'])
}

/// The actions that the table lists for a change.
fn actions(from: &str, to: &str, event: &str) -> Vec<String> {
    let (from, to) = (kind(from), kind(to));
    let lines = ACTIONS.lines().filter_map(|line| line.split_once(':'));
    let found = lines.filter(|(change, _)| {
        let words: Vec<_> = change.split(' ').collect();
        words[..2] == [from, to] && (words[2] == "*" || words[2].split(',').any(|e| e == event))
    });
    let found: Vec<_> = found.collect();
    let [(_, actions)] = found[..] else { panic!("{event}: {from} to {to}: {found:?}") };
    actions.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_event_does_in_every_state_what_the_table_lists() {
    let mut lines = NEXT.lines().filter(|line| !line.is_empty());
    let columns: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(columns, STATES.map(|(name, _)| name));
    let events: HashMap<_, _> = EVENTS.into_iter().collect();
    let states: HashMap<_, _> = STATES.into_iter().collect();
    let mut visited = HashSet::new();
    for line in lines {
        let mut cells = line.split_whitespace();
        let word = cells.next().unwrap();
        let event = *events.get(word).unwrap_or_else(|| panic!("unknown event {word}"));
        for (from, to) in columns.iter().zip(cells) {
            let (after, found) = step(states[from], event);
            let expected = if to == "." { *from } else { to };
            assert_eq!(name(after), expected, "{word} in {from}");
            let listed = match to {
                "." => vec![],
                to => actions(from, to, word),
            };
            let found: Vec<_> = found.iter().map(|action| format!("{action:?}")).collect();
            assert_eq!(found, listed, "{word} in {from}");
            assert!(visited.insert((states[from], event)), "{word} in {from} is listed twice");
        }
    }
    assert_eq!(visited.len(), STATES.len() * EVENTS.len());
}

#[test]
fn an_end_is_written_before_the_files_are_removed_from_which_the_session_could_continue() {
    for ((_, state), (_, event)) in STATES.iter().flat_map(|s| EVENTS.iter().map(move |e| (s, e))) {
        let actions = step(*state, *event).1;
        let place = |wanted: &dyn Fn(&Action) -> bool| actions.iter().position(wanted);
        if let Some(removed) = place(&|action| *action == Action::RemoveScratch) {
            let writes = [Action::Persist, Action::Settle];
            let written =
                place(&|action| writes.contains(action) || matches!(action, Action::Fail(_)));
            assert!(written.is_some_and(|written| written < removed), "{event:?} in {state:?}");
        }
    }
}
