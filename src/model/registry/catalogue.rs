//! The models that their authors publish, pinned by hash.
//!
//! Card and graph are part of the binary; the hashes are in the cards. The weights never are: their
//! licence is not ours to give.

use std::path::{Path, PathBuf};

use super::RegistryError;
use crate::files::part_path;
use crate::model::card::WeightsFile;
use crate::model::{Model, ModelCard};

/// A model that its authors publish.
#[derive(Debug, Clone)]
pub struct PublishedModel {
    /// Its card; the files of weights are named and hashed as they are published.
    pub card: ModelCard,
    /// The graph that they fill.
    pub graph: &'static [u8],
    /// The address of the folder in which they lie.
    pub address: &'static str,
    /// Bytes of each file, to the megabyte at least: how far a download is. The hash decides.
    pub file_bytes: u64,
}

struct Entry {
    card: &'static str,
    graph: &'static [u8],
    address: &'static str,
    file_bytes: u64,
}

const HTDEMUCS_GRAPH: &[u8] = include_bytes!("../../../models/htdemucs/graph.onnx");

const SPLEETER: &str = "https://github.com/deezer/spleeter/releases/download/v1.4.0";

const TABLE: [Entry; 6] = [
    Entry {
        card: include_str!("../../../models/htdemucs/card.toml"),
        graph: HTDEMUCS_GRAPH,
        address: "https://huggingface.co/adefossez/HTDemucs/resolve/bf35a81b663819a8255c8fefee17f9d812b786b5",
        file_bytes: 84_025_440,
    },
    Entry {
        card: include_str!("../../../models/htdemucs_ft/card.toml"),
        graph: HTDEMUCS_GRAPH,
        address: "https://huggingface.co/adefossez/HTDemucs-ft/resolve/478be8a68f85418addd6f7baefd4be76522a4034",
        file_bytes: 84_025_440,
    },
    Entry {
        card: include_str!("../../../models/htdemucs_6s/card.toml"),
        graph: include_bytes!("../../../models/htdemucs_6s/graph.onnx"),
        address: "https://huggingface.co/adefossez/HTDemucs-6s/resolve/3c5ee475be622df764938de97e4281a7b07ffa58",
        file_bytes: 54_885_744,
    },
    Entry {
        card: include_str!("../../../models/spleeter-2stems/card.toml"),
        graph: include_bytes!("../../../models/spleeter-2stems/graph.onnx"),
        address: SPLEETER,
        file_bytes: 73_109_797,
    },
    // Twice and two and a half times as many networks.
    Entry {
        card: include_str!("../../../models/spleeter-4stems/card.toml"),
        graph: include_bytes!("../../../models/spleeter-4stems/graph.onnx"),
        address: SPLEETER,
        file_bytes: 146_000_000,
    },
    Entry {
        card: include_str!("../../../models/spleeter-5stems/card.toml"),
        graph: include_bytes!("../../../models/spleeter-5stems/graph.onnx"),
        address: SPLEETER,
        file_bytes: 183_000_000,
    },
];

impl PublishedModel {
    /// All of them.
    pub fn all() -> impl Iterator<Item = PublishedModel> {
        // A test reads every card, so that none is left out here.
        TABLE.iter().filter_map(|entry| {
            let card = ModelCard::parse(entry.card, "(embedded)").ok()?;
            let Entry { graph, address, file_bytes, .. } = *entry;
            Some(PublishedModel { card, graph, address, file_bytes })
        })
    }

    /// The one of that name.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] with the names there are.
    pub fn find(name: &str) -> Result<PublishedModel, RegistryError> {
        PublishedModel::all().find(|published| published.card.name.as_str() == name).ok_or_else(
            || {
                let known: Vec<_> =
                    PublishedModel::all().map(|p| p.card.name.to_string()).collect();
                RegistryError::Unknown { name: name.to_owned(), known: known.join(", ") }
            },
        )
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.file_bytes * self.card.weights.len() as u64
    }

    /// Bytes of its files that are in its folder, finished or not.
    pub fn bytes_here(&self, models: &Path) -> u64 {
        let bytes = |path: &Path| path.metadata().map_or(0, |data| data.len());
        let here = |weights: &WeightsFile| {
            let path = self.folder(models).join(&weights.file);
            bytes(&path) + bytes(&part_path(&path))
        };
        self.card.weights.iter().map(here).sum()
    }

    /// Where one of its files is published; below `mirror`, where one is named, the path is the same.
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

    /// Its folder in the folder of models.
    pub fn folder(&self, models: &Path) -> PathBuf {
        models.join(self.card.name.as_str())
    }

    /// The model, where all its files are in its folder.
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
    fn every_card_is_read_and_names_the_graph_that_goes_with_it() {
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
