//! The fuzz target of PyTorch checkpoints.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Bytes of each of the storages 0 to 3.
const STORAGE_BYTES: usize = 256;

/// A checkpoint of any bytes, and one with these bytes as its pickle and four storages.
pub(crate) fn pytorch(bytes: &[u8]) {
    read(bytes);
    read(&archive(bytes).expect("writing to memory succeeds"));
}

fn archive(pickle: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    writer.start_file("archive/data.pkl", stored)?;
    writer.write_all(pickle)?;
    for key in 0..4 {
        writer.start_file(format!("archive/data/{key}"), stored)?;
        writer.write_all(&[key; STORAGE_BYTES])?;
    }
    Ok(writer.finish()?.into_inner())
}

fn read(bytes: &[u8]) {
    let Ok(file) = super::PytorchFile::open(Cursor::new(bytes)) else { return };
    let shapes = file.shapes();
    let mut values = 0;
    let result = file.read(&|_| false, &mut |tensor| {
        assert_eq!(shapes[&tensor.name], tensor.shape);
        assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
        values += tensor.values.len();
        Ok(())
    });
    assert!(result.is_err() || values <= super::MAX_SHARING * bytes.len());
}
