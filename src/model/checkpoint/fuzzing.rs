//! Fuzz targets of weight files, their configurations and graphs.

use std::io::Cursor;

use super::configuration::Configuration;
use super::htdemucs::{HtdemucsMetadata, NetworkArguments};
use super::scnet::ScnetConfiguration;
use crate::model::onnx::{Graph, SelfContained, compare};

/// A safetensors file, read as at its import and as by the engine. The length of its header is
/// corrected, so that headers that grow stay whole.
pub(crate) fn safetensors(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    if let Some(end) = bytes.iter().rposition(|&byte| byte == b'}')
        && let Some(length) = (end + 1).checked_sub(8)
    {
        bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
    }
    drop(HtdemucsMetadata::parse(&bytes));
    drop(super::read(Cursor::new(&bytes), &mut |_| Ok(())));
}

/// A configuration in YAML.
pub(crate) fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(configuration) = Configuration::parse(&text)
        && let Ok(ScnetConfiguration { topology, .. }) = ScnetConfiguration::of(&configuration)
    {
        assert_eq!(topology.difference(&topology), None);
    }
}

/// An ONNX graph.
pub(crate) fn onnx(bytes: &[u8]) {
    drop(SelfContained::check(bytes).and_then(|graph| graph.spectrum()));
    let Ok(graph) = Graph::parse(bytes) else { return };
    let shapes = graph.open_initialisers();
    assert_eq!(compare(&shapes, &shapes), Ok(()));
    for port in ["mix", "stems", "waveform"] {
        let _ = graph.port(port);
    }
    let arguments = graph.metadata("kwargs").and_then(|text| NetworkArguments::parse(text).ok());
    if let Some(arguments) = arguments {
        assert_eq!(arguments.difference(&arguments), None);
    }
}
