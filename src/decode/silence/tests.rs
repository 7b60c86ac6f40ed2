use proptest::prelude::*;

use super::*;

const RATE: Hertz = Hertz(8_000);
const LEAST: usize = 400;

fn edges(detector: &mut SilenceDetector, audio: &Stereo, cuts: &[usize]) -> Vec<SilenceEdge> {
    let mut found = Vec::new();
    let mut at = 0;
    for cut in cuts.iter().copied().chain([audio.len()]) {
        let end = (at + cut).min(audio.len());
        detector.push(&audio.slice(at..end));
        found.extend(detector.take_edges());
        at = end;
    }
    detector.finish();
    found.extend(detector.take_edges());
    found
}

/// The passages of a whole channel: start, and end unless it is that of the channel.
fn passages(samples: &[f32]) -> Vec<(usize, Option<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < samples.len() {
        let end = (at..samples.len()).find(|&end| samples[end] != 0.0).unwrap_or(samples.len());
        if end - at >= LEAST || end - at == samples.len() {
            found.push((at, (end < samples.len()).then_some(end)));
        }
        at = end + 1;
    }
    found
}

fn of_channel(edges: &[SilenceEdge], channel: usize) -> Vec<(usize, Option<usize>)> {
    let mut found: Vec<(usize, Option<usize>)> = Vec::new();
    for edge in edges.iter().filter(|edge| edge.channel == channel) {
        assert_eq!(edge.track, edge.source);
        match edge.kind {
            EdgeKind::Start => found.push((edge.track.as_len(), None)),
            EdgeKind::End => found.last_mut().unwrap().1 = Some(edge.track.as_len()),
        }
    }
    found
}

/// Runs of zeros and of sound, of lengths around the shortest passage.
fn channel() -> impl Strategy<Value = Vec<f32>> {
    let length = prop_oneof![1..8_usize, LEAST - 2..LEAST + 3, 1..3 * LEAST];
    let run = (any::<bool>(), length);
    prop::collection::vec(run, 0..12).prop_map(|runs| {
        let sample = |is_zero: bool, at: usize| match (is_zero, at % 2) {
            (true, 0) => 0.0,
            (true, _) => -0.0,
            (false, at) => 1e-9 * (at as f32 + 1.0),
        };
        runs.iter()
            .flat_map(|&(zero, length)| (0..length).map(move |at| sample(zero, at)))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]
    #[test]
    fn edges_are_those_of_the_whole_channels_whatever_the_blocks(
        mut left in channel(),
        mut right in channel(),
        cuts in prop::collection::vec(0..2 * LEAST, 0..20),
    ) {
        let frames = left.len().max(right.len());
        left.resize(frames, 0.5);
        right.resize(frames, 0.5);
        let audio = Stereo::from_planes(left, right).unwrap();
        let detector = || SilenceDetector::new(RATE, RATE);
        let found = edges(&mut detector(), &audio, &cuts);
        for (channel, samples) in audio.planes().into_iter().enumerate() {
            prop_assert_eq!(of_channel(&found, channel), passages(samples));
        }
        let known: Vec<Frames> = found.iter().map(|edge| edge.known_at(RATE)).collect();
        prop_assert!(known.is_sorted() || frames < LEAST, "{:?}", known);
        prop_assert_eq!(found, edges(&mut detector(), &audio, &[]));
    }
}

#[test]
fn edges_that_are_known_at_the_same_frame_come_by_channel() {
    let [mut left, mut right] = [vec![0.5; LEAST + 1], vec![0.0; 2 * LEAST]];
    left.resize(2 * LEAST + 1, 0.0);
    right.push(0.5);
    let audio = Stereo::from_planes(left, right).unwrap();
    let found = edges(&mut SilenceDetector::new(RATE, RATE), &audio, &[]);
    let known: Vec<_> = found.iter().map(|edge| (edge.known_at(RATE).0, edge.channel)).collect();
    assert_eq!(known, [(400, 1), (801, 0), (801, 1)]);
}

fn sound(frames: usize) -> Stereo {
    Stereo::from_planes(vec![0.1; frames], vec![0.1; frames]).unwrap()
}

#[track_caller]
fn check_mapped(source: u32, track: u32, start: usize, length: usize, expected: (u64, u64)) {
    let mut audio = sound(start);
    audio.extend(&Stereo::zeros(length));
    audio.extend(&sound(100));
    let found = edges(&mut SilenceDetector::new(Hertz(source), Hertz(track)), &audio, &[]);
    let [from, until] = [&found[0], &found[2]];
    assert_eq!((from.track, until.track), (Frames(expected.0), Frames(expected.1)));
    let frames = Frames::from_len;
    assert_eq!((from.source, until.source), (frames(start), frames(start + length)));
}

#[test]
fn positions_at_other_rates_are_rounded_into_the_passage() {
    check_mapped(48_000, 44_100, 1000, 9000, (919, 9187));
    check_mapped(44_100, 44_100, 1000, 9000, (1000, 10_000));
    check_mapped(22_050, 44_100, 1001, 9000, (2002, 20_002));
    check_mapped(96_000, 44_100, 160, 9600, (74, 4483));
}

#[test]
fn a_passage_continues_across_a_change_of_rate() {
    let track = Hertz(44_100);
    let mut detector = SilenceDetector::new(Hertz(48_000), track);
    let mut first = sound(24_000);
    first.extend(&Stereo::zeros(1600));
    detector.push(&first);
    assert_eq!(detector.take_edges(), []);
    // A third of the shortest passage is in the second run.
    detector.change_rate(Hertz(22_050), Frames(25_600).resampled(Hertz(48_000), track));
    let mut second = Stereo::zeros(400);
    second.extend(&sound(10));
    detector.push(&second);
    let found = detector.take_edges();
    let left: Vec<_> = found.iter().filter(|edge| edge.channel == 0).collect();
    assert_eq!(
        (left[0].kind, left[0].track, left[0].source.0),
        (EdgeKind::Start, Frames(22_050), 24_000)
    );
    assert_eq!((left[1].kind, left[1].track), (EdgeKind::End, Frames(23_520 + 800)));
    // 24,320 frames at 44.1 kHz are 26,470.7 at 48 kHz.
    assert_eq!((left[1].source, found.len()), (Frames(26_470), 4));
}
