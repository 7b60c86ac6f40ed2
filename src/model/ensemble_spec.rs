//! Which models an ensemble consists of, as text: `vocals=melband-kim,rest=scnet-large`.

use std::fmt;
use std::str::FromStr;

use super::ModelName;
use crate::audio::StemName;

/// Most bytes of the text.
const MAX_BYTES: usize = 1000;

/// Names the stems that no other entry names.
const REST: &str = "rest";

/// The models of each stem. Several models of one stem are averaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnsembleSpec {
    /// The named stems, in order.
    pub stems: Vec<(StemName, Vec<ModelName>)>,
    /// The models of all other stems; empty if there are none.
    pub rest: Vec<ModelName>,
}

/// The text names no ensemble.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadEnsemble(String);

impl EnsembleSpec {
    /// Whether a text in place of a model's name names an ensemble.
    pub fn is_one(name: &str) -> bool {
        name.contains('=')
    }

    /// The models, each once, in the order in which they are named.
    pub fn models(&self) -> Vec<&ModelName> {
        let mut models = Vec::new();
        for model in self.stems.iter().flat_map(|(_, models)| models).chain(&self.rest) {
            if !models.contains(&model) {
                models.push(model);
            }
        }
        models
    }
}

impl FromStr for EnsembleSpec {
    type Err = BadEnsemble;

    fn from_str(text: &str) -> Result<EnsembleSpec, BadEnsemble> {
        let bad = |reason: String| Err(BadEnsemble(reason));
        if text.len() > MAX_BYTES {
            return bad(format!(
                "an ensemble of {} bytes exceeds the limit of {MAX_BYTES}",
                text.len()
            ));
        }
        let mut spec = EnsembleSpec { stems: Vec::new(), rest: Vec::new() };
        for entry in text.split(',') {
            let Some((stem, models)) = entry.split_once('=') else {
                return bad(format!("{entry:?} is not STEM=MODEL, such as vocals=melband-kim"));
            };
            let models: Result<Vec<ModelName>, _> =
                models.split('+').map(|name| name.trim().parse()).collect();
            let models = models.map_err(|error| BadEnsemble(error.to_string()))?;
            if (1..models.len()).any(|at| models[..at].contains(&models[at])) {
                return bad(format!("{entry:?} names a model twice"));
            }
            match stem.trim() {
                REST if spec.rest.is_empty() => spec.rest = models,
                stem => {
                    let stem: StemName = match stem.parse() {
                        Ok(_) if stem == REST => return bad(format!("{REST} occurs twice")),
                        Ok(stem) => stem,
                        Err(error) => return bad(format!("{error}")),
                    };
                    if stem.as_str() == StemName::OTHER || stem.left_out().is_some() {
                        return bad(format!(
                            "{stem} is what the other stems leave of the mixture, and has no model of its own"
                        ));
                    }
                    if spec.stems.iter().any(|(known, _)| *known == stem) {
                        return bad(format!("{stem} occurs twice"));
                    }
                    spec.stems.push((stem, models));
                }
            }
        }
        match spec.stems.is_empty() {
            true => bad(format!("no stem is named beside {REST}")),
            false => Ok(spec),
        }
    }
}

impl fmt::Display for EnsembleSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |models: &[ModelName]| {
            models.iter().map(ModelName::as_str).collect::<Vec<_>>().join("+")
        };
        let stems = self.stems.iter().map(|(stem, models)| format!("{stem}={}", joined(models)));
        let rest = (!self.rest.is_empty()).then(|| format!("{REST}={}", joined(&self.rest)));
        f.write_str(&stems.chain(rest).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        match (text.parse::<EnsembleSpec>(), expected) {
            (Ok(spec), Ok(text)) => assert_eq!(spec.to_string(), text),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, _) => panic!("{text:?} gave {found:?}"),
        }
    }

    #[test]
    fn an_ensemble_names_the_models_of_each_stem() {
        let usual = "vocals=melband-kim,rest=scnet-large";
        check(usual, Ok(usual));
        check("vocals = a + b, drums=c", Ok("vocals=a+b,drums=c"));
        check("rest=c,vocals=a", Ok("vocals=a,rest=c"));
        check("vocals", Err("\"vocals\" is not STEM=MODEL"));
        check("", Err("is not STEM=MODEL"));
        check("vocals=", Err("\"\" is not a model name"));
        check("vocals=a+a", Err("names a model twice"));
        check("vocals=a,vocals=b", Err("vocals occurs twice"));
        check("vocals=a,rest=b,rest=c", Err("rest occurs twice"));
        check("rest=a", Err("no stem is named beside rest"));
        check("other=a,vocals=b", Err("what the other stems leave"));
        check("vocals=a,accompaniment=b", Err("what the other stems leave"));
        check("../x=a", Err("is not a stem name"));
        check(&format!("vocals={}", "a".repeat(1000)), Err("exceeds the limit of 1000"));
    }
}
