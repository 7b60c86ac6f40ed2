//! The results of `stemwire separate`: a folder of stems, with a record of what they are made from.
//!
//! A result stands for one song and one set of settings. [`place`] finds its folder, [`write_result`] writes it, and its
//! record is written last, so that a folder without one is not a result.

mod export;
mod file_options;
mod finished;
mod ni_stems;
mod output_format;
mod placement;
mod record;
mod separated_song;
mod source_summary;
mod space;

pub(super) use export::write_result;
pub(super) use file_options::FileOptions;
pub(in crate::cli) use finished::FinishedResult;
pub(super) use output_format::OutputFormat;
pub(super) use placement::{Placement, place, results_below};
pub(super) use record::{
    RequestedModel, ResultEngine, ResultIdentity, ResultModel, ResultSettings, ResultSource,
    ResultWindows, WrittenResult, has_record,
};
pub(super) use separated_song::{SeparatedSong, SeparatedStem};
pub(super) use source_summary::SourceSummary;
pub(super) use space::check_space;

#[cfg(test)]
mod tests;
