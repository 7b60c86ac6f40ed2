//! `stemwire models recommend`: the known models in the order of their published figures.

use std::fmt::Write as _;

use clap::Args;

use super::ModelsFolder;
use super::listing::{KnownModel, NAME_WIDTH, joined, known_models, licence, measured_speed};
use crate::audio::StemName;
use crate::audio::stem::BadStemName;
use crate::cli::error::CliError;
use crate::cli::output::write;
use crate::cli::setup;
use crate::engine::autotune::fastest_cached;
use crate::model::ModelCard;
use crate::model::ranking::{ComparableModels, Measurement, Ranking, rank};
use crate::proto::reason::{Category, ErrorReason};

#[derive(Debug, Args)]
pub(super) struct RecommendArgs {
    /// Stems that are wanted, separated by commas, such as vocals,drums [default: all stems of each model]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    stems: Vec<String>,
    /// Only models whose stated licence clearly allows commercial use
    #[arg(long)]
    commercial: bool,
    #[command(flatten)]
    folder: ModelsFolder,
}

/// Prints the models that yield the wanted stems, best first.
pub(super) fn recommend(args: &RecommendArgs) -> Result<(), CliError> {
    let invalid = |error: BadStemName| CliError::plain(Category::Usage, error.to_string());
    let wanted: Result<Vec<StemName>, _> = args.stems.iter().map(|stem| stem.parse()).collect();
    let wanted = wanted.map_err(invalid)?;
    let known = known_models(&args.folder);
    let yields_all = |model: &&KnownModel| wanted.iter().all(|stem| model.card.yields(stem));
    let fitting: Vec<&KnownModel> = known.iter().filter(yields_all).collect();
    if fitting.is_empty() {
        return Err(no_model(&wanted, &known));
    }
    let is_allowed =
        |model: &&KnownModel| !args.commercial || model.card.commercial_use == Some(true);
    let (fitting, left_out): (Vec<_>, Vec<_>) = fitting.into_iter().partition(is_allowed);
    if fitting.is_empty() {
        let cause = format!(
            "no licence of a model that yields {} clearly allows commercial use",
            joined(&wanted)
        );
        return Err(CliError::new(Category::Usage, cause, "Run it without --commercial."));
    }
    let cards: Vec<&ModelCard> = fitting.iter().map(|model| &model.card).collect();
    let mut text = text(&rank(&cards, &wanted), &fitting, &wanted);
    if !left_out.is_empty() {
        let names: Vec<_> = left_out.iter().map(|model| model.card.name.as_str()).collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "left out, as their licence does not clearly allow commercial use: {}",
            names.join(", ")
        );
    }
    write(&text)
}

fn no_model(wanted: &[StemName], known: &[KnownModel]) -> CliError {
    let mut stems: Vec<_> = known.iter().flat_map(|model| model.card.stems.clone()).collect();
    stems.sort();
    stems.dedup();
    let cause = format!(
        "no known model yields {}: the stems of all models are {}, and no_STEM for everything but a stem",
        joined(wanted),
        joined(&stems)
    );
    let remedy = "Name stems that one model yields: see `stemwire models list`.";
    CliError::new(ErrorReason::StemUnknown.category(), cause, remedy)
}

/// The ranking, a heading per group and a few lines per model.
fn text(ranking: &Ranking<'_>, known: &[&KnownModel], wanted: &[StemName]) -> String {
    let mut text = String::new();
    let mut number = 0;
    for (index, ComparableModels { measurement, models }) in ranking.groups.iter().enumerate() {
        let incomparable = if index == 0 { "" } else { "not comparable with the figures above: " };
        text += &format!("{incomparable}{}\n", heading(measurement));
        for (card, sdr) in models {
            number += 1;
            text += &entry(&format!("{number}."), card, &format!("{sdr:.2} dB, "), known);
        }
    }
    if !ranking.unrated.is_empty() {
        let of = match wanted {
            [] => "all of their stems".to_owned(),
            [stem] => stem.to_string(),
            several => format!("all of {}", joined(several)),
        };
        text += &format!("no figure is published for {of}\n");
    }
    for card in &ranking.unrated {
        text += &entry("-", card, "", known);
    }
    text
}

fn heading(Measurement { data, source, stems }: &Measurement<'_>) -> String {
    let mean = if stems.len() == 1 { "SDR" } else { "mean SDR" };
    format!("by {mean} of {} on {data} ({source})", joined(stems))
}

fn entry(position: &str, card: &ModelCard, figure: &str, known: &[&KnownModel]) -> String {
    let Some(model) = known.iter().find(|model| model.card.name == card.name) else {
        return String::new();
    };
    let mut rows = vec![format!("stems {}", joined(&card.stems)), licence(card)];
    rows.extend(measured_speed(card).map(|speed| format!("speed {speed}")));
    let cache = setup::cache_file();
    if let Some(speed) = cache.and_then(|file| fastest_cached(&file, &card.name)) {
        rows.push(format!("autotuned earlier on this machine: {speed}"));
    }
    rows.extend(model.install.as_ref().map(|command| format!("install it with `{command}`")));
    let mut text =
        format!("{position:>3} {:NAME_WIDTH$} {figure}{}\n", card.name.as_str(), model.state);
    for row in rows {
        text += &format!("{:22} {row}\n", "");
    }
    text
}
