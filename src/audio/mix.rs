//! Mixes of stems: which stems, and with which gain each.

use std::str::FromStr;

use super::StemName;

/// Gains in dB that a mix may have, besides `-inf`.
const DECIBELS: std::ops::RangeInclusive<f32> = -60.0..=12.0;

/// The stems of every model that has more than one stem and the rest.
const PARTS: [&str; 4] = ["bass", "drums", "other", "vocals"];

/// The gains that a request names, in dB; `-inf` mutes a stem. Written as `vocals:-inf,drums:-3`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MixGains(Vec<(StemName, f32)>);

/// A mix of the stems of a song.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    /// The audible stems and their factors, in the order of the song's stems.
    pub stems: Vec<(StemName, f32)>,
    /// What distinguishes it from the song, such as `no vocals, drums -3 dB`; `mix` if nothing does.
    pub label: String,
}

/// Why there is no such mix.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MixError {
    /// The text is no list of gains.
    #[error("{0:?} is not a stem and its gain, such as vocals:-inf or drums:-3")]
    Malformed(String),
    /// The gain is out of range.
    #[error("the gain {gain:?} of {stem} is neither -inf nor within -60 to 12 dB")]
    Gain {
        /// The stem.
        stem: String,
        /// The text of the gain.
        gain: String,
    },
    /// A stem has two gains.
    #[error("{0} has two gains")]
    Repeated(StemName),
    /// The song has no such stem.
    #[error("there is no stem {unknown}; the stems are {known}")]
    Unknown {
        /// The name.
        unknown: StemName,
        /// The stems of the song, separated by commas.
        known: String,
    },
    /// A stem that is everything but another, such as the accompaniment, is audible, and so is a part of it.
    #[error("{part} is part of {sum} and would count twice")]
    Twice {
        /// A part.
        part: StemName,
        /// The sum.
        sum: StemName,
    },
    /// No stem is audible.
    #[error("every stem of the mix is muted")]
    Silent,
}

impl MixError {
    /// The remedy: an imperative sentence.
    pub fn remedy(&self, stems: &[StemName]) -> String {
        let known = names(stems);
        match self {
            MixError::Twice { sum, .. } => {
                format!("Mute {sum} with {sum}:-inf, or name none of its parts.")
            }
            MixError::Silent => format!("Leave at least one stem audible of {known}."),
            MixError::Repeated(_) => format!("Name each of {known} once at most."),
            MixError::Malformed(_) | MixError::Gain { .. } | MixError::Unknown { .. } => format!(
                "Name stems of {known}, each with a gain of -60 to 12 dB or -inf, such as {}:-inf.",
                stems.first().map_or(StemName::VOCALS, StemName::as_str)
            ),
        }
    }
}

impl FromStr for MixGains {
    type Err = MixError;

    fn from_str(text: &str) -> Result<MixGains, MixError> {
        let mut gains: Vec<(StemName, f32)> = Vec::new();
        for item in text.split(',').filter(|_| !text.trim().is_empty()) {
            let malformed = || MixError::Malformed(item.chars().take(64).collect());
            let (stem, gain) = item.split_once(':').ok_or_else(malformed)?;
            let stem: StemName = stem.trim().parse().map_err(|_| malformed())?;
            let gain = decibels(gain.trim()).ok_or_else(|| MixError::Gain {
                stem: stem.to_string(),
                gain: gain.chars().take(64).collect(),
            })?;
            if gains.iter().any(|(known, _)| *known == stem) {
                return Err(MixError::Repeated(stem));
            }
            gains.push((stem, gain));
        }
        Ok(MixGains(gains))
    }
}

impl MixGains {
    /// The mix of a song with these stems. Stems that are not named have 0 dB. Where the song has an accompaniment,
    /// or everything but another stem, and its parts, the mix is of the parts, unless only the sum is named, which then takes
    /// their place.
    ///
    /// # Errors
    /// [`MixError::Unknown`], [`MixError::Twice`], [`MixError::Silent`].
    pub fn of(&self, stems: &[StemName]) -> Result<Mix, MixError> {
        if let Some((unknown, _)) = self.0.iter().find(|(stem, _)| !stems.contains(stem)) {
            return Err(MixError::Unknown { unknown: unknown.clone(), known: names(stems) });
        }
        let left_out = self.left_out(stems)?;
        let chosen = stems.iter().filter(|stem| !left_out.contains(stem));
        let chosen: Vec<_> = chosen.map(|stem| (stem, self.gain(stem).unwrap_or(0.0))).collect();
        let audible: Vec<_> = chosen.iter().filter(|(_, gain)| gain.is_finite()).collect();
        if audible.is_empty() {
            return Err(MixError::Silent);
        }
        let muted = chosen.iter().filter(|(_, gain)| !gain.is_finite());
        let muted: Vec<_> = muted.map(|(stem, _)| stem.as_str()).collect();
        let mut parts = Vec::new();
        if muted.len() > audible.len() {
            let only: Vec<_> = audible.iter().map(|(stem, _)| stem.as_str()).collect();
            parts.push(format!("only {}", only.join(", ")));
        } else if !muted.is_empty() {
            parts.push(format!("no {}", muted.join(", ")));
        }
        let changed = audible.iter().filter(|(_, gain)| *gain != 0.0);
        parts.extend(changed.map(|(stem, gain)| format!("{stem} {gain:+} dB")));
        let label = if parts.is_empty() { "mix".to_owned() } else { parts.join(", ") };
        let factor = |gain: f32| 10_f32.powf(gain / 20.0);
        let stems = audible.iter().map(|(stem, gain)| ((*stem).clone(), factor(*gain))).collect();
        Ok(Mix { stems, label })
    }

    /// The stems that are not part of the mix, because they would count twice.
    fn left_out<'a>(&self, stems: &'a [StemName]) -> Result<Vec<&'a StemName>, MixError> {
        let is_heard = |stem: &StemName| self.gain(stem).is_some_and(f32::is_finite);
        let (sums, own): (Vec<_>, Vec<_>) =
            stems.iter().partition(|stem| stem.left_out().is_some());
        let heard = sums.iter().copied().find(|stem| is_heard(stem));
        let named = sums.iter().copied().find(|stem| self.gain(stem).is_some());
        let Some(sum) = heard.or(named).or(sums.first().copied()) else {
            return Ok(Vec::new());
        };
        let is_part = |stem: &&StemName| Some(stem.as_str()) != sum.left_out();
        let parts: Vec<_> = own.into_iter().filter(is_part).collect();
        let other_sums = sums.into_iter().filter(|stem| *stem != sum);
        if heard.is_some()
            && let Some(part) =
                parts.iter().copied().chain(other_sums.clone()).find(|stem| is_heard(stem))
        {
            return Err(MixError::Twice { part: part.clone(), sum: sum.clone() });
        }
        let is_named = parts.iter().any(|part| self.gain(part).is_some());
        let is_there = |name: &str| {
            Some(name) == sum.left_out() || parts.iter().any(|part| part.as_str() == name)
        };
        let replaces = match self.gain(sum) {
            Some(gain) => gain.is_finite() || !is_named,
            // Some parts may be missing: then only the sum and the stem that it lacks are the song.
            None => !is_named && !PARTS.iter().all(|name| is_there(name)),
        };
        let twice = if replaces { parts } else { vec![sum] };
        Ok(twice.into_iter().chain(other_sums).collect())
    }

    /// The gain of a stem that is named.
    fn gain(&self, stem: &StemName) -> Option<f32> {
        self.0.iter().find(|(named, _)| named == stem).map(|(_, gain)| *gain)
    }
}

fn decibels(text: &str) -> Option<f32> {
    if text == "-inf" {
        return Some(f32::NEG_INFINITY);
    }
    text.parse().ok().filter(|gain| DECIBELS.contains(gain))
}

fn names(stems: &[StemName]) -> String {
    stems.iter().map(StemName::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: &str = "drums bass other vocals accompaniment";

    fn mix(stems: &str, gains: &str) -> Result<Mix, MixError> {
        let stems: Vec<StemName> = stems.split(' ').map(|name| name.parse().unwrap()).collect();
        gains.parse::<MixGains>()?.of(&stems)
    }

    #[track_caller]
    fn check(stems: &str, gains: &str, expected: &str, label: &str) {
        let mix = mix(stems, gains).unwrap();
        let found: Vec<_> = mix.stems.iter().map(|(stem, _)| stem.as_str()).collect();
        assert_eq!((found.join(" ").as_str(), mix.label.as_str()), (expected, label));
    }

    #[test]
    fn a_mix_sums_to_the_song_without_gains() {
        check(FIVE, "", "drums bass other vocals", "mix");
        check("vocals accompaniment", "", "vocals accompaniment", "mix");
        check("vocals drums accompaniment", "", "vocals accompaniment", "mix");
        check("vocals drums", "", "vocals drums", "mix");
    }

    #[test]
    fn a_named_accompaniment_takes_the_place_of_its_parts() {
        check(FIVE, "accompaniment:-3", "vocals accompaniment", "accompaniment -3 dB");
        check(FIVE, "accompaniment:-inf", "vocals", "no accompaniment");
        check(FIVE, "accompaniment:-inf,drums:3", "drums bass other vocals", "drums +3 dB");
        let solo = "vocals:-inf,drums:-inf,bass:-inf,other:-inf,accompaniment:0";
        check(FIVE, solo, "accompaniment", "no vocals");
        check("vocals drums accompaniment", "drums:3", "vocals drums", "drums +3 dB");
        let (part, sum) = ("drums".parse().unwrap(), StemName::accompaniment());
        assert_eq!(mix(FIVE, "accompaniment:0,drums:0"), Err(MixError::Twice { part, sum }));
        check("drums no_drums", "", "drums no_drums", "mix");
        check("drums no_drums", "drums:-inf", "no_drums", "no drums");
        let six = "drums bass other vocals accompaniment no_drums";
        check(six, "", "drums bass other vocals", "mix");
        check(six, "no_drums:-3", "drums no_drums", "no_drums -3 dB");
        assert!(mix(six, "no_drums:0,accompaniment:0").is_err());
    }

    #[test]
    fn the_label_states_what_is_changed() {
        check(FIVE, "vocals:-inf", "drums bass other", "no vocals");
        check(FIVE, "vocals:-inf, drums:-2.5", "drums bass other", "no vocals, drums -2.5 dB");
        check(FIVE, "drums:-inf,bass:-inf,other:-inf", "vocals", "only vocals");
    }

    #[test]
    fn decibels_become_factors() {
        let factor = |gain: &str| mix("vocals", &format!("vocals:{gain}")).map(|m| m.stems[0].1);
        assert_eq!(factor("0"), Ok(1.0));
        assert!((factor("-20").unwrap() - 0.1).abs() < 1e-7);
        assert!((factor("+6").unwrap() - 1.995_262_3).abs() < 1e-6);
        assert_eq!(factor("-inf"), Err(MixError::Silent));
    }

    #[test]
    fn errors_name_the_value_and_the_stems() {
        let check = |gains: &str, expected: &str| {
            let error = mix(FIVE, gains).unwrap_err();
            assert!(error.to_string().contains(expected), "{gains}: {error}");
            let stems: Vec<StemName> = FIVE.split(' ').map(|name| name.parse().unwrap()).collect();
            assert!(error.remedy(&stems).ends_with('.'));
        };
        check("vocals", "\"vocals\" is not a stem and its gain");
        check("Vocals:1", "\"Vocals:1\"");
        check("vocals:1,", "\"\"");
        for gain in ["13", "-61", "nan", "inf", "-infinity", "loud", ""] {
            check(&format!("vocals:{gain}"), "within -60 to 12 dB");
        }
        check("vocals:1,vocals:2", "two gains");
        check("piano:1", "no stem piano; the stems are drums, bass");
    }
}
