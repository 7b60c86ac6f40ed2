//! MDX-Nets as UVR publishes them: one `.onnx` file each, which contains its weights.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::network::{GRAPH_FILE, NetworkShape, unfit};
use super::{ImportOutcome, ImportRequest};
use crate::audio::{Frames, Hertz, StemName};
use crate::files::{ScratchDir, write_synced};
use crate::model::card::{Family, MdxParameters, StftShape};
use crate::model::checkpoint::configuration::Configuration;
use crate::model::checkpoint::uvr::{UvrEntry, stem_of};
use crate::model::files::CARD_FILE;
use crate::model::known_mdx::KnownMdx;
use crate::model::onnx::{MOST_BYTES, SelfContained, SpectrumPorts};
use crate::model::registry::RegistryError;
use crate::model::registry::file::publish;
use crate::model::registry::import::network::Network;
use crate::model::registry::pull::DownloadStep;
use crate::model::{ModelCard, Sha256Hash};

/// Rate of all of these models.
const RATE: Hertz = Hertz(44_100);

/// Remedy for a file that is no MDX-Net.
const OTHER_FILE: &str = "Give the .onnx file of an MDX-Net as UVR has it.";

/// Remedy for missing parameters.
const GIVE_PARAMETERS: &str =
    "Give --n-fft, --compensation and --primary-stem, or UVR's model_data_new.json with --config.";

/// Remedy for other parameters.
const OTHER_PARAMETERS: &str = "Give the parameters that the file was trained with.";

/// Options for MDX-Nets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MdxOptions {
    /// Samples of a column.
    pub n_fft: Option<usize>,
    /// Factor of the network's stem in the other one.
    pub compensation: Option<f32>,
    /// The network's stem.
    pub primary_stem: Option<String>,
    /// Whether the network runs twice: [`MdxParameters::denoise`].
    pub denoise: bool,
}

/// The parameters of a file.
struct FileParameters {
    size: usize,
    compensation: f32,
    stem: StemName,
}

/// Whether the request is for an MDX-Net: one `.onnx` file, or options that only these have.
pub(super) fn is_wanted(request: &ImportRequest<'_>) -> bool {
    let is_onnx =
        |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx"));
    let is_file = matches!(request.paths, [path] if is_onnx(path));
    request.published.is_none() && is_file || request.mdx != MdxOptions::default()
}

/// Makes a folder with the file and a card. The file is checked, and read into memory once, so that nothing else can be
/// installed than what was checked.
///
/// # Errors
/// [`RegistryError::Unverifiable`] for an unknown file, [`RegistryError::Unfit`], `Io`.
pub(super) fn import(
    request: &ImportRequest<'_>,
    models: &Path,
    progress: &mut dyn FnMut(DownloadStep<'_>),
) -> Result<ImportOutcome, RegistryError> {
    let [path] = request.paths else {
        let path = request.paths.first().cloned().unwrap_or_default();
        let reason = "an MDX-Net is one file".into();
        return Err(RegistryError::Unfit { path, reason, remedy: OTHER_FILE });
    };
    if !request.stems.is_empty() {
        let reason = "an MDX-Net has one stem, and the rest of the mixture".to_owned();
        return Err(unfit(path, reason, "Name the stem with --primary-stem."));
    }
    let bytes = read(path)?;
    progress(DownloadStep::Verifying { file: GRAPH_FILE });
    let hash = Sha256Hash::of(&bytes);
    let known = KnownMdx::of(hash);
    if known.is_none() && !request.allow_unverified {
        return Err(RegistryError::Unverifiable { name: request.name.to_string() });
    }
    let ports = SelfContained::check(&bytes)
        .and_then(|graph| graph.spectrum())
        .map_err(|reason| unfit(path, reason, OTHER_FILE))?;
    let parameters = match known {
        Some(known) => {
            published(request, known).map_err(|reason| unfit(path, reason, OTHER_PARAMETERS))?
        }
        None => given(request, path, &bytes, &ports)?,
    };
    let card = card(request, known, &ports, parameters, hash)
        .and_then(|card| {
            let text = card.to_toml()?;
            ModelCard::parse(&text, CARD_FILE).map_err(|error| error.to_string())?;
            Ok(text)
        })
        .map_err(|reason| unfit(path, reason, OTHER_PARAMETERS))?;
    let scratch =
        ScratchDir::new(models, request.name.as_str()).map_err(RegistryError::io(models))?;
    let partial = scratch.path().join("model");
    fs::create_dir(&partial).map_err(RegistryError::io(&partial))?;
    for (file, bytes) in [(GRAPH_FILE, &bytes[..]), (CARD_FILE, card.as_bytes())] {
        let path = partial.join(file);
        write_synced(&path, bytes).map_err(RegistryError::io(&path))?;
    }
    publish(&partial, &models.join(request.name.as_str()))?;
    Ok(if known.is_some() { ImportOutcome::Verified } else { ImportOutcome::Unverified })
}

fn read(path: &Path) -> Result<Vec<u8>, RegistryError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(RegistryError::io(path))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(RegistryError::io(path))?;
    Ok(bytes)
}

/// The parameters of a known file. Options may repeat them.
fn published(request: &ImportRequest<'_>, known: &KnownMdx) -> Result<FileParameters, String> {
    let MdxOptions { n_fft, compensation, primary_stem, .. } = &request.mdx;
    let FileParameters { size, compensation: factor, stem } = FileParameters {
        size: known.size,
        compensation: known.compensation,
        stem: stem_of(known.stem)?,
    };
    let file = known.file;
    if n_fft.is_some_and(|n_fft| n_fft != size) {
        return Err(format!("n_fft of {file} is {size}"));
    }
    if compensation.is_some_and(|compensation| compensation != factor) {
        return Err(format!("the compensation of {file} is {factor}"));
    }
    if let Some(name) = primary_stem
        && stem_of(name)? != stem
    {
        return Err(format!("the primary stem of {file} is {stem}"));
    }
    Ok(FileParameters { size, compensation: factor, stem })
}

/// The parameters of another file, by options, and by UVR's list where there is none.
fn given(
    request: &ImportRequest<'_>,
    path: &Path,
    file: &[u8],
    ports: &SpectrumPorts,
) -> Result<FileParameters, RegistryError> {
    let refused = |reason| unfit(path, reason, GIVE_PARAMETERS);
    let entry = match request.config {
        None => None,
        Some(config) => {
            let entry = Configuration::read(config).and_then(|list| UvrEntry::find(&list, file));
            let entry = entry.map_err(|reason| unfit(config, reason, GIVE_PARAMETERS))?;
            if (entry.bins, entry.columns()) != (ports.bins, Some(ports.columns)) {
                return Err(refused(format!(
                    "the list has {} bins in {} columns for it, its input {} in {}",
                    entry.bins,
                    entry.columns().unwrap_or(usize::MAX),
                    ports.bins,
                    ports.columns
                )));
            }
            Some(entry)
        }
    };
    let MdxOptions { n_fft, compensation, primary_stem, .. } = &request.mdx;
    let stem = match (primary_stem, &entry) {
        (Some(name), _) => Some(stem_of(name).map_err(refused)?),
        (None, Some(entry)) => Some(entry.stem().map_err(refused)?),
        (None, None) => None,
    };
    let size = n_fft.or(entry.as_ref().map(|entry| entry.size));
    let compensation = compensation.or(entry.as_ref().map(|entry| entry.compensation));
    match (size, compensation, stem) {
        (Some(size), Some(compensation), Some(stem)) => {
            Ok(FileParameters { size, compensation, stem })
        }
        _ => Err(refused("it is none of the known files, and its parameters are not given".into())),
    }
}

fn card(
    request: &ImportRequest<'_>,
    known: Option<&KnownMdx>,
    ports: &SpectrumPorts,
    parameters: FileParameters,
    hash: Sha256Hash,
) -> Result<ModelCard, String> {
    let FileParameters { size, compensation, stem } = parameters;
    if ports.bins > size / 2 + 1 {
        return Err(format!(
            "its input has {} bins, n_fft {size} has {}",
            ports.bins,
            size / 2 + 1
        ));
    }
    let rest = match stem.left_out() {
        Some(left_out) => left_out.parse().map_err(|error| format!("{error}"))?,
        None => stem.complement().map_err(|error| error.to_string())?,
    };
    let shape = NetworkShape {
        family: Family::Mdx,
        stems: vec![stem, rest],
        sample_rate: RATE,
        segment: Frames::from_len(MdxParameters::HOP * (ports.columns - 1)),
        stft: StftShape { size, hop: MdxParameters::HOP },
        normalize: true,
    };
    let mut card = Network::new(request, shape, Vec::new()).card;
    card.graph.sha256 = hash;
    card.mdx = Some(MdxParameters { compensation, denoise: request.mdx.denoise });
    if let Some(known) = known {
        card.title = known.file.trim_end_matches(".onnx").to_owned();
        card.licence = "not stated by the authors".to_owned();
    }
    Ok(card)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelName;

    /// The card of a known file of 3,072 bins in 256 columns, imported with `options`.
    fn known_card(options: MdxOptions) -> Result<ModelCard, String> {
        let hash = "534b2070fcc7df514b13ef660dc8cbb328679c2374d04354a5c42bb14ecce111";
        let (name, hash) = ("mine".parse::<ModelName>().unwrap(), hash.parse().unwrap());
        let request = ImportRequest {
            name: &name,
            published: None,
            paths: &[],
            allow_unverified: false,
            config: None,
            graph: None,
            stems: &[],
            mdx: options,
        };
        let known = KnownMdx::of(hash).unwrap();
        let (input, output) = ("input".into(), "output".into());
        let ports = SpectrumPorts { input, output, bins: 3072, columns: 256 };
        card(&request, Some(known), &ports, published(&request, known)?, hash)
    }

    #[test]
    fn a_known_file_has_its_published_parameters_and_is_verified() {
        let card = known_card(MdxOptions { denoise: true, ..MdxOptions::default() }).unwrap();
        assert!(KnownMdx::is_of(&card));
        assert_eq!((card.segment, card.title.as_str()), (Frames(261_120), "UVR-MDX-NET-Voc_FT"));
        assert_eq!(ModelCard::parse(&card.to_toml().unwrap(), "").unwrap(), card);
    }

    #[test]
    fn options_that_contradict_a_known_file_are_refused() {
        let same = MdxOptions {
            n_fft: Some(7680),
            primary_stem: Some("Vocals".into()),
            ..MdxOptions::default()
        };
        assert!(known_card(same).is_ok());
        for (options, expected) in [
            (
                MdxOptions { n_fft: Some(6144), ..MdxOptions::default() },
                "n_fft of UVR-MDX-NET-Voc_FT.onnx is 7680",
            ),
            (MdxOptions { compensation: Some(1.0), ..MdxOptions::default() }, "is 1.021"),
            (
                MdxOptions { primary_stem: Some("drums".into()), ..MdxOptions::default() },
                "is vocals",
            ),
        ] {
            let error = known_card(options).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
