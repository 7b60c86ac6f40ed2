//! The topology of a RoFormer by the configuration beside its checkpoint.
//!
//! Missing arguments have the defaults of Music-Source-Separation-Training. Every argument is one that shapes the network, one of
//! which only one value is supported, or one that matters in training only; any other is refused by name.

use std::ops::{Range, RangeInclusive};

use serde_json::{Map, Value};

use super::{RoformerTopology, bands};
use crate::audio::{Hertz, StemName};
use crate::model::card::StftShape;
use crate::model::checkpoint::configuration::Configuration;
use crate::model::checkpoint::uvr::stem_of;

/// Most linear layers of a mask estimator.
pub(super) const MOST_MASK_LAYERS: usize = 8;
/// Most bands, in each of which every stem has a mask estimator.
const MOST_BANDS: usize = 128;
/// Most layers of all transformers; the published networks have 12 and 24.
const MOST_LAYERS: usize = 96;
/// Most tokens of a segment, one for each band and column; the published networks have 50,000.
const MOST_TOKENS: usize = 1 << 18;

/// Numbers that shape the network, with their defaults and limits.
const NUMBERS: [(&str, Option<usize>, RangeInclusive<usize>); 12] = [
    ("dim", None, 1..=4096),
    ("depth", None, 1..=64),
    ("num_stems", Some(1), 1..=16),
    ("time_transformer_depth", Some(2), 1..=16),
    ("freq_transformer_depth", Some(2), 1..=16),
    ("dim_head", Some(64), 2..=512),
    ("heads", Some(8), 1..=64),
    ("stft_n_fft", Some(2048), 16..=65_536),
    ("stft_hop_length", Some(512), 1..=32_768),
    ("mask_estimator_depth", None, 1..=MOST_MASK_LAYERS - 1),
    ("mlp_expansion_factor", Some(4), 1..=16),
    ("ff_mult", Some(4), 1..=16),
];

/// Arguments of other networks of the family: only this value is supported.
const FIXED: [(&str, Value); 5] = [
    ("skip_connection", Value::Bool(false)),
    ("use_pope", Value::Bool(false)),
    ("use_shared_bias", Value::Bool(false)),
    ("conformer", Value::Bool(false)),
    ("stereo", Value::Bool(true)),
];

/// Arguments without effect on the stems. The spectrum's scale is one of them: each band is normalised.
const IGNORED: [&str; 14] = [
    "attn_dropout",
    "ff_dropout",
    "flash_attn",
    "sage_attention",
    "use_torch_checkpoint",
    "dim_freqs_in",
    "stft_normalized",
    "match_input_audio_length",
    "multi_stft_resolution_loss_weight",
    "multi_stft_resolutions_window_sizes",
    "multi_stft_hop_size",
    "multi_stft_normalized",
    "multi_stft_window_fn",
    "sample_rate",
];

/// Whether a configuration is of a RoFormer rather than of another network.
pub(crate) fn is_roformer(configuration: &Configuration) -> bool {
    let model = configuration.section("model");
    model.is_ok_and(|model| {
        ["freqs_per_bands", "num_bands"].iter().any(|name| model.contains_key(*name))
    })
}

impl RoformerTopology {
    /// The network of a configuration.
    ///
    /// # Errors
    /// The first thing that is not understood or supported, in words.
    pub(crate) fn of(configuration: &Configuration) -> Result<RoformerTopology, String> {
        let mut model = configuration.section("model")?.clone();
        let mut numbers = NUMBERS.iter().map(|(name, default, limits)| {
            number(&format!("model.{name}"), model.remove(*name), *default, limits)
        });
        let mut next = || numbers.next().unwrap_or(Ok(0));
        let [dim, depth, stems, time, frequency, dim_head] =
            [next()?, next()?, next()?, next()?, next()?, next()?];
        let [heads, size, hop, mask_depth, mask_factor, factor] =
            [next()?, next()?, next()?, next()?, next()?, next()?];
        drop(numbers);
        let (sample_rate, chunk) = audio(configuration, size)?;
        let stft = StftShape { size, hop };
        if !size.is_power_of_two() || hop > size / 2 {
            return Err(format!(
                "model.stft_n_fft {size} is not a power of two, or stft_hop_length {hop} above half of it"
            ));
        }
        if let Some(window) = model.remove("stft_win_length").filter(|window| *window != size) {
            return Err(format!("model.stft_win_length is {window}; only {size} is supported"));
        }
        let (bands, is_mel) = bands_of(&mut model, size, sample_rate)?;
        let flag = |model: &mut Map<String, Value>, name: &str, default| match model.remove(name) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(value),
            Some(other) => Err(format!("model.{name} is {other}, not true or false")),
        };
        let zero_dc = flag(&mut model, "zero_dc", true)?;
        let norms = [flag(&mut model, "norm_output", is_mel)?, !is_mel];
        check_rest(model)?;
        check_inference(configuration)?;
        let topology = RoformerTopology {
            stems: stems_of(configuration, stems)?,
            sample_rate,
            stft,
            chunk,
            bands,
            dim,
            depth,
            transformer_depths: [time, frequency],
            heads,
            dim_head,
            hidden: [dim * factor, dim * mask_factor],
            mask_layers: mask_depth + usize::from(is_mel),
            norms,
            zero_dc,
        };
        topology.fault().map_or(Ok(topology), Err)
    }

    /// The first product of arguments above its limit, in words.
    fn fault(&self) -> Option<String> {
        let layers = self.depth * self.transformer_depths.iter().sum::<usize>();
        let tokens = self.bands.len().saturating_mul(self.columns());
        let heads = self.dim_head % 2;
        [
            (heads != 0).then(|| format!("model.dim_head {} is odd", self.dim_head)),
            (layers > MOST_LAYERS).then(|| {
                format!("the model has {layers} transformer layers, more than {MOST_LAYERS}")
            }),
            (tokens > MOST_TOKENS)
                .then(|| format!("a chunk has {tokens} tokens, more than {MOST_TOKENS}")),
        ]
        .into_iter()
        .flatten()
        .next()
    }
}

/// A number within its limits.
fn number(
    name: &str,
    value: Option<Value>,
    default: Option<usize>,
    limits: &RangeInclusive<usize>,
) -> Result<usize, String> {
    let Some(value) = value else { return default.ok_or(format!("{name} is missing")) };
    let whole = value.as_u64().and_then(|value| usize::try_from(value).ok());
    whole.filter(|whole| limits.contains(whole)).ok_or_else(|| {
        let mut value = value.to_string();
        value.truncate(value.floor_char_boundary(60));
        format!("{name} is {value}, not a whole number from {} to {}", limits.start(), limits.end())
    })
}

/// Sample rate and frames of a chunk.
fn audio(configuration: &Configuration, size: usize) -> Result<(Hertz, usize), String> {
    let audio = configuration.section("audio")?;
    let given = |name: &str| audio.get(name).cloned();
    let rates = 8_000..=384_000;
    let rate = number("audio.sample_rate", given("sample_rate"), Some(44_100), &rates)?;
    let sample_rate = u32::try_from(rate).map(Hertz).ok().filter(|rate| rate.is_supported());
    let sample_rate = sample_rate.ok_or(format!("audio.sample_rate {rate} is not supported"))?;
    number("audio.num_channels", given("num_channels"), Some(2), &(2..=2))?;
    let (name, chunk) = configuration.chunk_size();
    let chunk = number(name, chunk.cloned(), None, &(2 * size..=1 << 26))?;
    Ok((sample_rate, chunk))
}

/// The bands, and whether they are those of a mel scale.
fn bands_of(
    model: &mut Map<String, Value>,
    size: usize,
    rate: Hertz,
) -> Result<(Vec<Range<usize>>, bool), String> {
    match (model.remove("freqs_per_bands"), model.remove("num_bands")) {
        (None, Some(count)) => {
            let count = number("model.num_bands", Some(count), None, &(2..=MOST_BANDS))?;
            // Of the filters, whatever the audio's is.
            let rates = 8_000..=384_000;
            let rate = number(
                "model.sample_rate",
                model.get("sample_rate").cloned(),
                Some(rate.0 as usize),
                &rates,
            )?;
            let rate = Hertz(u32::try_from(rate).unwrap_or(u32::MAX));
            Ok((bands::mel(count, size, rate).map_err(|reason| format!("model.{reason}"))?, true))
        }
        (Some(Value::Array(sizes)), None) if (2..=MOST_BANDS).contains(&sizes.len()) => {
            let one =
                |size| number("a value of model.freqs_per_bands", Some(size), None, &(1..=65_536));
            let sizes = sizes.into_iter().map(one).collect::<Result<Vec<_>, _>>()?;
            let bands = bands::consecutive(&sizes, size / 2 + 1);
            Ok((bands.map_err(|reason| format!("model.{reason}"))?, false))
        }
        (Some(_), Some(_)) => {
            Err("model has freqs_per_bands and num_bands; only one is supported".into())
        }
        _ => Err(format!("model.freqs_per_bands is not a list of 2 to {MOST_BANDS} numbers")),
    }
}

/// Checks the arguments that do not shape the network.
fn check_rest(mut model: Map<String, Value>) -> Result<(), String> {
    for (name, only) in FIXED {
        // Mono is the default of the trainer.
        let given = model.remove(name).or((name == "stereo").then_some(Value::Bool(false)));
        if let Some(given) = given.filter(|given| *given != only) {
            return Err(format!("model.{name} is {given}; only {only} is supported"));
        }
    }
    if let Some(depth) = model.remove("linear_transformer_depth").filter(|depth| *depth != 0) {
        return Err(format!("model.linear_transformer_depth is {depth}; only 0 is supported"));
    }
    match model.keys().find(|name| !IGNORED.contains(&name.as_str())) {
        Some(name) => Err(format!("its model is not a RoFormer: unknown field `{name:.64}`")),
        None => Ok(()),
    }
}

/// The input is not normalised, as it is not with the published configurations.
fn check_inference(configuration: &Configuration) -> Result<(), String> {
    let Ok(inference) = configuration.section("inference") else { return Ok(()) };
    match inference.get("normalize") {
        None | Some(Value::Bool(false)) => Ok(()),
        Some(other) => Err(format!("inference.normalize is {other}; only false is supported")),
    }
}

/// The stem that models for karaoke call so, if it is one of theirs: they separate the lead vocals.
fn of_karaoke(instrument: &str) -> Option<StemName> {
    match instrument.to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
        "karaoke" | "lead" | "lead_vocal" | "lead_vocals" => Some(StemName::lead_vocals()),
        "back" | "backing" | "back_vocal" | "back_vocals" | "backing_vocal" | "backing_vocals" => {
            Some(StemName::backing_vocals())
        }
        _ => None,
    }
}

/// The stems: `training.target_instrument` alone, or else `training.instruments`, by the names of this program.
fn stems_of(configuration: &Configuration, count: usize) -> Result<Vec<StemName>, String> {
    let training = configuration.section("training")?;
    let target = training.get("target_instrument").filter(|target| !target.is_null());
    let names = match (target, training.get("instruments")) {
        (Some(target), _) => std::slice::from_ref(target),
        (None, Some(Value::Array(names))) => names,
        (None, _) => return Err("training.instruments is not a list of names".into()),
    };
    let name = |name: &Value| {
        let text = name.as_str().ok_or_else(|| format!("the instrument {name} is not a name"))?;
        let text: String = text.chars().take(64).collect();
        let stem = of_karaoke(&text).map_or_else(|| stem_of(&text), Ok);
        stem.map_err(|error| format!("training: {error}"))
    };
    let stems = names.iter().map(name).collect::<Result<Vec<StemName>, _>>()?;
    if stems.len() != count {
        return Err(format!(
            "training has {} instruments, but model.num_stems is {count}",
            stems.len()
        ));
    }
    Ok(stems)
}
