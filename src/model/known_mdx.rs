//! MDX-Nets of UVR whose files are known by their hash.
//!
//! Their authors have stated no licence, so that no address is kept: users bring their own files.

use super::card::{Family, MdxParameters, StftShape};
use super::{ModelCard, Sha256Hash};

/// A known file, and the parameters that UVR's list has for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KnownMdx {
    /// The name of the file where it is published.
    pub(crate) file: &'static str,
    sha256: &'static str,
    /// Samples of a column.
    pub(crate) size: usize,
    /// See [`MdxParameters::compensation`].
    pub(crate) compensation: f32,
    /// The network's stem.
    pub(crate) stem: &'static str,
}

const TABLE: [KnownMdx; 3] = [
    KnownMdx {
        file: "UVR-MDX-NET-Inst_HQ_3.onnx",
        sha256: "317554b07fe1ea5279a77f2b1520a41ea4b93432560c4ffd08792c30fddf9adc",
        size: 6144,
        compensation: 1.022,
        stem: "accompaniment",
    },
    KnownMdx {
        file: "Kim_Vocal_2.onnx",
        sha256: "ce74ef3b6a6024ce44211a07be9cf8bc6d87728cc852a68ab34eb8e58cde9c8b",
        size: 7680,
        compensation: 1.009,
        stem: "vocals",
    },
    KnownMdx {
        file: "UVR-MDX-NET-Voc_FT.onnx",
        sha256: "534b2070fcc7df514b13ef660dc8cbb328679c2374d04354a5c42bb14ecce111",
        size: 7680,
        compensation: 1.021,
        stem: "vocals",
    },
];

impl KnownMdx {
    /// The known file with that hash.
    pub(crate) fn of(hash: Sha256Hash) -> Option<&'static KnownMdx> {
        let text = hash.to_string();
        TABLE.iter().find(|known| known.sha256 == text)
    }

    /// Whether a card names a known file, with its parameters.
    pub(crate) fn is_of(card: &ModelCard) -> bool {
        let known = KnownMdx::of(card.graph.sha256).filter(|_| card.family == Family::Mdx);
        known.is_some_and(|known| {
            card.stft == Some(StftShape { size: known.size, hop: MdxParameters::HOP })
                && card.mdx.is_some_and(|mdx| mdx.compensation == known.compensation)
                && card.stems.first().is_some_and(|stem| stem.as_str() == known.stem)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_files_are_found_by_their_hash() {
        for known in &TABLE {
            let hash: Sha256Hash = known.sha256.parse().unwrap();
            assert_eq!(KnownMdx::of(hash), Some(known), "{}", known.file);
        }
        assert_eq!(KnownMdx::of(Sha256Hash::of(b"another")), None);
    }

    #[test]
    fn a_card_is_that_of_a_known_file_with_its_parameters_alone() {
        let text = include_str!("../../tests/golden/mdx-tiny/card.toml");
        let mut card = ModelCard::parse(text, "").unwrap();
        assert!(!KnownMdx::is_of(&card));
        card.graph.sha256 = TABLE[2].sha256.parse().unwrap();
        card.stft = Some(StftShape { size: 7680, hop: 1024 });
        card.mdx = Some(MdxParameters { compensation: 1.021, denoise: true });
        assert!(KnownMdx::is_of(&card));
        card.mdx = Some(MdxParameters { compensation: 1.0, denoise: false });
        assert!(!KnownMdx::is_of(&card));
    }
}
