//! `stemwire models list`, and the models that it knows.

use std::fmt::Write as _;
use std::path::Path;

use indicatif::HumanBytes;

use super::ModelsFolder;
use crate::audio::StemName;
use crate::cli::error::CliError;
use crate::cli::output::write;
use crate::cli::setup;
use crate::engine::speed;
use crate::model::card::PublishedQuality;
use crate::model::registry::PublishedModel;
use crate::model::{Model, ModelCard};

/// Width of the column of names: that of the longest published one.
pub(super) const NAME_WIDTH: usize = 18;

/// A model that is installed, built in or published.
pub(super) struct KnownModel {
    pub(super) card: ModelCard,
    /// Whether it is installed, and its size, in words.
    pub(super) state: String,
    /// The command that installs it, unless it is here.
    pub(super) install: Option<String>,
}

/// Prints all known models.
pub(super) fn list(folder: &ModelsFolder) -> Result<(), CliError> {
    write(&known_models(folder).iter().map(entry).collect::<String>())
}

/// The models on this machine, then the published ones that are not.
pub(super) fn known_models(folder: &ModelsFolder) -> Vec<KnownModel> {
    let available = setup::available_models(folder.models_dir.as_deref());
    let here = |model: &Model| KnownModel {
        card: model.card().clone(),
        state: state(model),
        install: None,
    };
    let mut known: Vec<_> = available.all().iter().map(|model| here(model)).collect();
    let models = folder.path().ok();
    for published in PublishedModel::all() {
        if known.iter().all(|model| model.card.name != published.card.name) {
            let state = missing(&published, models.as_deref());
            let install = Some(published.install_command());
            known.push(KnownModel { card: published.card, state, install });
        }
    }
    known
}

/// The lines of a model in the list.
fn entry(KnownModel { card, state, install }: &KnownModel) -> String {
    let seconds = card.segment.duration(card.sample_rate).as_secs_f64();
    let mut rows = vec![
        state.clone(),
        format!("{}, segments of {seconds:.1} s", card.sample_rate),
        licence(card),
        format!("sha256 {}", card.weights_hash()),
        format!("stems {}", joined(&card.stems)),
    ];
    rows.extend(card.quality.iter().map(figures));
    if install.is_none() {
        rows.push(expected_speed(card));
    }
    let mut text = String::new();
    for (row, name) in
        rows.iter().zip([card.name.as_str()].into_iter().chain(std::iter::repeat("")))
    {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:NAME_WIDTH$} {row}");
    }
    text
}

/// The licence of a model, and whether it allows commercial use.
pub(super) fn licence(card: &ModelCard) -> String {
    let commercial = match card.commercial_use {
        Some(true) => "allowed",
        Some(false) => "not allowed",
        None => "not stated",
    };
    format!("licence {}; commercial use {commercial}", card.licence)
}

/// The speed of a model that is here, or how to measure it.
fn expected_speed(card: &ModelCard) -> String {
    match measured_speed(card) {
        Some(speed) => format!("speed {speed}"),
        None => {
            format!("speed not measured yet; `stemwire models benchmark {}` measures it", card.name)
        }
    }
}

/// The speed of a model as it was measured last on this machine, in words.
pub(super) fn measured_speed(card: &ModelCard) -> Option<String> {
    let file = setup::speeds_file()?;
    Some(speed::newest(&file, card)?.describe(card, None))
}

/// Names of stems, separated by commas.
pub(super) fn joined(stems: &[StemName]) -> String {
    stems.iter().map(StemName::as_str).collect::<Vec<_>>().join(", ")
}

/// Published figures of all measured stems.
fn figures(quality: &PublishedQuality) -> String {
    let PublishedQuality { data, source, sdr } = quality;
    let each: Vec<_> = sdr.iter().map(|(stem, sdr)| format!("{stem} {sdr:.2} dB")).collect();
    format!("SDR {} on {data} ({source})", each.join(", "))
}

fn state(model: &Model) -> String {
    let bytes = HumanBytes(model.stored_bytes());
    match model.folder() {
        None => format!("built in, {bytes}"),
        Some(folder) if model.is_verified() => format!("installed, {bytes}, {}", folder.display()),
        Some(folder) => format!("installed, NOT VERIFIED, {bytes}, {}", folder.display()),
    }
}

fn missing(published: &PublishedModel, models: Option<&Path>) -> String {
    let bytes = HumanBytes(published.bytes());
    if published.address.is_none() {
        return format!("not installed, {bytes}, import only");
    }
    match models.map_or(0, |models| published.bytes_here(models)) {
        0 => format!("not installed, {bytes} to download"),
        here => format!("not installed, {} of {bytes} downloaded", HumanBytes(here)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_column_of_their_length() {
        let longest = PublishedModel::all().map(|model| model.card.name.as_str().len()).max();
        assert_eq!(longest, Some(NAME_WIDTH));
    }
}
