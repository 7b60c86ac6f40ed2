//! The metadata of HTDemucs checkpoints, and whether a graph is of the same network.
//!
//! The metadata of the published safetensors files hold `klass`, `args` and `kwargs` of the model's class as JSON strings
//! (a fraction is `{"_type": "fraction", "numerator": 39, "denominator": 5}`); the PyTorch files of Demucs (`.th`) hold
//! them beside the tensors. `make_graph.py` writes the `kwargs` into the
//! graph. Two networks are the same if their `kwargs` are equal, apart from arguments without effect on the network and
//! the names of the stems. Missing arguments have the defaults of demucs 4.1.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::{Map, Value};

use super::WeightsFormat;
use super::pytorch::{NetworkPackage, PytorchFile};
use crate::audio::{Hertz, StemName};
use crate::model::card::StftShape;
use crate::model::onnx::Shapes;

const KLASS: &str = "demucs.htdemucs.HTDemucs";

/// Largest file that is read; the published ones have 84 MB.
const MAX_BYTES: u64 = 2 << 30;

/// The metadata of a checkpoint.
#[derive(Debug)]
pub(crate) struct HtdemucsMetadata {
    /// The stems, in the order of the model's output.
    pub(crate) stems: Vec<StemName>,
    pub(crate) sample_rate: Hertz,
    pub(crate) stft: StftShape,
    /// The arguments that determine the network.
    pub(crate) arguments: NetworkArguments,
    pub(crate) tensors: Shapes,
}

/// The arguments that determine a network, and the number of its sources.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NetworkArguments {
    sources: usize,
    /// Those that differ from the default.
    others: BTreeMap<String, Value>,
}

impl HtdemucsMetadata {
    /// Reads the metadata and the shapes of a safetensors file, or of a PyTorch file.
    ///
    /// # Errors
    /// Why it is not an HTDemucs checkpoint, in words.
    pub(crate) fn read(path: &Path) -> Result<HtdemucsMetadata, String> {
        let length = path.metadata().map_err(|error| error.to_string())?.len();
        if length > MAX_BYTES {
            return Err(format!("{length} bytes exceed the limit of {MAX_BYTES}"));
        }
        let mut file = File::open(path).map_err(|error| error.to_string())?;
        if WeightsFormat::of(&mut file)? != WeightsFormat::Pytorch {
            return HtdemucsMetadata::parse(&fs::read(path).map_err(|error| error.to_string())?);
        }
        let file = PytorchFile::open(BufReader::new(file))?;
        let NetworkPackage { class, kwargs } = file.package().ok_or_else(|| {
            format!("it holds tensors, but does not name the class {KLASS} and its kwargs")
        })?;
        HtdemucsMetadata::of(Some(class), kwargs, file.shapes())
    }

    /// Reads the same from a file in memory.
    ///
    /// # Errors
    /// Why it is not an HTDemucs checkpoint, in words.
    pub(super) fn parse(bytes: &[u8]) -> Result<HtdemucsMetadata, String> {
        let (_, metadata) = SafeTensors::read_metadata(bytes)
            .map_err(|error| format!("not a safetensors file: {error}"))?;
        let strings = metadata.metadata().as_ref();
        let text = |key: &str| strings.and_then(|strings| strings.get(key)).map(String::as_str);
        let kwargs = object(text("kwargs").unwrap_or("{}"))?;
        let tensors = metadata.tensors().into_iter();
        let tensors = tensors.map(|(name, tensor)| (name, tensor.shape.clone())).collect();
        HtdemucsMetadata::of(text("klass"), &kwargs, tensors)
    }

    fn of(
        class: Option<&str>,
        kwargs: &Map<String, Value>,
        tensors: Shapes,
    ) -> Result<HtdemucsMetadata, String> {
        match class {
            Some(KLASS) => {}
            Some(other) => return Err(format!("it is a {other}, not a {KLASS}")),
            None => return Err(format!("its metadata do not name the class {KLASS}")),
        }
        Ok(HtdemucsMetadata {
            stems: stems(kwargs)?,
            sample_rate: Hertz(whole(kwargs, "samplerate", 44_100)?),
            stft: {
                let size = whole(kwargs, "nfft", 4096)? as usize;
                StftShape { size, hop: size / 4 }
            },
            arguments: NetworkArguments::of(kwargs)?,
            tensors,
        })
    }
}

impl NetworkArguments {
    /// Parses `kwargs`, given as JSON.
    ///
    /// # Errors
    /// What is not understood, in words.
    pub(crate) fn parse(kwargs: &str) -> Result<NetworkArguments, String> {
        NetworkArguments::of(&object(kwargs)?)
    }

    fn of(kwargs: &Map<String, Value>) -> Result<NetworkArguments, String> {
        let defaults = defaults();
        let mut others = BTreeMap::new();
        for (name, value) in kwargs {
            let value = normalised(value);
            let is_default = defaults.get(name.as_str()).is_some_and(|default| *default == value);
            if name != "sources" && !WITHOUT_EFFECT.contains(&name.as_str()) && !is_default {
                others.insert(name.clone(), value);
            }
        }
        Ok(NetworkArguments { sources: stems(kwargs)?.len(), others })
    }

    /// The first difference from the arguments of a graph, in words; `None` if there is none.
    pub(crate) fn difference(&self, graph: &NetworkArguments) -> Option<String> {
        if self.sources != graph.sources {
            return Some(format!("{} sources, not {}", self.sources, graph.sources));
        }
        let defaults = defaults();
        let names = self.others.keys().chain(graph.others.keys());
        let value = |arguments: &NetworkArguments, name: &str| {
            let own = arguments.others.get(name).or_else(|| defaults.get(name));
            own.map_or("the default".to_owned(), ToString::to_string)
        };
        let different = |name: &&String| self.others.get(*name) != graph.others.get(*name);
        names
            .into_iter()
            .find(different)
            .map(|name| format!("{name} is {}, not {}", value(self, name), value(graph, name)))
    }
}

/// NetworkArguments whose effect shows in the weights, or that matter only in training, as in `models/tools/graph/config.py`.
const WITHOUT_EFFECT: [&str; 29] = [
    "channels",
    "growth",
    "context",
    "context_enc",
    "dconv_comp",
    "t_hidden_scale",
    "emb_smooth",
    "dconv_init",
    "t_dropout",
    "t_weight_decay",
    "t_lr",
    "rescale",
    "wiener_iters",
    "end_iters",
    "wiener_residual",
    "time_stride",
    "multi_freqs_depth",
    "norm_groups",
    "t_max_positions",
    "t_cape_mean_normalize",
    "t_cape_augment",
    "t_cape_glob_loc_scale",
    "t_mask_type",
    "t_mask_random_seed",
    "t_sparse_attn_window",
    "t_global_window",
    "t_sparsity",
    "t_auto_sparsity",
    "use_train_segment",
];

/// The defaults of demucs 4.1 for the arguments that determine a network.
const DEFAULTS: &str = r#"{
    "nfft": 4096, "depth": 4, "rewrite": true, "freq_emb": 0.2, "emb_scale": 10, "kernel_size": 8,
    "stride": 4, "norm_starts": 4, "dconv_mode": 1, "dconv_depth": 2, "bottom_channels": 0,
    "t_layers": 5, "t_heads": 8, "t_max_period": 10000, "t_weight_pos_embed": 1,
    "t_cross_first": false, "samplerate": 44100, "segment": 10, "audio_channels": 2,
    "channels_time": null, "cac": true, "multi_freqs": null, "t_emb": "sin", "t_norm_in": true,
    "t_norm_in_group": false, "t_group_norm": false, "t_norm_first": true, "t_norm_out": true,
    "t_layer_scale": true, "t_gelu": true, "t_sin_random_shift": 0, "t_sparse_self_attn": false,
    "t_sparse_cross_attn": false
}"#;

fn defaults() -> BTreeMap<String, Value> {
    let object: Map<String, Value> = serde_json::from_str(DEFAULTS).unwrap_or_default();
    object.into_iter().map(|(name, value)| (name, normalised(&value))).collect()
}

/// Normalises a value for comparison: numbers and fractions become floats, empty lists null.
fn normalised(value: &Value) -> Value {
    let fraction = |part: &str| value.get(part).and_then(Value::as_f64);
    if let (Some(numerator), Some(denominator)) = (fraction("numerator"), fraction("denominator")) {
        return Value::from(numerator / denominator);
    }
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(list) if list.is_empty() => Value::Null,
        other => other.clone(),
    }
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("its kwargs are not understood: {error}"))
}

fn stems(kwargs: &Map<String, Value>) -> Result<Vec<StemName>, String> {
    let sources = kwargs.get("sources").and_then(Value::as_array).filter(|list| !list.is_empty());
    let sources = sources.ok_or("its kwargs name no sources")?;
    let stem = |source: &Value| {
        let name = source.as_str().unwrap_or_default();
        name.parse().map_err(|error| format!("{error}"))
    };
    sources.iter().map(stem).collect()
}

fn whole(kwargs: &Map<String, Value>, name: &str, default: u32) -> Result<u32, String> {
    match kwargs.get(name) {
        None => Ok(default),
        Some(value) => value
            .as_u64()
            .and_then(|value| u32::try_from(value).ok())
            .ok_or_else(|| format!("{name} is {value}, which is not a whole number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, expected: Option<&str>) {
        let [one, other] = [one, other].map(|text| NetworkArguments::parse(text).unwrap());
        let found = one.difference(&other);
        match expected {
            None => assert_eq!(found, None),
            Some(part) => assert!(found.as_ref().unwrap().contains(part), "{found:?}"),
        }
    }

    #[test]
    fn networks_are_compared_by_the_arguments_that_determine_them() {
        let published = r#"{"sources": ["drums", "vocals"], "bottom_channels": 512,
            "segment": {"_type": "fraction", "numerator": 39, "denominator": 5}}"#;
        check(published, published, None);
        check(
            r#"{"sources": ["a", "b"], "bottom_channels": 512.0, "segment": 7.8, "t_lr": 3, "t_layers": 5,
                "multi_freqs": []}"#,
            published,
            None,
        );
        check(
            r#"{"sources": ["a"], "bottom_channels": 512, "segment": 7.8}"#,
            published,
            Some("1 sources"),
        );
        check(
            r#"{"sources": ["a", "b"], "segment": 7.8}"#,
            published,
            Some("bottom_channels is 0.0, not 512"),
        );
        check(
            r#"{"sources": ["a", "b"], "bottom_channels": 512, "segment": 7.8, "t_layers": 3}"#,
            published,
            Some("t_layers is 3.0, not 5"),
        );
        check(
            r#"{"sources": ["a", "b"], "bottom_channels": 512, "segment": 7.8, "new": 3}"#,
            published,
            Some("new is 3.0, not the default"),
        );
    }

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        for (bytes, expected) in [
            (&b"PK"[..], "not a safetensors"),
            (&[255; 100], "not a safetensors"),
            (b"\x02\0\0\0\0\0\0\0{}", "do not name"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = HtdemucsMetadata::read(&path).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(NetworkArguments::parse("{}").is_err() && NetworkArguments::parse("[").is_err());
    }
}
