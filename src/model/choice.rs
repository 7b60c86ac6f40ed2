//! Which of several models to use, by a wish for speed or quality.

use serde::{Deserialize, Serialize};

use super::ModelCard;
use super::ranking::{ComparableModels, Measurement, rank};
use crate::audio::StemName;

/// What counts in the choice of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// The measured speed.
    Fast,
    /// The published figures, among models that are at least as fast as real time.
    Balanced,
    /// The published figures.
    Best,
}

impl Quality {
    /// Its name in options and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Quality::Fast => "fast",
            Quality::Balanced => "balanced",
            Quality::Best => "best",
        }
    }
}

/// A model to choose from.
#[derive(Debug, Clone, Copy)]
pub struct RatedModel<'a> {
    /// Its card.
    pub card: &'a ModelCard,
    /// Seconds of a song that it computes per second on this machine; `None` if that was not measured.
    pub real_time_factor: Option<f64>,
}

/// The chosen model.
#[derive(Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its index among the candidates.
    pub index: usize,
    /// Why it was chosen, in words.
    pub reason: String,
}

/// Chooses one of `candidates`, which yield the `wanted` stems and are in order of preference. `None` without candidates.
///
/// - `best`: the highest mean SDR of these stems in the measurement that most candidates have, see [`rank`]; the first
///   candidate if none has a figure for all of them.
/// - `fast`: the highest measured speed; the first candidate if none was measured.
/// - `balanced`: as `best` among those measured to be as fast as real time; as `fast` if there are none.
pub fn choose(
    quality: Quality,
    candidates: &[RatedModel<'_>],
    wanted: &[StemName],
) -> Option<Chosen> {
    let in_time = |candidate: &&RatedModel<'_>| candidate.real_time_factor >= Some(1.0);
    let in_time: Vec<_> = candidates.iter().filter(in_time).copied().collect();
    let (card, reason) = match quality {
        Quality::Best => best(candidates, wanted).or_else(|| first(candidates, "figure"))?,
        Quality::Balanced if in_time.is_empty() => fastest(candidates)?,
        Quality::Balanced => {
            let (card, reason) = best(&in_time, wanted).or_else(|| fastest(&in_time))?;
            (card, format!("{reason}, among models that are faster than real time here"))
        }
        Quality::Fast => fastest(candidates)?,
    };
    let index = candidates.iter().position(|candidate| candidate.card.name == card.name)?;
    let unmeasured = match quality {
        Quality::Best => String::new(),
        Quality::Fast | Quality::Balanced => unmeasured(candidates),
    };
    let reason = format!("{}: {} {reason}{unmeasured}", quality.as_str(), card.name);
    Some(Chosen { index, reason })
}

/// The candidate with the best figure, and that figure in words.
fn best<'a>(candidates: &[RatedModel<'a>], wanted: &[StemName]) -> Option<(&'a ModelCard, String)> {
    let cards: Vec<&ModelCard> = candidates.iter().map(|candidate| candidate.card).collect();
    let ranking = rank(&cards, wanted);
    let ComparableModels { measurement, models } = ranking.groups.first()?;
    let Measurement { data, source, stems } = measurement;
    let (card, sdr) = *models.first()?;
    let stems: Vec<_> = stems.iter().map(StemName::as_str).collect();
    let stems = stems.join(", ");
    let others: Vec<_> = models[1..].iter().map(|(other, _)| other.name.as_str()).collect();
    let compared = match &others[..] {
        [] => "the only published SDR".to_owned(),
        others => format!("a higher published SDR than {}", others.join(", ")),
    };
    Some((card, format!("has {compared}: {sdr:.2} dB of {stems} on {data} ({source})")))
}

/// The fastest candidate, and its speed in words; without measurements the first one.
fn fastest<'a>(candidates: &[RatedModel<'a>]) -> Option<(&'a ModelCard, String)> {
    let measured = candidates.iter().filter_map(|of| Some((of.card, of.real_time_factor?)));
    // Of equally fast ones the first.
    let fastest = measured.reduce(|best, other| if other.1 > best.1 { other } else { best });
    fastest
        .map(|(card, factor)| {
            (card, format!("is the fastest measured model, {factor:.1} × real time"))
        })
        .or_else(|| first(candidates, "speed"))
}

/// The first candidate, as nothing is known by which to compare.
fn first<'a>(candidates: &[RatedModel<'a>], unknown: &str) -> Option<(&'a ModelCard, String)> {
    let first = candidates.first()?;
    Some((first.card, format!("is the first in order, as no {unknown} of the models is known")))
}

/// A remark on candidates whose speed is not known, beside others.
fn unmeasured(candidates: &[RatedModel<'_>]) -> String {
    let names: Vec<_> = candidates
        .iter()
        .filter(|candidate| candidate.real_time_factor.is_none())
        .map(|candidate| candidate.card.name.as_str())
        .collect();
    match &names[..] {
        [] => String::new(),
        names => format!("; not measured (`stemwire models benchmark`): {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::registry::PublishedModel;

    /// `candidates` are names of published models, each with its speed.
    #[track_caller]
    fn check(
        quality: Quality,
        candidates: &[(&str, Option<f64>)],
        wanted: &[&str],
        chosen: &str,
        reason: &str,
    ) {
        let cards: Vec<ModelCard> =
            candidates.iter().map(|(name, _)| PublishedModel::find(name).unwrap().card).collect();
        let speeds = candidates.iter().map(|(_, speed)| *speed);
        let candidates: Vec<_> = cards
            .iter()
            .zip(speeds)
            .map(|(card, real_time_factor)| RatedModel { card, real_time_factor })
            .collect();
        let wanted: Vec<StemName> = wanted.iter().map(|stem| stem.parse().unwrap()).collect();
        let found = choose(quality, &candidates, &wanted).unwrap();
        assert_eq!(candidates[found.index].card.name.as_str(), chosen, "{}", found.reason);
        assert!(found.reason.contains(reason), "{}", found.reason);
    }

    const FOUR: [&str; 4] = ["drums", "bass", "other", "vocals"];

    #[test]
    fn the_best_is_that_of_the_highest_figure_whatever_its_speed() {
        use Quality::Best;
        let vocals = [("htdemucs", Some(2.0)), ("melband-kim", Some(0.2)), ("scnet", None)];
        check(
            Best,
            &vocals,
            &["vocals"],
            "melband-kim",
            "than scnet, htdemucs: 10.98 dB of vocals",
        );
        check(Best, &vocals, &["no_vocals"], "melband-kim", "10.98 dB of vocals on Multisong");
        let four = [("htdemucs", None), ("spleeter-4stems", None), ("scnet-large", None)];
        check(Best, &four, &FOUR, "scnet-large", "than htdemucs: ");
        let unrated = [("spleeter-5stems", None), ("spleeter-2stems", None)];
        check(Best, &unrated, &["vocals"], "spleeter-5stems", "no figure of the models is known");
    }

    #[test]
    fn speed_decides_for_fast() {
        use Quality::Fast;
        let four = [("htdemucs", Some(2.0)), ("spleeter-4stems", Some(14.0)), ("scnet", None)];
        check(Fast, &four, &FOUR, "spleeter-4stems", "14.0 × real time; not measured (`stemwire");
        let unmeasured = [("htdemucs", None), ("spleeter-4stems", None)];
        check(
            Fast,
            &unmeasured,
            &FOUR,
            "htdemucs",
            "no speed of the models is known; not measured",
        );
        assert_eq!(choose(Fast, &[], &[]), None);
    }

    #[test]
    fn balanced_is_the_best_that_is_faster_than_real_time() {
        use Quality::Balanced;
        let vocals = [
            ("spleeter-4stems", Some(14.0)),
            ("htdemucs", Some(2.0)),
            ("melband-kim", Some(0.2)),
            ("scnet-large", None),
            ("scnet", Some(1.0)),
        ];
        check(Balanced, &vocals, &["vocals"], "scnet", "than htdemucs: 8.27 dB of vocals");
        let slow = [("melband-kim", Some(0.2)), ("scnet-large", Some(0.7)), ("scnet", None)];
        check(Balanced, &slow, &["vocals"], "scnet-large", "0.7 × real time; not measured");
    }
}
