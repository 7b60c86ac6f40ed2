use proptest::prelude::*;

use super::*;
use crate::separation::silence_file::SilenceFileWriter;
use crate::session::checksums::Prefix;

const RATE: Hertz = Hertz(8_000);
const LEAST: u64 = 400;
const FADED: u64 = 80;

/// Frame at which an edge is known.
fn known_at(edge: &StemEdge) -> u64 {
    edge.position.0 + if edge.kind == EdgeKind::Start { LEAST } else { 0 }
}

/// The edges of passages in the order of the file.
fn edges(passages: &[Vec<(u64, Option<u64>)>; 2]) -> Vec<StemEdge> {
    let mut edges = Vec::new();
    for (channel, passages) in passages.iter().enumerate() {
        for &(start, end) in passages {
            let edge = |kind, position| StemEdge { channel, kind, position: Frames(position) };
            edges.push(edge(EdgeKind::Start, start));
            edges.extend(end.map(|end| edge(EdgeKind::End, end)));
        }
    }
    edges.sort_by_key(|edge| (known_at(edge), edge.channel));
    edges
}

/// The gain of a frame, from all passages of its channel.
fn gain(frame: u64, passages: &[(u64, Option<u64>)]) -> f32 {
    let of_step = |step: u64| 1.0 - (step + 1) as f32 / (FADED + 1) as f32;
    for &(start, end) in passages {
        let end = end.unwrap_or(u64::MAX);
        if (start..end).contains(&frame) {
            let (after, before) = (frame - start, end - 1 - frame);
            return match () {
                () if start > 0 && after < FADED => of_step(after),
                () if before < FADED => of_step(before),
                () => 0.0,
            };
        }
    }
    1.0
}

fn passages() -> impl Strategy<Value = (Vec<(u64, Option<u64>)>, u64)> {
    let passage = (0..1500_u64, LEAST..4 * LEAST);
    (prop::collection::vec(passage, 0..6), any::<bool>(), 0..900_u64).prop_map(
        |(all, open, rest)| {
            let mut at = 0;
            let mut found: Vec<(u64, Option<u64>)> = Vec::new();
            for (sound, silence) in all {
                at += sound + u64::from(at > 0);
                found.push((at, Some(at + silence)));
                at += silence;
            }
            if let Some(last) = found.last_mut().filter(|_| open) {
                last.1 = None;
            } else {
                at += rest + 1;
            }
            (found, at)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]
    #[test]
    fn stems_are_gated_by_what_is_known_as_by_the_whole_track(
        (left, frames) in passages(),
        (right, others) in passages(),
        steps in prop::collection::vec(1..2000_u64, 1..12),
        resumed in 0..12_usize,
    ) {
        let total = frames.max(others);
        // The shorter channel has sound behind its last passage.
        let close = |passages: Vec<(u64, Option<u64>)>, end: u64| -> Vec<_> {
            let closed = |(start, until): (u64, Option<u64>)| {
                (start, until.or((end < total).then_some(end)))
            };
            passages.into_iter().map(closed).collect()
        };
        let both = [close(left, frames), close(right, others)];
        let edges = edges(&both);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("silence");
        let mut writer = SilenceFileWriter::open(&path, Prefix::default()).unwrap();
        for &edge in &edges {
            writer.append(edge).unwrap();
        }

        let mut gate = SilenceGate::new(path.clone(), RATE);
        let mut position = 0;
        for (step, frames) in steps.into_iter().chain([total]).enumerate() {
            if step == resumed {
                gate = SilenceGate::new(path.clone(), RATE);
            }
            let until = total.min(position + frames);
            // Decoded as far as the pipeline holds frames back, or to the end.
            let decoded = until + 800;
            let known = edges.iter().filter(|edge| known_at(edge) <= decoded || until == total);
            gate.set_known(8 * known.count() as u64);
            let mut stems = vec![Stereo::zeros((until - position) as usize); 2];
            for stem in &mut stems {
                stem.planes_mut().into_iter().for_each(|plane| plane.fill(0.75));
                gate.apply(Frames(position), stem).unwrap();
            }
            for (plane, passages) in stems[0].planes().into_iter().zip(&both) {
                for (frame, &sample) in (position..until).zip(plane) {
                    prop_assert_eq!(sample, 0.75 * gain(frame, passages), "frame {}", frame);
                }
            }
            prop_assert_eq!(&stems[0], &stems[1]);
            position = until;
        }
    }
}

#[test]
fn a_track_without_silent_passages_is_not_touched_and_needs_no_file() {
    let mut gate = SilenceGate::new("/nowhere".into(), Hertz(44_100));
    let samples = vec![f32::MIN_POSITIVE / 8.0, -0.0, 1.0];
    let mut stem = Stereo::from_planes(samples.clone(), samples.clone()).unwrap();
    gate.apply(Frames(5), &mut stem).unwrap();
    gate.sync().unwrap();
    let bits = |samples: &[f32]| samples.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(stem.left()), bits(&samples));
}
