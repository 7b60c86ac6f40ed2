//! Which model is best for the wanted stems, by published figures.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::ModelCard;
use crate::audio::StemName;

/// Models in the order of their published figures.
#[derive(Debug)]
pub struct Ranking<'a> {
    /// Models with figures, in groups: only figures of the same measurement can be compared. Models that more than one
    /// group could have are in the first of these.
    pub groups: Vec<ComparableModels<'a>>,
    /// Models for which no figure is published for all of the stems.
    pub unrated: Vec<&'a ModelCard>,
}

/// Models with figures of one measurement.
#[derive(Debug)]
pub struct ComparableModels<'a> {
    /// What was measured.
    pub measurement: Measurement<'a>,
    /// The models with their mean SDR, dB, best first.
    pub models: Vec<(&'a ModelCard, f64)>,
}

/// A measurement whose figures can be compared with each other. Sources differ in their metric even on the same data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measurement<'a> {
    /// The data set.
    pub data: &'a str,
    /// Where the figures are published.
    pub source: &'a str,
    /// The stems, sorted.
    pub stems: Vec<StemName>,
}

/// Orders models that yield the `wanted` stems by the mean SDR of these, or of all of their own if `wanted` is empty. A
/// stem such as `no_drums` counts as the one that it leaves out.
///
/// The first group is the one with the most models, then the one with the most of the remaining models, and so on.
pub fn rank<'a>(cards: &[&'a ModelCard], wanted: &[StemName]) -> Ranking<'a> {
    let mut unranked = cards.to_vec();
    let mut groups = Vec::new();
    while let Some(group) = largest_group(&unranked, wanted) {
        unranked.retain(|card| group.models.iter().all(|(ranked, _)| ranked.name != card.name));
        groups.push(group);
    }
    unranked.sort_by(|a, b| a.name.cmp(&b.name));
    Ranking { groups, unrated: unranked }
}

/// The models of the measurement that the most of `cards` have; of several, the one with the best figure.
fn largest_group<'a>(cards: &[&'a ModelCard], wanted: &[StemName]) -> Option<ComparableModels<'a>> {
    let mut groups: BTreeMap<Measurement<'a>, Vec<(&'a ModelCard, f64)>> = BTreeMap::new();
    for card in cards {
        let stems = measured_stems(card, wanted);
        for quality in &card.quality {
            let Some(sdr) = quality.mean_sdr(&stems) else { continue };
            let (data, source) = (quality.data.as_str(), quality.source.as_str());
            let models =
                groups.entry(Measurement { data, source, stems: stems.clone() }).or_default();
            if models.iter().all(|(other, _)| other.name != card.name) {
                models.push((card, sdr));
            }
        }
    }
    for models in groups.values_mut() {
        models
            .sort_by(|(a, of_a), (b, of_b)| of_b.total_cmp(of_a).then_with(|| a.name.cmp(&b.name)));
    }
    let (measurement, models) = groups.into_iter().min_by(|(_, a), (_, b)| {
        Reverse(a.len()).cmp(&Reverse(b.len())).then_with(|| b[0].1.total_cmp(&a[0].1))
    })?;
    Some(ComparableModels { measurement, models })
}

/// The stems of the model by whose figures it is ordered, sorted, each once.
fn measured_stems(card: &ModelCard, wanted: &[StemName]) -> Vec<StemName> {
    let measured = |stem: &StemName| {
        let of = |own: &&StemName| Some(own.as_str()) == stem.left_out();
        let is_own = card.stems.contains(stem);
        if is_own { None } else { card.stems.iter().find(of) }.unwrap_or(stem).clone()
    };
    let mut stems = match wanted {
        [] => card.stems.clone(),
        wanted => wanted.iter().map(measured).collect(),
    };
    stems.sort();
    stems.dedup();
    stems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cards of the stems that figures name, from lines `model: measurement stem=dB stem=dB; measurement …`.
    fn cards(lines: &[&str]) -> Vec<ModelCard> {
        let card = |line: &&str| {
            let (name, qualities) = line.split_once(": ").unwrap();
            let mut text = format!(
                "name = {name:?}\ntitle = \"\"\nfamily = \"onnx\"\nsample_rate = 44100\nsegment = 44100\n\
                 overlap = 0.25\nlicence = \"\"\ngraph = {{ file = \"g\", sha256 = \"{}\" }}\n\
                 stems = [\"vocals\", \"drums\"]\n",
                "0".repeat(64)
            );
            for quality in qualities.split("; ").filter(|quality| !quality.is_empty()) {
                let (data, sdr) = quality.split_once(' ').unwrap();
                let sdr = sdr.replace(' ', ", ");
                text +=
                    &format!("[[quality]]\ndata = {data:?}\nsource = \"s\"\nsdr = {{ {sdr} }}\n");
            }
            ModelCard::parse(&text, "card.toml").unwrap()
        };
        lines.iter().map(card).collect()
    }

    #[track_caller]
    fn check(lines: &[&str], wanted: &[&str], expected: &str) {
        let cards = cards(lines);
        let wanted: Vec<StemName> = wanted.iter().map(|stem| stem.parse().unwrap()).collect();
        let Ranking { groups, unrated } = rank(&cards.iter().collect::<Vec<_>>(), &wanted);
        let names = |cards: Vec<&ModelCard>| {
            cards.iter().map(|card| card.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        let mut found: Vec<String> = groups
            .iter()
            .map(|group| {
                let models = names(group.models.iter().map(|(card, _)| *card).collect());
                format!("{}: {models}", group.measurement.data)
            })
            .collect();
        found.push(names(unrated));
        assert_eq!(found.join("; "), expected);
    }

    #[test]
    fn the_best_figure_of_the_wanted_stems_is_first() {
        let lines = ["a: x vocals=9 drums=1", "b: x vocals=8 drums=7", "c: "];
        check(&lines, &["vocals"], "x: a b; c");
        check(&lines, &["drums"], "x: b a; c");
        check(&lines, &["vocals", "drums"], "x: b a; c");
        check(&lines, &[], "x: b a; c");
        check(&lines, &["accompaniment"], "x: a b; c");
        check(&lines, &["no_drums", "drums"], "x: b a; c");
    }

    #[test]
    fn only_figures_of_one_measurement_are_compared() {
        let lines = ["a: y vocals=20", "b: x vocals=8; y vocals=21", "c: x vocals=9"];
        check(&lines, &["vocals"], "y: b a; x: c; ");
        check(&[lines[0], lines[2]], &["vocals"], "y: a; x: c; ");
        check(&lines[1..], &["vocals"], "x: c b; ");
    }

    #[test]
    fn a_model_without_a_figure_for_each_stem_is_last() {
        check(&["b: x vocals=9", "a: x drums=9"], &["vocals", "drums"], "a b");
        check(&["b: x vocals=9", "a: x drums=9"], &["vocals"], "x: b; a");
        check(&["b: x vocals=5", "a: x vocals=5"], &["vocals"], "x: a b; ");
    }
}
