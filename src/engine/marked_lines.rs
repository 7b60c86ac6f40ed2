//! The output of a child that runs an engine: lines that begin with a mark, between those of the libraries that it has
//! loaded, and samples as float32 little-endian.

use std::io::{self, BufRead, Read, Write};

/// The longest part of a line that is read at once, in bytes. Marked lines are shorter.
const MAX_LINE_BYTES: u64 = 64 << 10;

/// Writes a line.
///
/// # Errors
/// I/O errors of `output`.
pub(super) fn write_line(output: &mut impl Write, mark: &str, text: &str) -> io::Result<()> {
    // A library may have left an unfinished line.
    write!(output, "\n{mark}{text}\n")?;
    output.flush()
}

/// Reads the next marked line, without its mark and its end; `None` at the end of the output.
pub(super) fn next_line(output: &mut impl BufRead, mark: &str) -> Option<String> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if output.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if let Some(text) = line.strip_prefix(mark.as_bytes()) {
            return Some(String::from_utf8_lossy(text).trim_end().to_owned());
        }
    }
}

/// The bytes of samples.
pub(super) fn to_bytes<'a>(planes: impl IntoIterator<Item = &'a [f32]>) -> Vec<u8> {
    planes.into_iter().flatten().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Reads samples of so many bytes; `None` if the input ends before.
pub(super) fn read_samples(input: &mut impl Read, bytes: usize) -> Option<Vec<f32>> {
    let mut buffer = vec![0; bytes];
    input.read_exact(&mut buffer).ok()?;
    let sample = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    Some(buffer.chunks_exact(4).map(sample).collect())
}
