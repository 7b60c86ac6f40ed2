//! Published figures of a model's quality.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audio::StemName;

/// A published measurement of quality on a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedQuality {
    /// The data set.
    pub data: String,
    /// Where the figures are published: an address or a paper.
    pub source: String,
    /// Signal-to-distortion ratio of each measured stem, dB.
    pub sdr: BTreeMap<StemName, f64>,
}

impl PublishedQuality {
    /// The mean SDR of `stems`, dB; `None` if there are none, or one was not measured.
    pub fn mean_sdr(&self, stems: &[StemName]) -> Option<f64> {
        let figures: Option<Vec<f64>> =
            stems.iter().map(|stem| self.sdr.get(stem).copied()).collect();
        let figures = figures.filter(|figures| !figures.is_empty())?;
        Some(figures.iter().sum::<f64>() / figures.len() as f64)
    }

    /// The first contradiction to a card with these stems, in words.
    pub(super) fn fault(&self, stems: &[StemName]) -> Option<String> {
        if self.data.is_empty() || self.source.is_empty() || self.sdr.is_empty() {
            return Some("a quality needs data, source and the sdr of a stem".into());
        }
        if let Some(stem) = self.sdr.keys().find(|stem| !stems.contains(stem)) {
            return Some(format!("quality.sdr names {stem}, which is no stem of the model"));
        }
        let finite = self.sdr.values().all(|sdr| sdr.is_finite());
        (!finite).then(|| "quality.sdr must be finite".into())
    }
}
