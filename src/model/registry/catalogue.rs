//! The catalogue of published models, pinned by hash.
//!
//! Cards, with the hashes, and graphs are part of the binary, or the configurations that graphs are made of. The weights are
//! not: they are large, and not all licences allow redistribution by others.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::RegistryError;
use crate::files::part_path;
use crate::model::card::WeightsFile;
use crate::model::checkpoint::configuration::Configuration;
use crate::model::roformer::{RoformerTopology, build_graph};
use crate::model::{Model, ModelCard};

/// A published model.
#[derive(Debug, Clone)]
pub struct PublishedModel {
    /// Its card, with names and hashes of the published files.
    pub card: ModelCard,
    /// The graph for the weights.
    pub graph: &'static [u8],
    /// Address of the folder of the files; `None` if the licence is not stated: such files are only imported.
    pub address: Option<&'static str>,
    /// Size of each file, for the progress of a download; exact to the megabyte.
    pub file_bytes: u64,
}

struct CatalogueEntry {
    card: &'static str,
    graph: fn() -> &'static [u8],
    address: Option<&'static str>,
    file_bytes: u64,
}

static HTDEMUCS_GRAPH: &[u8] = include_bytes!("../../../models/htdemucs/graph.onnx");

static MELBAND_KIM_GRAPH: LazyLock<Vec<u8>> =
    LazyLock::new(|| roformer(include_str!("../../../models/melband-kim/config.yaml")));

static BS_ROFORMER_VIPERX_GRAPH: LazyLock<Vec<u8>> =
    LazyLock::new(|| roformer(include_str!("../../../models/bs-roformer-viperx/config.yaml")));

/// The graph of a RoFormer with that configuration. A test holds that there is one, and its hash.
fn roformer(configuration: &str) -> Vec<u8> {
    let topology = Configuration::parse(configuration)
        .and_then(|configuration| RoformerTopology::of(&configuration));
    topology.map_or(Vec::new(), |topology| build_graph(&topology))
}

const SPLEETER: &str = "https://github.com/deezer/spleeter/releases/download/v1.4.0";

static TABLE: [CatalogueEntry; 11] = [
    CatalogueEntry {
        card: include_str!("../../../models/htdemucs/card.toml"),
        graph: || HTDEMUCS_GRAPH,
        address: Some(
            "https://huggingface.co/adefossez/HTDemucs/resolve/bf35a81b663819a8255c8fefee17f9d812b786b5",
        ),
        file_bytes: 84_025_440,
    },
    CatalogueEntry {
        card: include_str!("../../../models/htdemucs_ft/card.toml"),
        graph: || HTDEMUCS_GRAPH,
        address: Some(
            "https://huggingface.co/adefossez/HTDemucs-ft/resolve/478be8a68f85418addd6f7baefd4be76522a4034",
        ),
        file_bytes: 84_025_440,
    },
    CatalogueEntry {
        card: include_str!("../../../models/htdemucs_6s/card.toml"),
        graph: || include_bytes!("../../../models/htdemucs_6s/graph.onnx"),
        address: Some(
            "https://huggingface.co/adefossez/HTDemucs-6s/resolve/3c5ee475be622df764938de97e4281a7b07ffa58",
        ),
        file_bytes: 54_885_744,
    },
    CatalogueEntry {
        card: include_str!("../../../models/scnet/card.toml"),
        graph: || include_bytes!("../../../models/scnet/graph.onnx"),
        address: Some(
            "https://github.com/ZFTurbo/Music-Source-Separation-Training/releases/download/v.1.0.6",
        ),
        file_bytes: 42_434_986,
    },
    CatalogueEntry {
        card: include_str!("../../../models/scnet-large/card.toml"),
        graph: || include_bytes!("../../../models/scnet-large/graph.onnx"),
        address: Some(
            "https://github.com/ZFTurbo/Music-Source-Separation-Training/releases/download/v1.0.9",
        ),
        file_bytes: 168_852_258,
    },
    CatalogueEntry {
        card: include_str!("../../../models/scnet-xl-ihf/card.toml"),
        graph: || include_bytes!("../../../models/scnet-xl-ihf/graph.onnx"),
        address: None,
        file_bytes: 214_063_778,
    },
    CatalogueEntry {
        card: include_str!("../../../models/melband-kim/card.toml"),
        graph: || &MELBAND_KIM_GRAPH,
        address: Some("https://huggingface.co/KimberleyJSN/melbandroformer/resolve/main"),
        file_bytes: 913_106_900,
    },
    CatalogueEntry {
        card: include_str!("../../../models/bs-roformer-viperx/card.toml"),
        graph: || &BS_ROFORMER_VIPERX_GRAPH,
        address: None,
        file_bytes: 639_000_000,
    },
    CatalogueEntry {
        card: include_str!("../../../models/spleeter-2stems/card.toml"),
        graph: || include_bytes!("../../../models/spleeter-2stems/graph.onnx"),
        address: Some(SPLEETER),
        file_bytes: 73_109_797,
    },
    // Two and two and a half times as many networks as spleeter-2stems.
    CatalogueEntry {
        card: include_str!("../../../models/spleeter-4stems/card.toml"),
        graph: || include_bytes!("../../../models/spleeter-4stems/graph.onnx"),
        address: Some(SPLEETER),
        file_bytes: 146_000_000,
    },
    CatalogueEntry {
        card: include_str!("../../../models/spleeter-5stems/card.toml"),
        graph: || include_bytes!("../../../models/spleeter-5stems/graph.onnx"),
        address: Some(SPLEETER),
        file_bytes: 183_000_000,
    },
];

impl PublishedModel {
    /// All published models.
    pub fn all() -> impl Iterator<Item = PublishedModel> {
        // A test parses every card, so none is skipped here.
        TABLE.iter().filter_map(|entry| {
            let card = ModelCard::parse(entry.card, "(embedded)").ok()?;
            let CatalogueEntry { graph, address, file_bytes, .. } = *entry;
            Some(PublishedModel { card, graph: graph(), address, file_bytes })
        })
    }

    /// Finds the published model of that name.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] with the known names.
    pub fn find(name: &str) -> Result<PublishedModel, RegistryError> {
        PublishedModel::all().find(|published| published.card.name.as_str() == name).ok_or_else(
            || {
                let known: Vec<_> =
                    PublishedModel::all().map(|p| p.card.name.to_string()).collect();
                RegistryError::Unknown { name: name.to_owned(), known: known.join(", ") }
            },
        )
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.file_bytes * self.card.weights.len() as u64
    }

    /// Bytes of the files in its folder, unfinished downloads included.
    pub fn bytes_here(&self, models: &Path) -> u64 {
        let bytes = |path: &Path| path.metadata().map_or(0, |data| data.len());
        let here = |weights: &WeightsFile| {
            let path = self.folder(models).join(&weights.file);
            bytes(&path) + bytes(&part_path(&path))
        };
        self.card.weights.iter().map(here).sum()
    }

    /// The address of a file, if it has one. A `mirror` replaces the server; the path stays the same.
    pub fn address_of(&self, file: &WeightsFile, mirror: Option<&str>) -> Option<String> {
        let address = self.address?;
        let folder = match mirror {
            None => address.to_owned(),
            Some(mirror) => {
                let path = address.splitn(4, '/').nth(3).unwrap_or_default();
                format!("{}/{path}", mirror.trim_end_matches('/'))
            }
        };
        Some(format!("{folder}/{}", file.file))
    }

    /// The command that installs it.
    pub fn install_command(&self) -> String {
        let name = &self.card.name;
        match self.address {
            Some(_) => format!("stemwire models pull {name}"),
            None => format!("stemwire models import {name} FILE"),
        }
    }

    /// Its folder in the models folder.
    pub fn folder(&self, models: &Path) -> PathBuf {
        models.join(self.card.name.as_str())
    }

    /// The model, if all of its files are in its folder.
    pub fn installed(&self, models: &Path) -> Option<Model> {
        let folder = self.folder(models);
        let here = self.card.weights.iter().all(|weights| folder.join(&weights.file).is_file());
        here.then(|| Model::published(self.card.clone(), self.graph, &folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sha256Hash;

    #[test]
    fn every_card_is_valid_and_has_the_hash_of_its_graph() {
        assert_eq!(PublishedModel::all().count(), TABLE.len());
        for published in PublishedModel::all() {
            let found = Sha256Hash::of(published.graph);
            assert_eq!(found, published.card.graph.sha256, "{}", published.card.name);
            assert!(published.address.is_none_or(|address| address.starts_with("https://")));
        }
    }

    #[test]
    fn a_mirror_has_the_same_paths() {
        let published = PublishedModel::find("htdemucs_6s").unwrap();
        let file = &published.card.weights[0];
        let path = "adefossez/HTDemucs-6s/resolve/3c5ee475be622df764938de97e4281a7b07ffa58/5c90dfd2.safetensors";
        let address = |mirror| published.address_of(file, mirror);
        assert_eq!(address(None).unwrap(), format!("https://huggingface.co/{path}"));
        let mirrored = address(Some("http://here:8/models/")).unwrap();
        assert_eq!(mirrored, format!("http://here:8/models/{path}"));
        let unnamed = PublishedModel::find("bs-roformer-viperx").unwrap();
        assert_eq!(unnamed.address_of(&unnamed.card.weights[0], Some("http://here")), None);
        let error = PublishedModel::find("htdemucs_v9").unwrap_err().to_string();
        assert!(error.contains("htdemucs_v9") && error.contains("htdemucs_ft"), "{error}");
    }
}
