//! The network of an SCNet checkpoint, by the configuration beside it, and whether a graph is of the same network.
//!
//! `models/tools/make_scnet.py` writes the arguments of the network into its graphs. Two networks are the same if they are
//! equal, apart from the names of the stems. Missing arguments have the defaults of SCNet's authors.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::configuration::Configuration;
use super::uvr::stem_of;
use crate::audio::{Hertz, StemName};
use crate::model::onnx::Graph;

/// A network and what it is used with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScnetConfiguration {
    pub(crate) topology: ScnetTopology,
    pub(crate) sample_rate: Hertz,
    /// Whether the track is normalised by its mean and deviation.
    pub(crate) normalize: bool,
}

/// The arguments of a network, under the names that its authors give them, and the length of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ScnetTopology {
    /// The stems, in the order of the output.
    pub(crate) sources: Vec<StemName>,
    /// Channels: of the input, then of each encoder's output.
    dims: Vec<u32>,
    /// Samples of a column of the spectrum.
    pub(crate) nfft: usize,
    /// Samples between the starts of two columns.
    pub(crate) hop_size: usize,
    /// Share of the bins in each band.
    #[serde(rename = "band_SR")]
    band_shares: Vec<f64>,
    band_stride: Vec<u32>,
    band_kernel: Vec<u32>,
    conv_depths: Vec<u32>,
    compress: u32,
    conv_kernel: u32,
    num_dplayer: u32,
    expand: u32,
    /// Frames of a segment.
    pub(crate) chunk: u64,
}

impl Default for ScnetTopology {
    fn default() -> ScnetTopology {
        let stems = ["drums", "bass", "other", "vocals"];
        ScnetTopology {
            sources: stems.iter().filter_map(|name| name.parse().ok()).collect(),
            dims: vec![4, 32, 64, 128],
            nfft: 4096,
            hop_size: 1024,
            band_shares: vec![0.175, 0.392, 0.433],
            band_stride: vec![1, 4, 16],
            band_kernel: vec![3, 4, 16],
            conv_depths: vec![3, 2, 1],
            compress: 4,
            conv_kernel: 3,
            num_dplayer: 6,
            expand: 1,
            chunk: 485_100,
        }
    }
}

/// Arguments of which only one value is supported.
const FIXED: [&str; 3] = ["audio_channels", "win_size", "normalized"];

/// Whether a configuration is of an SCNet rather than of another network that is not a RoFormer: it names the stems, the channels
/// or the bands.
pub(crate) fn is_scnet(configuration: &Configuration) -> bool {
    let model = configuration.section("model");
    model.is_ok_and(|model| {
        ["sources", "dims", "band_SR"].iter().any(|name| model.contains_key(*name))
    })
}

impl ScnetConfiguration {
    /// The network of a configuration.
    ///
    /// # Errors
    /// The first thing that is not understood or supported, in words.
    pub(crate) fn of(configuration: &Configuration) -> Result<ScnetConfiguration, String> {
        let audio = configuration.section("audio")?;
        let mut model = configuration.section("model")?.clone();
        let fixed: Vec<_> = FIXED.iter().map(|name| model.remove(*name)).collect();
        if let Some(Value::Array(names)) = model.get_mut("sources") {
            // Other names are refused below.
            for name in names {
                if let Some(Ok(stem)) = name.as_str().map(stem_of) {
                    *name = stem.as_str().into();
                }
            }
        }
        let (name, chunk) = configuration.chunk_size();
        let chunk = chunk.ok_or_else(|| format!("{name} is missing"))?;
        if model.insert("chunk".to_owned(), chunk.clone()).is_some() {
            return Err("its model is not an SCNet: unknown field `chunk`".into());
        }
        let topology: ScnetTopology = serde_json::from_value(Value::Object(model))
            .map_err(|error| format!("its model is not an SCNet: {error}"))?;
        topology.fault().map_or(Ok(()), Err)?;
        let supported = [Value::from(2), Value::from(topology.nfft), Value::from(true)];
        for ((name, only), given) in FIXED.iter().zip(supported).zip(fixed) {
            if let Some(given) = given.filter(|given| *given != only) {
                return Err(format!("model.{name} is {given}; only {only} is supported"));
            }
        }
        let rate = whole(audio, "sample_rate")?.unwrap_or(44_100);
        let sample_rate = u32::try_from(rate).map(Hertz).ok().filter(|rate| rate.is_supported());
        let sample_rate =
            sample_rate.ok_or(format!("audio.sample_rate {rate} is not supported"))?;
        if let Some(channels) = whole(audio, "num_channels")?.filter(|channels| *channels != 2) {
            return Err(format!("audio.num_channels is {channels}; only 2 is supported"));
        }
        let normalize = normalize(configuration)?;
        check_instruments(configuration, &topology.sources)?;
        Ok(ScnetConfiguration { topology, sample_rate, normalize })
    }
}

/// Whether the input is normalised, as in Music-Source-Separation-Training: only if the configuration asks for it.
fn normalize(configuration: &Configuration) -> Result<bool, String> {
    match configuration.section("inference")?.get("normalize") {
        Some(Value::Bool(normalize)) => Ok(*normalize),
        Some(other) => Err(format!("inference.normalize is {other}, not true or false")),
        None => Ok(false),
    }
}

/// The stems are named by `training.instruments`, which must be those of the model; UVR's configurations have them in other
/// letters.
fn check_instruments(configuration: &Configuration, sources: &[StemName]) -> Result<(), String> {
    let Ok(training) = configuration.section("training") else { return Ok(()) };
    let target = training.get("target_instrument").filter(|target| !target.is_null());
    let instruments = match (target, training.get("instruments")) {
        (Some(target), _) => Value::Array(vec![target.clone()]),
        (None, Some(instruments)) => instruments.clone(),
        (None, None) => return Ok(()),
    };
    let stem = |name: &Value| name.as_str().and_then(|name| stem_of(name).ok());
    let stems: Option<Vec<StemName>> =
        instruments.as_array().and_then(|names| names.iter().map(stem).collect());
    if stems.is_some_and(|stems| stems == sources) {
        return Ok(());
    }
    let sources = serde_json::to_value(sources).unwrap_or_default();
    Err(format!("training has the instruments {instruments}, but model.sources are {sources}"))
}

fn whole(section: &Map<String, Value>, name: &str) -> Result<Option<u64>, String> {
    let value = section.get(name);
    let whole = |value: &Value| {
        value.as_u64().ok_or_else(|| format!("audio.{name} is {value}, not a whole number"))
    };
    value.map(whole).transpose()
}

impl ScnetTopology {
    /// The network that a graph was made for.
    ///
    /// # Errors
    /// That it was made for none, in words.
    pub(crate) fn of_graph(graph: &Graph) -> Result<ScnetTopology, String> {
        let family = graph.metadata("family").unwrap_or_default();
        let arguments = graph.metadata("arguments").filter(|_| family == "scnet");
        let arguments = arguments.ok_or("the graph was not made by make_scnet.py")?;
        let topology: ScnetTopology = serde_json::from_str(arguments)
            .map_err(|error| format!("the arguments of the graph are not understood: {error}"))?;
        topology.fault().map_or(Ok(topology), Err)
    }

    /// The first difference from the network of a graph, in words; `None` if there is none.
    pub(crate) fn difference(&self, graph: &ScnetTopology) -> Option<String> {
        if self.sources.len() != graph.sources.len() {
            return Some(format!("{} sources, not {}", self.sources.len(), graph.sources.len()));
        }
        let fields = |topology| match serde_json::to_value(topology) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let (own, graph) = (fields(self), fields(graph));
        let differs = |(name, value): &(&String, &Value)| {
            *name != "sources" && graph.get(*name) != Some(*value)
        };
        let (name, value) = own.iter().find(differs)?;
        Some(format!("{name} is {value}, not {}", graph.get(name).unwrap_or(&Value::Null)))
    }

    /// The first argument outside of its limits, in words.
    fn fault(&self) -> Option<String> {
        let bands = self.band_shares.len();
        let lists = [
            ("dims", &self.dims, 2..=8, 1..=4096),
            ("band_stride", &self.band_stride, bands..=bands, 1..=256),
            ("band_kernel", &self.band_kernel, bands..=bands, 1..=256),
            ("conv_depths", &self.conv_depths, bands..=bands, 0..=16),
        ];
        for (name, list, lengths, values) in lists {
            if !lengths.contains(&list.len()) {
                return Some(format!("{name} has {} values, not {lengths:?}", list.len()));
            }
            if let Some(value) = list.iter().find(|value| !values.contains(*value)) {
                return Some(format!("{name} has the value {value}, not {values:?}"));
            }
        }
        let numbers = [
            ("sources", self.sources.len() as u64, 1..=64),
            ("dims[0]", self.dims[0].into(), 4..=4),
            ("nfft", self.nfft as u64, 16..=65_536),
            ("band_SR", bands as u64, 1..=16),
            ("compress", self.compress.into(), 1..=64),
            ("conv_kernel", self.conv_kernel.into(), 1..=63),
            ("num_dplayer", self.num_dplayer.into(), 1..=64),
            ("expand", self.expand.into(), 1..=16),
            ("chunk_size", self.chunk, 1..=1 << 26),
        ];
        if let Some((name, value, limits)) = numbers.into_iter().find(|(_, v, l)| !l.contains(v)) {
            return Some(format!("{name} is {value}, not {limits:?}"));
        }
        if !self.nfft.is_power_of_two() || self.hop_size != self.nfft / 4 {
            let (nfft, hop) = (self.nfft, self.hop_size);
            return Some(format!(
                "nfft {nfft} is not a power of two, or hop_size {hop} not a quarter"
            ));
        }
        let shares: f64 = self.band_shares.iter().sum();
        let positive = self.band_shares.iter().all(|share| *share > 0.0);
        if !positive || (shares - 1.0).abs() > 1e-3 {
            return Some(format!("band_SR {:?} does not sum to 1", self.band_shares));
        }
        None
    }
}

#[cfg(test)]
mod tests;
