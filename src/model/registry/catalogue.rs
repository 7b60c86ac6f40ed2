//! The catalogue of published models, pinned by hash.
//!
//! Cards, with the hashes, and graphs are part of the binary. The weights are not: they are large, and not all licences allow
//! redistribution by others.

use std::path::{Path, PathBuf};

use super::RegistryError;
use crate::files::part_path;
use crate::model::card::WeightsFile;
use crate::model::{Model, ModelCard};

/// A published model.
#[derive(Debug, Clone)]
pub struct PublishedModel {
    /// Its card, with names and hashes of the published files.
    pub card: ModelCard,
    /// The graph for the weights.
    pub graph: &'static [u8],
    /// Address of the folder of the files.
    pub address: &'static str,
    /// Size of each file, for the progress of a download; exact to the megabyte.
    pub file_bytes: u64,
}

struct CatalogueEntry {
    card: &'static str,
    graph: &'static [u8],
    address: &'static str,
    file_bytes: u64,
}

static HTDEMUCS_GRAPH: &[u8] = include_bytes!("../../../models/htdemucs/graph.onnx");

const SPLEETER: &str = "https://github.com/deezer/spleeter/releases/download/v1.4.0";

static TABLE: [CatalogueEntry; 8] = [
    CatalogueEntry {
        card: include_str!("../../../models/htdemucs/card.toml"),
        graph: HTDEMUCS_GRAPH,
        address: "https://huggingface.co/adefossez/HTDemucs/resolve/bf35a81b663819a8255c8fefee17f9d812b786b5",
        file_bytes: 84_025_440,
    },
    CatalogueEntry {
        card: include_str!("../../../models/htdemucs_ft/card.toml"),
        graph: HTDEMUCS_GRAPH,
        address: "https://huggingface.co/adefossez/HTDemucs-ft/resolve/478be8a68f85418addd6f7baefd4be76522a4034",
        file_bytes: 84_025_440,
    },
    CatalogueEntry {
        card: include_str!("../../../models/htdemucs_6s/card.toml"),
        graph: include_bytes!("../../../models/htdemucs_6s/graph.onnx"),
        address: "https://huggingface.co/adefossez/HTDemucs-6s/resolve/3c5ee475be622df764938de97e4281a7b07ffa58",
        file_bytes: 54_885_744,
    },
    CatalogueEntry {
        card: include_str!("../../../models/scnet/card.toml"),
        graph: include_bytes!("../../../models/scnet/graph.onnx"),
        address: "https://github.com/ZFTurbo/Music-Source-Separation-Training/releases/download/v.1.0.6",
        file_bytes: 42_434_986,
    },
    CatalogueEntry {
        card: include_str!("../../../models/scnet-large/card.toml"),
        graph: include_bytes!("../../../models/scnet-large/graph.onnx"),
        address: "https://github.com/ZFTurbo/Music-Source-Separation-Training/releases/download/v1.0.9",
        file_bytes: 168_852_258,
    },
    CatalogueEntry {
        card: include_str!("../../../models/spleeter-2stems/card.toml"),
        graph: include_bytes!("../../../models/spleeter-2stems/graph.onnx"),
        address: SPLEETER,
        file_bytes: 73_109_797,
    },
    // Two and two and a half times as many networks as spleeter-2stems.
    CatalogueEntry {
        card: include_str!("../../../models/spleeter-4stems/card.toml"),
        graph: include_bytes!("../../../models/spleeter-4stems/graph.onnx"),
        address: SPLEETER,
        file_bytes: 146_000_000,
    },
    CatalogueEntry {
        card: include_str!("../../../models/spleeter-5stems/card.toml"),
        graph: include_bytes!("../../../models/spleeter-5stems/graph.onnx"),
        address: SPLEETER,
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
            Some(PublishedModel { card, graph, address, file_bytes })
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

    /// The address of a file. A `mirror` replaces the server; the path stays the same.
    pub fn address_of(&self, file: &WeightsFile, mirror: Option<&str>) -> String {
        let folder = match mirror {
            None => self.address.to_owned(),
            Some(mirror) => {
                let path = self.address.splitn(4, '/').nth(3).unwrap_or_default();
                format!("{}/{path}", mirror.trim_end_matches('/'))
            }
        };
        format!("{folder}/{}", file.file)
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
            assert_eq!(Sha256Hash::of(published.graph), published.card.graph.sha256);
            assert!(published.address.starts_with("https://"));
        }
    }

    #[test]
    fn a_mirror_has_the_same_paths() {
        let published = PublishedModel::find("htdemucs_6s").unwrap();
        let file = &published.card.weights[0];
        let path = "adefossez/HTDemucs-6s/resolve/3c5ee475be622df764938de97e4281a7b07ffa58/5c90dfd2.safetensors";
        let address = |mirror| published.address_of(file, mirror);
        assert_eq!(address(None), format!("https://huggingface.co/{path}"));
        assert_eq!(address(Some("http://here:8/models/")), format!("http://here:8/models/{path}"));
        let error = PublishedModel::find("htdemucs_v9").unwrap_err().to_string();
        assert!(error.contains("htdemucs_v9") && error.contains("htdemucs_ft"), "{error}");
    }
}
