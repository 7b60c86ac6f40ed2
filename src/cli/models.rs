//! `stemwire models`.

use super::args::{Models, ModelsCommand};
use super::error::CliError;
use super::runtime::write;
use super::setup;
use crate::audio::StemName;

pub(super) fn run(arguments: &Models) -> Result<(), CliError> {
    let ModelsCommand::List { models_dir } = &arguments.command;
    let catalog = setup::catalog(models_dir.as_deref());
    let mut text = String::new();
    for model in catalog.models() {
        let card = model.card();
        let stems: Vec<_> = card.stems.iter().map(StemName::as_str).collect();
        let place = if model.is_embedded() { "built in" } else { "installed" };
        text += &format!(
            "{:16} {place}, {}, segments of {:.1} s, licence {}\n{:16} {}\n",
            card.name.as_str(),
            card.sample_rate,
            card.segment.duration(card.sample_rate).as_secs_f64(),
            card.licence,
            "",
            stems.join(", "),
        );
    }
    write(&text)
}
