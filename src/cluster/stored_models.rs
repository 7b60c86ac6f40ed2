//! Files of models in an object store, under their hashes: in pieces, `models/SHA-256/NUMBER`, and `models/SHA-256/length`, which is
//! written last.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::model::Sha256Hash;
use crate::model::registry::stored::PieceSource;
use crate::session::replica::{CreateOutcome, Replica, ReplicaError};

/// Bytes of each piece but the last, which may be shorter: it is in memory, and a call has 30 s.
const PIECE_BYTES: u64 = 8 << 20;

/// Most bytes of a file that is read as a whole.
const MAX_SMALL_BYTES: u64 = 1 << 20;

/// Most digits of a length.
const MAX_DIGITS: u64 = 20;

/// The models in a store.
#[derive(Debug)]
pub struct StoredModels<'a> {
    store: &'a dyn Replica,
    /// What errors name it by.
    place: String,
}

/// The objects of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PushOutcome {
    /// Those that were not there.
    pub stored: u64,
    /// Those that were there with other bytes.
    pub repaired: u64,
    /// Those that were there.
    pub kept: u64,
}

impl<'a> StoredModels<'a> {
    /// Those of a store, which errors name by `place`.
    pub fn new(store: &'a dyn Replica, place: String) -> StoredModels<'a> {
        StoredModels { store, place }
    }

    /// Stores the file with this hash, as far as it is not there: `bytes` has its bytes, `progress` gets how many are there.
    ///
    /// # Errors
    /// Those of `bytes` and of the store, as a [`ReplicaError`] inside.
    pub fn push(
        &self,
        sha256: Sha256Hash,
        mut bytes: impl Read,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<PushOutcome> {
        let mut outcome = PushOutcome::default();
        let mut length = 0;
        for index in 0.. {
            progress(length);
            let mut piece = Vec::new();
            bytes.by_ref().take(PIECE_BYTES).read_to_end(&mut piece)?;
            if piece.is_empty() {
                break;
            }
            length += piece.len() as u64;
            self.push_object(&key_of_piece(sha256, index), piece, &mut outcome)?;
        }
        let text = length.to_string().into_bytes();
        self.push_object(&key_of_length(sha256), text, &mut outcome)?;
        Ok(outcome)
    }

    /// The same for a file on the disk.
    ///
    /// # Errors
    /// Those of [`StoredModels::push`].
    pub fn push_file(
        &self,
        sha256: Sha256Hash,
        path: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<PushOutcome> {
        self.push(sha256, File::open(path)?, progress)
    }

    /// A small file; `None` if it is not there, or what is there has another hash.
    ///
    /// # Errors
    /// Those of the store.
    pub fn small(&self, sha256: Sha256Hash) -> Result<Option<Vec<u8>>, ReplicaError> {
        let bytes = match self.length_of(sha256)? {
            Some(bytes @ 1..=MAX_SMALL_BYTES) => bytes,
            _ => return Ok(None),
        };
        let found = self.store.get_range(&key_of_piece(sha256, 0), 0..bytes)?;
        Ok(found.filter(|bytes| Sha256Hash::of(bytes) == sha256))
    }

    fn push_object(&self, key: &str, object: Vec<u8>, outcome: &mut PushOutcome) -> io::Result<()> {
        match self.store.create(key, object.clone())? {
            CreateOutcome::Created => outcome.stored += 1,
            CreateOutcome::Exists if self.store.get(key)?.as_ref() == Some(&object) => {
                outcome.kept += 1;
            }
            CreateOutcome::Exists => {
                self.store.put(key, object)?;
                outcome.repaired += 1;
            }
        }
        Ok(())
    }

    fn length_of(&self, sha256: Sha256Hash) -> Result<Option<u64>, ReplicaError> {
        let text = self.store.get_range(&key_of_length(sha256), 0..MAX_DIGITS)?;
        Ok(text.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok()))
    }
}

impl PieceSource for StoredModels<'_> {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn piece_bytes(&self) -> u64 {
        PIECE_BYTES
    }

    fn length(&self, sha256: Sha256Hash) -> Result<Option<u64>, String> {
        self.length_of(sha256).map_err(|error| error.cause)
    }

    fn piece(&self, sha256: Sha256Hash, index: u64, bytes: u64) -> Result<Option<Vec<u8>>, String> {
        let piece = self.store.get_range(&key_of_piece(sha256, index), 0..bytes);
        piece.map_err(|error| error.cause)
    }
}

fn key_of_piece(sha256: Sha256Hash, index: u64) -> String {
    format!("models/{sha256}/{index:06}")
}

fn key_of_length(sha256: Sha256Hash) -> String {
    format!("models/{sha256}/length")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::session::replica::memory::MemoryReplica;

    #[test]
    fn a_file_is_stored_once_and_repaired() {
        let store = MemoryReplica::default();
        let models = StoredModels::new(&store, "a store".into());
        let bytes = vec![7; 2 * usize::try_from(PIECE_BYTES).unwrap()];
        let hash = Sha256Hash::of(&bytes);
        let push = || models.push(hash, &bytes[..], &mut |_| {}).unwrap();
        let of = |stored, repaired, kept| PushOutcome { stored, repaired, kept };
        store.creates_nothing.store(true, Ordering::Release);
        assert!(models.push(hash, &bytes[..], &mut |_| {}).is_err());
        store.creates_nothing.store(false, Ordering::Release);
        assert_eq!(models.length(hash), Ok(None));
        assert_eq!(push(), of(3, 0, 0));
        let keys = [key_of_piece(hash, 0), key_of_piece(hash, 1), key_of_length(hash)];
        assert_eq!(store.keys(), keys);
        assert_eq!(models.length(hash), Ok(Some(bytes.len() as u64)));
        assert_eq!(models.piece(hash, 1, 5), Ok(Some(vec![7; 5])), "no more than is asked for");
        assert_eq!(models.piece(hash, 2, 5), Ok(None));
        for damaged in &keys {
            store.objects.lock().unwrap().get_mut(damaged).unwrap().truncate(1);
            assert_eq!(push(), of(0, 1, 2));
        }
        assert_eq!(push(), of(0, 0, 3));
    }

    #[test]
    fn a_small_file_is_what_its_hash_says_or_not_there() {
        let store = MemoryReplica::default();
        let models = StoredModels::new(&store, "a store".into());
        let hash = Sha256Hash::of(b"a card");
        assert_eq!(models.small(hash), Ok(None));
        models.push(hash, &b"a card"[..], &mut |_| {}).unwrap();
        assert_eq!(models.small(hash), Ok(Some(b"a card".to_vec())));
        models.push(hash, &b"another card"[..], &mut |_| {}).unwrap();
        assert_eq!(models.small(hash), Ok(None));
    }
}
