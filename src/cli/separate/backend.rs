//! What separates songs: this process, or a server.

use std::path::Path;

use super::destination::Destination;
use super::inputs::SongJob;
use super::progress::ProgressDisplay;
use super::results::{RequestedModel, SeparatedSong};
use crate::cli::error::CliError;
use crate::session::Settings;

/// Separates songs, locally or on a server. Knows its models before it is started.
pub(super) trait Backend {
    /// The model that will be used; `None` if there is none, which the separation reports, or if it is chosen for each song.
    fn model(&self) -> Result<Option<RequestedModel>, CliError>;

    /// Starts it for so many songs at a time. The files of songs go to a scratch directory in this folder, which is made
    /// last: a run that computes nothing leaves nothing.
    fn start(
        self: Box<Self>,
        scratch_parent: &Path,
        jobs: usize,
    ) -> Result<Box<dyn Separator>, CliError>;
}

/// A started [`Backend`].
pub(super) trait Separator: Sync {
    /// Separates one song. If the destination is a pipe, the stem is written to it as it is computed.
    fn separate(
        &self,
        song: &SongJob,
        settings: Settings,
        destination: &Destination,
        display: &ProgressDisplay<'_>,
    ) -> Result<SeparatedSong, CliError>;
}
