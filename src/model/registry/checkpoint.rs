//! What an HTDemucs checkpoint says of itself, and whether a graph is of the same network.
//!
//! The published safetensors files carry `klass`, `args` and `kwargs` of the model's class as JSON strings
//! in their metadata (a fraction is `{"_type": "fraction", "numerator": 39, "denominator": 5}`). The graph
//! maker writes the `kwargs` that it was given into the graph. Two networks are the same when their
//! `kwargs` are, apart from those that change no number and from the stems' names; what the kwargs leave
//! open are the defaults of demucs 4.1.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::{Map, Value};

use crate::audio::{Hertz, StemName};
use crate::model::card::StftShape;
use crate::model::onnx::Shapes;

const KLASS: &str = "demucs.htdemucs.HTDemucs";

/// The longest file that is read, into memory; the published ones have 84 MB.
const MOST_BYTES: u64 = 2 << 30;

/// What a checkpoint says of itself.
#[derive(Debug)]
pub(super) struct Checkpoint {
    /// The model's stems, in its order.
    pub(super) stems: Vec<StemName>,
    pub(super) sample_rate: Hertz,
    pub(super) stft: StftShape,
    /// What shapes the network.
    pub(super) arguments: Arguments,
    pub(super) tensors: Shapes,
}

/// The arguments that shape a network, with the number of its sources.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arguments {
    sources: usize,
    /// Only those that differ from the default.
    others: BTreeMap<String, Value>,
}

impl Checkpoint {
    /// Reads what a safetensors file says of itself.
    ///
    /// # Errors
    /// In words, why it is no HTDemucs.
    pub(super) fn read(path: &Path) -> Result<Checkpoint, String> {
        let length = path.metadata().map_err(|error| error.to_string())?.len();
        if length > MOST_BYTES {
            return Err(format!("{length} bytes are more than any HTDemucs has"));
        }
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| format!("it is no safetensors file: {error}"))?;
        let strings = metadata.metadata().as_ref();
        let text = |key: &str| strings.and_then(|strings| strings.get(key)).map(String::as_str);
        match text("klass") {
            Some(KLASS) => {}
            Some(other) => return Err(format!("it is a {other}, not a {KLASS}")),
            None => return Err(format!("its metadata do not say that it is a {KLASS}")),
        }
        let kwargs = object(text("kwargs").unwrap_or_default())?;
        let tensors = metadata.tensors().into_iter();
        Ok(Checkpoint {
            stems: stems(&kwargs)?,
            sample_rate: Hertz(whole(&kwargs, "samplerate", 44_100)?),
            stft: {
                let size = whole(&kwargs, "nfft", 4096)? as usize;
                StftShape { size, hop: size / 4 }
            },
            arguments: Arguments::of(&kwargs)?,
            tensors: tensors.map(|(name, tensor)| (name, tensor.shape.clone())).collect(),
        })
    }
}

impl Arguments {
    /// The arguments of `kwargs` as JSON.
    ///
    /// # Errors
    /// In words, what is not understood.
    pub(super) fn parse(kwargs: &str) -> Result<Arguments, String> {
        Arguments::of(&object(kwargs)?)
    }

    fn of(kwargs: &Map<String, Value>) -> Result<Arguments, String> {
        let defaults = defaults();
        let mut others = BTreeMap::new();
        for (name, value) in kwargs {
            let value = plain(value);
            let is_default = defaults.get(name.as_str()).is_some_and(|default| *default == value);
            if name != "sources" && !WITHOUT_EFFECT.contains(&name.as_str()) && !is_default {
                others.insert(name.clone(), value);
            }
        }
        Ok(Arguments { sources: stems(kwargs)?.len(), others })
    }

    /// In words, where these differ from `graph`; `None` where they do not.
    pub(super) fn difference(&self, graph: &Arguments) -> Option<String> {
        if self.sources != graph.sources {
            return Some(format!("{} sources, not {}", self.sources, graph.sources));
        }
        let defaults = defaults();
        let names = self.others.keys().chain(graph.others.keys());
        let value = |arguments: &Arguments, name: &str| {
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

/// Arguments that the weights show the effect of, or that matter only in training: as in
/// `models/tools/graph/config.py`.
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

/// The defaults of demucs 4.1 for all that shapes a network.
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
    object.into_iter().map(|(name, value)| (name, plain(&value))).collect()
}

/// A value in the one form that can be compared: numbers and fractions as floats, no list as null.
fn plain(value: &Value) -> Value {
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
            .ok_or_else(|| format!("{name} is {value}, which is no number of that kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, expected: Option<&str>) {
        let [one, other] = [one, other].map(|text| Arguments::parse(text).unwrap());
        let found = one.difference(&other);
        match expected {
            None => assert_eq!(found, None),
            Some(part) => assert!(found.as_ref().unwrap().contains(part), "{found:?}"),
        }
    }

    #[test]
    fn networks_are_compared_by_what_shapes_them() {
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
    fn what_is_no_checkpoint_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        for (bytes, expected) in [
            (&b"PK"[..], "no safetensors"),
            (&[255; 100], "no safetensors"),
            (b"\x02\0\0\0\0\0\0\0{}", "do not say"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = Checkpoint::read(&path).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(Arguments::parse("{}").is_err() && Arguments::parse("[").is_err());
    }
}
