//! `stemwire separate`.

use std::path::PathBuf;

use clap::Args;

use super::EngineArgs;
use crate::audio::FileFormat;
use crate::dsp::mask::MaskExtension;
use crate::session::settings::{Accompaniment, Normalization, OutputRate, RawPcm};

#[derive(Debug, Args)]
pub(in crate::cli) struct Separate {
    /// Songs; `-` reads standard input
    #[arg(required = true, value_name = "SONG")]
    pub(in crate::cli) songs: Vec<PathBuf>,
    /// Folder for the stems, which go to DIR/SONG/STEM.wav
    #[arg(short, long, value_name = "DIR", default_value = "stems")]
    pub(in crate::cli) output: PathBuf,
    /// Model; the first of the chain if left out
    #[arg(long, value_name = "NAME", env = "STEMWIRE_MODEL")]
    pub(in crate::cli) model: Option<String>,
    /// Stems wanted; all of the model's if left out
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(in crate::cli) stems: Vec<String>,
    /// Only this stem and everything else
    #[arg(long, value_name = "STEM", conflicts_with = "stems", value_parser = ["vocals"])]
    pub(in crate::cli) two_stems: Option<String>,
    /// Server that computes; this machine does if left out
    #[arg(long, value_name = "URL", env = "STEMWIRE_SERVER")]
    pub(in crate::cli) server: Option<String>,
    /// The server's token
    #[arg(long, env = "STEMWIRE_TOKEN", hide_env_values = true)]
    pub(in crate::cli) token: Option<String>,
    /// Authority that has signed the server's certificate, as PEM
    #[arg(long, value_name = "FILE", env = "STEMWIRE_TLS_CA")]
    pub(in crate::cli) tls_ca: Option<PathBuf>,
    /// How loudness is made fit for the model
    #[arg(long, value_enum, default_value_t = Normalization::Streaming)]
    pub(in crate::cli) normalization: Normalization,
    /// Form of the files
    #[arg(long, value_enum, default_value_t = FileFormat::WavF32)]
    pub(in crate::cli) format: FileFormat,
    /// Sample rate of the stems
    #[arg(long, value_enum, default_value_t = OutputRate::Model)]
    pub(in crate::cli) rate: OutputRate,
    /// Fail where the model fails, instead of going on with another
    #[arg(long)]
    pub(in crate::cli) no_fallback: bool,
    /// How much of a segment overlaps the next, 0 to 0.9
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    pub(in crate::cli) overlap: Option<f64>,
    /// What a mask of Spleeter's kind is worth above 11 kHz, where its model does not look
    #[arg(long, value_enum, default_value_t = MaskExtension::Average)]
    pub(in crate::cli) mask_extension: MaskExtension,
    /// What the accompaniment is made of
    #[arg(long, value_enum, default_value_t = Accompaniment::Sum)]
    pub(in crate::cli) accompaniment: Accompaniment,
    /// Lower all stems by one gain where integers would clip, so that they still sum
    #[arg(long)]
    pub(in crate::cli) fit: bool,
    /// Form of the input if it is raw PCM: ENCODING:RATE:CHANNELS, such as s16le:48000:2
    #[arg(long, value_name = "FORM")]
    pub(in crate::cli) raw: Option<RawPcm>,
    /// Write this stem as raw PCM to standard output as it comes, and no files
    #[arg(long, value_name = "STEM", conflicts_with_all = ["two_stems", "stems", "fit", "output", "force"])]
    pub(in crate::cli) stdout: Option<String>,
    /// Make stems anew that are there
    #[arg(short, long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) engine: EngineArgs,
}
