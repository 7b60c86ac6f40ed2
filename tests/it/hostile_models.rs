//! Checkpoints that are damaged or made to do harm, imported as users import them: refused by name, nothing is executed, and
//! nothing is left in the models folder.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use stemwire::model::registry::RegistryError;
use stemwire::model::registry::import::{ImportRequest, import};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::support::mutate::{Random, mutate};
use crate::support::pipeline::golden;

/// Checkpoints with configurations beside them.
const MODELS: [&str; 2] = ["mel_tiny", "bs_tiny"];

/// Imports `checkpoint` with this configuration into `models`.
fn import_bytes(models: &Path, checkpoint: &[u8], config: &str) -> Result<(), RegistryError> {
    let given = tempfile::tempdir().unwrap();
    let [weights, configuration] = ["given.ckpt", "given.yaml"].map(|name| given.path().join(name));
    fs::write(&weights, checkpoint).unwrap();
    fs::write(&configuration, config).unwrap();
    let request = ImportRequest {
        name: &"hostile".parse().unwrap(),
        published: None,
        paths: &[weights],
        allow_unverified: true,
        config: Some(&configuration),
        stems: &[],
        graph: None,
        mdx: Default::default(),
    };
    import(&request, models, &mut |_| {}).map(drop)
}

fn checkpoint(model: &str) -> Vec<u8> {
    fs::read(golden().join("roformer").join(format!("{model}.ckpt"))).unwrap()
}

fn configuration(model: &str) -> String {
    fs::read_to_string(golden().join("roformer").join(format!("{model}.yaml"))).unwrap()
}

/// The archive with the contents of one file changed, and a checksum that fits.
fn with_file(archive: &[u8], suffix: &str, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut source = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut found = false;
    for index in 0..source.len() {
        let mut file = source.by_index(index).unwrap();
        let (name, mut bytes) = (file.name().unwrap().into_owned(), Vec::new());
        file.read_to_end(&mut bytes).unwrap();
        if name.ends_with(suffix) {
            found = true;
            change(&mut bytes);
        }
        writer.start_file(name, stored).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    assert!(found, "no {suffix}");
    writer.finish().unwrap().into_inner()
}

#[track_caller]
fn check_refused(checkpoint: &[u8], config: &str, expected: &str) {
    let models = tempfile::tempdir().unwrap();
    let error = import_bytes(models.path(), checkpoint, config).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(expected), "{text:?} lacks {expected:?}");
    assert!(!error.remedy().is_empty());
    assert_eq!(fs::read_dir(models.path()).unwrap().count(), 0, "{expected}: something is left");
}

#[test]
fn a_checkpoint_that_calls_a_command_executes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("executed");
    let command = format!("touch {}", marker.display());
    // What pickle.dumps writes for an object whose __reduce__ returns a function and its arguments.
    for (global, named) in [("posix\nsystem", "posix.system"), ("builtins\neval", "builtins.eval")]
    {
        let length = (command.len() as u32).to_le_bytes();
        let text = [b"X", &length[..], command.as_bytes()].concat();
        let pickle = [b"\x80\x02c", global.as_bytes(), b"\n", &text, b"\x85R."].concat();
        for model in MODELS {
            let hostile = with_file(&checkpoint(model), "data.pkl", |bytes| {
                bytes.clone_from(&pickle);
            });
            check_refused(&hostile, &configuration(model), named);
        }
    }
    assert!(!marker.exists());
}

#[test]
fn weights_that_are_no_numbers_are_refused_by_the_name_of_their_tensor() {
    for model in MODELS {
        let broken = with_file(&checkpoint(model), "/data/0", |bytes| {
            bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        });
        check_refused(&broken, &configuration(model), "has the value NaN");
    }
}

#[test]
fn weights_of_another_shape_are_refused_with_the_first_difference() {
    let config = configuration("mel_tiny").replace("dim: 8", "dim: 16");
    let expected =
        "tensor band_split.to_features.0.1.bias has the shape [8], the graph requires [16]";
    check_refused(&checkpoint("mel_tiny"), &config, expected);
}

#[test]
fn damaged_checkpoints_are_refused_or_installed_whole() {
    let count = std::env::var("STEMWIRE_MUTATIONS").ok().and_then(|count| count.parse().ok());
    for model in MODELS {
        let (original, config) = (checkpoint(model), configuration(model));
        let mut random = Random(19);
        let mut refused = 0;
        for number in 0..count.unwrap_or(25) {
            let models = tempfile::tempdir().unwrap();
            let result = import_bytes(models.path(), &mutate(&original, &mut random), &config);
            let left = fs::read_dir(models.path()).unwrap().count();
            assert_eq!(left, usize::from(result.is_ok()), "{model}, mutation {number}");
            if let Err(error) = result {
                refused += 1;
                assert!(error.to_string().len() < 1000, "{error}");
            }
        }
        assert!(refused > 0);
    }
}
