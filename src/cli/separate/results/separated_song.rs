//! The separated stems of a song, in the scratch directory, before they are files of a result.

use std::any::Any;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::record::{RequestedModel, ResultEngine, ResultWindows};
use super::source_summary::SourceSummary;
use crate::audio::wav::{HEADER_BYTES, frame_bytes};
use crate::audio::{Cover, Encoding, Frames, Hertz, StemName, Stereo};
use crate::encode::FileTags;

/// The stems of a song as F32 files in the scratch directory.
#[derive(Debug)]
pub(in crate::cli::separate) struct SeparatedSong {
    pub(in crate::cli::separate) stems: Vec<SeparatedStem>,
    pub(in crate::cli::separate) rate: Hertz,
    pub(in crate::cli::separate) frames: Frames,
    /// Channels of the song.
    pub(in crate::cli::separate) source_channels: u32,
    /// What the song is, if a server has sent it.
    pub(in crate::cli::separate) source: Option<SourceSummary>,
    /// Its cover picture.
    pub(in crate::cli::separate) cover: Option<Cover>,
    /// Notices for the user.
    pub(in crate::cli::separate) notices: Vec<String>,
    /// The engines, in the order in which they computed.
    pub(in crate::cli::separate) engines: Vec<ResultEngine>,
    /// Why the first one was chosen, if the run asked for speed or quality.
    pub(in crate::cli::separate) choice: Option<String>,
    /// How the last one cut the track, if a server has sent it.
    pub(in crate::cli::separate) windows: Option<ResultWindows>,
    /// A directory for scratch files, on the file system of the output.
    pub(in crate::cli::separate) scratch: PathBuf,
    /// Removes the files when dropped.
    pub(in crate::cli::separate) _files: Box<dyn Any>,
}

impl SeparatedSong {
    /// The tags of a file with this part of the song, whose file has this name; `None` for the whole.
    pub(super) fn file_tags(&self, file_name: &str, part: Option<&str>) -> FileTags {
        let tags = self.source.as_ref().map(SourceSummary::tags).cloned().unwrap_or_default();
        FileTags::new(&tags, file_name, part, self.cover.clone())
    }

    /// The model that began it, with its stems.
    pub(in crate::cli::separate) fn model(&self) -> RequestedModel {
        let model = self.engines.first().map(|engine| engine.model.clone()).unwrap_or_default();
        RequestedModel { model, stems: self.stems.iter().map(|stem| stem.name.clone()).collect() }
    }
}

/// A stem of a song.
#[derive(Debug)]
pub(in crate::cli::separate) struct SeparatedStem {
    pub(in crate::cli::separate) name: StemName,
    pub(in crate::cli::separate) file: PathBuf,
    /// The largest absolute sample.
    pub(in crate::cli::separate) peak: f32,
}

/// Frames converted at once.
const PIECE_FRAMES: usize = 65_536;

/// The blocks of an F32 file.
pub(super) struct StemBlocks {
    file: BufReader<File>,
    bytes: Vec<u8>,
    /// Frames that are left.
    left: usize,
    gain: f32,
}

impl StemBlocks {
    /// Those of a file of so many frames.
    pub(super) fn open(path: &Path, frames: Frames, gain: f32) -> io::Result<StemBlocks> {
        let mut file = BufReader::new(File::open(path)?);
        file.seek(SeekFrom::Start(HEADER_BYTES))?;
        Ok(StemBlocks { file, bytes: Vec::new(), left: frames.as_len(), gain })
    }

    /// The next block; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Stereo>> {
        let frames = self.left.min(PIECE_FRAMES);
        if frames == 0 {
            return Ok(None);
        }
        self.bytes.resize(frames * frame_bytes(Encoding::F32Le) as usize, 0);
        self.file.read_exact(&mut self.bytes)?;
        self.left -= frames;
        let mut block = Encoding::F32Le.read_frames(&self.bytes);
        block.scale(self.gain);
        Ok(Some(block))
    }
}
