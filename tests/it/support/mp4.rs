//! Edit lists of MP4 files (ISO/IEC 14496-12, 8.6.6).

/// A pause in place of the start of an edit.
pub const PAUSE: i32 = -1;

/// An MP4 file of one track with these edits: length in units of the movie, and start in units of the track. Its header must
/// be its last box, so that it can grow.
pub fn with_edits(file: &[u8], edits: &[(u32, i32)]) -> Vec<u8> {
    let entries = edits.iter().flat_map(|(length, start)| {
        [length.to_be_bytes(), start.to_be_bytes(), 0x1_0000_u32.to_be_bytes()].concat()
    });
    let head = [[0; 4], (edits.len() as u32).to_be_bytes()].concat();
    let list = atom(b"elst", &head.into_iter().chain(entries).collect::<Vec<_>>());
    rebuilt(file, &atom(b"edts", &list))
}

fn atom(kind: &[u8], content: &[u8]) -> Vec<u8> {
    [&(8 + content.len() as u32).to_be_bytes(), kind, content].concat()
}

/// The boxes with these edits behind each `tkhd`, and no others.
fn rebuilt(mut boxes: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(size) = boxes.first_chunk() {
        let (first, rest) = boxes.split_at(u32::from_be_bytes(*size) as usize);
        let (kind, content) = first[4..].split_at(4);
        match kind {
            b"moov" | b"trak" => out.extend(atom(kind, &rebuilt(content, edits))),
            b"tkhd" => out.extend([first, edits].concat()),
            b"edts" => {}
            _ => out.extend(first),
        }
        boxes = rest;
    }
    out
}
