//! The cover picture of a session's song, a file of its own.

use std::fs::File;
use std::io::{self, Read};

use super::Session;
use crate::audio::Cover;
use crate::audio::cover::MAX_COVER_BYTES;
use crate::files;
use crate::session::checksums::extend;

/// Stores the cover, and replaces one that a decoder before a restart has stored. Returns its CRC32C.
///
/// # Errors
/// I/O errors from the session directory.
pub fn write(session: &Session, cover: &Cover) -> io::Result<u32> {
    files::replace(&session.layout().cover(), cover.bytes())?;
    session.measure();
    Ok(extend(0, cover.bytes()))
}

/// The cover that the manifest records; `None` if there is none, or its file is damaged.
pub fn read(session: &Session) -> Option<Cover> {
    session.fetch_cover().ok()?;
    let manifest = session.durable_manifest();
    let source = manifest.source.as_ref()?;
    let (recorded, checksum) = (source.cover_bytes?, source.cover_crc32c);
    let file = File::open(session.layout().cover()).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_COVER_BYTES as u64).read_to_end(&mut bytes).ok()?;
    let is_intact = bytes.len() as u64 == recorded
        && checksum.is_none_or(|checksum| checksum == extend(0, &bytes));
    Cover::new(&bytes).ok().filter(|_| is_intact)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::session::manifest::{Plan, SourceRecord};
    use crate::session::{Settings, Store};

    #[test]
    fn a_damaged_cover_is_left_out() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).unwrap();
        let (session, _) = store.create(Settings::default(), Plan::for_test(&["vocals"])).unwrap();
        let cover = Cover::new(b"\x89PNG\r\n\x1a\n and more").unwrap();
        let crc32c = write(&session, &cover).unwrap();
        let mut source = SourceRecord::for_test(44_100, 2);
        source.cover_bytes = Some(cover.bytes().len() as u64);
        // Sessions of earlier versions have no checksum.
        for checksum in [None, Some(crc32c)] {
            source.cover_crc32c = checksum;
            let source = source.clone();
            session.update(|manifest| manifest.source = Some(source)).unwrap();
            assert_eq!(read(&session), Some(cover.clone()));
        }
        let mut bytes = cover.bytes().to_vec();
        bytes[12] ^= 1;
        fs::write(session.layout().cover(), bytes).unwrap();
        assert_eq!(read(&session), None);
    }
}
