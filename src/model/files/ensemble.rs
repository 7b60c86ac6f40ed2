//! Ensembles: models that together yield stems, each stem from the models that are named for it.
//!
//! `other` is the mixture minus all other stems, so that the stems of an ensemble sum to the mixture. An ensemble is a
//! [`Model`] whose name is its text; it has no files but those of its members.

use std::sync::Arc;

use super::Model;
use crate::audio::{Hertz, StemName};
use crate::dsp::segments::Blend;
use crate::model::card::{Family, FileReference};
use crate::model::ensemble_spec::EnsembleSpec;
use crate::model::provider::ProviderChoice;
use crate::model::{ModelCard, ModelError, ModelName, Sha256Hash};

/// Fraction of a segment that overlaps the next, unless the request has another.
const OVERLAP: f64 = 0.25;

/// The models of an ensemble, and which of their stems its stems are.
#[derive(Debug, Clone)]
pub struct Ensemble {
    /// The models, each once.
    pub members: Vec<Arc<Model>>,
    /// For each stem but the last one, the stems of members whose mean it is. Those of backing vocals yield the vocals, of
    /// which [`Split`] makes two stems.
    pub sources: Vec<Vec<MemberStem>>,
    /// How the vocals are split, if they are.
    pub split: Option<Split>,
}

/// Lead and backing vocals as indices of stems. The models of the lead vocals see the vocals in place of the mixture, and what
/// they leave of these are the backing vocals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The lead vocals.
    pub lead: usize,
    /// The backing vocals.
    pub backing: usize,
}

/// A stem of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberStem {
    /// Index of the member.
    pub member: usize,
    /// Index of the stem in its card.
    pub stem: usize,
}

impl Ensemble {
    /// The ensemble of these models as a model, which `find` finds.
    ///
    /// # Errors
    /// Those of `find`; [`ModelError::Ensemble`] if the models do not fit together.
    pub fn model(
        spec: &EnsembleSpec,
        find: impl Fn(&str) -> Result<Arc<Model>, ModelError>,
    ) -> Result<Model, ModelError> {
        let names = spec.models();
        let members: Result<Vec<_>, _> = names.iter().map(|name| find(name.as_str())).collect();
        let members = members?;
        let unfit = |reason: String| ModelError::Ensemble { ensemble: spec.to_string(), reason };
        let Some(rate) = members.first().map(|first| first.card().sample_rate) else {
            return Err(unfit("it names no model".to_owned()));
        };
        for member in &members {
            let card = member.card();
            if card.blend == Blend::Sum {
                let reason = format!("the windows of {} are summed, not averaged", card.name);
                return Err(unfit(reason));
            }
            if card.sample_rate != rate {
                return Err(unfit(format!(
                    "{} has {}, and {} has {rate}",
                    card.name, card.sample_rate, names[0]
                )));
            }
        }
        let source = |stem: &StemName, name: &ModelName| {
            let member = names.iter().position(|other| *other == name).unwrap_or_default();
            let own = &members[member].card().stems;
            let index = own.iter().position(|own| own == stem);
            index.map(|stem| MemberStem { member, stem }).ok_or_else(|| {
                let own: Vec<_> = own.iter().map(StemName::as_str).collect();
                unfit(format!("{name} does not yield {stem}, but {}", own.join(", ")))
            })
        };
        let mut stems = Vec::new();
        let mut sources = Vec::new();
        for (stem, models) in &spec.stems {
            stems.push(stem.clone());
            sources.push(models.iter().map(|name| source(stem, name)).collect::<Result<_, _>>()?);
        }
        if let Some(first) = spec.rest.first() {
            let of_first = members.iter().find(|member| member.card().name == *first);
            let of_first = of_first.map(|member| member.card().stems.clone()).unwrap_or_default();
            let is_rest = |stem: &StemName| {
                stem.as_str() != StemName::OTHER
                    && stem.left_out().is_none()
                    && spec.stems.iter().all(|(named, _)| named != stem)
            };
            for stem in of_first.into_iter().filter(is_rest) {
                let of: Result<Vec<_>, _> =
                    spec.rest.iter().map(|name| source(&stem, name)).collect();
                sources.push(of?);
                stems.push(stem);
            }
        }
        let at = |name: &str| stems.iter().position(|stem| stem.as_str() == name);
        let split = at(StemName::LEAD_VOCALS).zip(at(StemName::VOCALS));
        let split = split.map(|(lead, backing)| Split { lead, backing });
        if let Some(Split { backing, .. }) = split {
            stems[backing] = StemName::backing_vocals();
        }
        if (1..stems.len()).any(|at| stems[..at].contains(&stems[at])) {
            let stem = StemName::BACKING_VOCALS;
            return Err(unfit(format!("{stem} is what the lead vocals leave of the vocals")));
        }
        stems.push(StemName::other());
        let card = card(spec, &members, stems, rate);
        Ok(Model::of_ensemble(card, Ensemble { members, sources, split }))
    }

    /// Index of the stem that is what the others leave of the mixture.
    pub fn remainder(&self) -> usize {
        self.sources.len()
    }

    /// Which stems of the ensemble must be computed to yield the `wanted` ones.
    pub fn needed(&self, wanted: &[bool]) -> Vec<bool> {
        let all = wanted.get(self.remainder()).copied().unwrap_or(false);
        let is_wanted = |stem: usize| all || wanted.get(stem) == Some(&true);
        let of_split = |stem: usize| match self.split {
            Some(Split { lead, backing }) if stem == lead || stem == backing => {
                is_wanted(lead) || is_wanted(backing)
            }
            _ => is_wanted(stem),
        };
        (0..self.sources.len()).map(of_split).collect()
    }

    /// The `needed` stems in two steps: those that are made of the mixture, and those that are made of the vocals.
    pub fn steps(&self, needed: &[bool]) -> [Vec<bool>; 2] {
        let lead = self.split.map(|split| split.lead);
        let of = |second: bool| {
            let stems = needed.iter().enumerate();
            stems.map(|(stem, &needed)| needed && (Some(stem) == lead) == second).collect()
        };
        [of(false), of(true)]
    }

    /// Which stems of a member must be computed for the `needed` stems.
    pub fn needed_of(&self, member: usize, needed: &[bool]) -> Vec<bool> {
        let mut of = vec![false; self.members[member].card().stems.len()];
        let needed = self.sources.iter().zip(needed).filter(|(_, needed)| **needed);
        for source in needed.flat_map(|(sources, _)| sources) {
            if source.member == member {
                of[source.stem] = true;
            }
        }
        of
    }
}

/// The card of an ensemble: segments as long as the longest of its members'.
fn card(
    spec: &EnsembleSpec,
    members: &[Arc<Model>],
    stems: Vec<StemName>,
    sample_rate: Hertz,
) -> ModelCard {
    let cards = || members.iter().map(|member| member.card());
    let mut licences: Vec<&str> = cards().map(|card| card.licence.as_str()).collect();
    licences.dedup();
    let allowed: Vec<_> = cards().map(|card| card.commercial_use).collect();
    let commercial_use = match () {
        () if allowed.contains(&Some(false)) => Some(false),
        () if allowed.contains(&None) => None,
        () => Some(true),
    };
    let mut identity = spec.to_string();
    for card in cards() {
        identity += &format!("\n{} {}", card.graph.sha256, card.weights_hash());
    }
    ModelCard {
        name: ModelName::of_ensemble(spec.to_string()),
        title: spec.to_string(),
        family: Family::Ensemble,
        stems,
        sample_rate,
        segment: cards().map(|card| card.segment).max().unwrap_or_default(),
        overlap: OVERLAP,
        blend: Blend::Average,
        residual_shares: Vec::new(),
        normalize: true,
        provider: ProviderChoice::Auto,
        licence: licences.join("; "),
        commercial_use,
        stft: None,
        mdx: None,
        graph: FileReference {
            file: "ensemble".to_owned(),
            sha256: Sha256Hash::of(identity.as_bytes()),
        },
        weights: Vec::new(),
        quality: Vec::new(),
    }
}
