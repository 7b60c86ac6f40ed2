//! Decoding: the bytes of an upload that may still be growing become blocks of stereo.
//!
//! [`Decoder`] is the entry point, [`track::TrackReader`] the same at one sample rate. The upload's
//! format is probed from its content; a demuxer (`containers`) splits it into packets, a codec
//! (`codecs`) turns packets into samples, and `downmix` makes two channels of them.
//!
//! | container | codecs | trimmed | concatenated files |
//! |---|---|---|---|
//! | WAV, RF64, BW64, Wave64 | PCM: integers of 8 to 32 bits, floats of 32 and 64, µ-law, A-law | nothing | next link |
//! | AIFF, AIFF-C | PCM as above, both byte orders | nothing | ignored |
//! | FLAC | FLAC of up to 24 bits | nothing | next link |
//! | MP3 | MPEG-1, MPEG-2 and MPEG-2.5 layer III | by the LAME or Lavc tag | next link |
//! | MPEG audio | MPEG-1 and MPEG-2 layer I and II | nothing | next link |
//! | ADTS | AAC-LC of one or two channels | nothing | ignored |
//! | Ogg | Opus, Vorbis, FLAC | by the positions of the first and last page, Opus by its header too | next link |
//! | MP4, M4A, QuickTime, fragmented or not | AAC-LC of one or two channels, ALAC, FLAC, Opus, MP3, PCM | by `iTunSMPB` or the edit list | ignored |
//! | Matroska, WebM | Opus, Vorbis, FLAC, AAC-LC of one or two channels, MP3, MP1, MP2, ALAC, PCM | by the codec's delay and the padding of blocks | next link |
//! | none (raw) | PCM of 16 or 24 bits, 32-bit floats | nothing | |
//!
//! Of several audio tracks in MP4, Matroska or Ogg, one is decoded ([`Input::Track`]). Beside pictures in MP4 and Matroska,
//! late audio begins with silence. Edits of an MP4 track are followed: parts are left out, pauses are silence.
//!
//! A *link* is one stream of a chain of concatenated files. Each [`Block`] carries the sample rate
//! of its link. A link with an unsupported rate, channel count or codec ends the decoding with that
//! error; a link with broken headers ends it without one and is counted in the [`DecodeReport`].
//!
//! Guarantees: the blocks depend on the bytes alone, not on how fast or in which pieces they
//! arrive. No input causes a panic: a packet on which a codec panics becomes silence. What decoding
//! may cost is bounded by [`DecodeLimits`].

mod codecs;
mod containers;
mod decoder;
mod demux;
mod downmix;
mod edits;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod limits;
mod link;
mod panics;
mod part;
mod probe;
mod reader;
mod report;
mod silence;
pub mod tags;
pub mod track;
mod track_choice;
mod upload;

pub use decoder::{Block, Decoder, Input};
pub(crate) use error::CHOOSE_TRACK;
pub use error::{DecodeError, UnknownContent};
pub use limits::DecodeLimits;
pub use report::{AudioTrack, CodecName, Container, DecodeReport, SourceInfo};
pub use silence::{EdgeKind, SilenceDetector, SilenceEdge};
pub use upload::{Complete, ReadAt};
