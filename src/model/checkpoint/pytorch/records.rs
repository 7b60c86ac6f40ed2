//! The zip archive that `torch.save` writes: `PREFIX/data.pkl`, and a file of values `PREFIX/data/KEY` per storage.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::{CompressionMethod, ZipArchive};

use crate::model::checkpoint::floats;

/// Largest file that is read; the largest published one has 913 MB.
const MAX_FILE: u64 = 4 << 30;
/// Most bytes that are read to list the files of the archive; 684 tensors take 90 kB.
const MAX_DIRECTORY: u64 = 4 << 20;
/// Largest pickle that is read; that of 684 tensors has 100 kB.
const MAX_PICKLE: u64 = 16 << 20;

const PICKLE: &[u8] = b"/data.pkl";

/// The files of an archive.
pub(super) struct ZipRecords<R> {
    zip: ZipArchive<LimitedReader<R>>,
    /// The folder of all files.
    prefix: Vec<u8>,
    /// Bytes of the archive.
    pub(super) bytes: u64,
}

impl<R: Read + Seek> ZipRecords<R> {
    /// Lists the files of an archive.
    ///
    /// # Errors
    /// The first fault, in words.
    pub(super) fn open(mut source: R) -> Result<ZipRecords<R>, String> {
        let length = source.seek(SeekFrom::End(0)).and_then(|end| source.rewind().map(|()| end));
        let bytes = length.map_err(|error| error.to_string())?;
        if bytes > MAX_FILE {
            return Err(format!("{bytes} bytes exceed the limit of {MAX_FILE}"));
        }
        let left = Rc::new(Cell::new(MAX_DIRECTORY));
        let reader = LimitedReader { source, left: Rc::clone(&left) };
        let zip = ZipArchive::new(reader).map_err(|e| format!("not a whole zip archive: {e}"))?;
        // From here on, each entry is limited by its size, which is checked against the file's.
        left.set(u64::MAX);
        if zip.has_duplicate_names() {
            return Err("the archive holds two files of one name".into());
        }
        let prefixes = zip.file_names_raw().filter_map(|name| name.strip_suffix(PICKLE));
        let mut prefixes = prefixes.filter(|prefix| !prefix.contains(&b'/'));
        let prefix = prefixes.next().ok_or("the archive holds no data.pkl of PyTorch")?.to_vec();
        if prefixes.next().is_some() {
            return Err("the archive holds two files data.pkl".into());
        }
        drop(prefixes);
        let mut records = ZipRecords { zip, prefix, bytes };
        records.check_byte_order()?;
        Ok(records)
    }

    /// The pickle.
    ///
    /// # Errors
    /// The fault, in words.
    pub(super) fn pickle(&mut self) -> Result<Vec<u8>, String> {
        self.read("data.pkl", MAX_PICKLE)
    }

    /// Checks that the values of the storage `key` are there and have this number of bytes.
    ///
    /// # Errors
    /// The fault, in words.
    pub(super) fn check_storage(&self, key: &str, expected: u64) -> Result<(), String> {
        let (_, size) = self.locate(&format!("data/{key}"))?;
        if size == expected {
            return Ok(());
        }
        Err(format!("data/{key} has {size} bytes, the pickle requires {expected}"))
    }

    /// The byte of the file at which the values of the storage `key` begin.
    ///
    /// # Errors
    /// The fault, in words.
    pub(super) fn start_of_storage(&mut self, key: &str) -> Result<u64, String> {
        let name = format!("data/{key}");
        let (index, _) = self.locate(&name)?;
        let entry = self.zip.by_index(index).map_err(|error| format!("{name}: {error}"))?;
        entry.data_start().ok_or_else(|| format!("{name} has no place in the archive"))
    }

    /// Reads the values of the storage `key`, and verifies their checksum.
    ///
    /// # Errors
    /// The fault, in words.
    pub(super) fn storage(&mut self, key: &str) -> Result<Vec<u8>, String> {
        self.read(&format!("data/{key}"), self.bytes)
    }

    fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, String> {
        let (index, size) = self.locate(name)?;
        if size > limit {
            return Err(format!("{name} has {size} bytes, the limit is {limit}"));
        }
        let damaged = |error: &dyn std::fmt::Display| format!("{name} is damaged: {error}");
        let entry = self.zip.by_index(index).map_err(|error| damaged(&error))?;
        let mut bytes = floats::allocate(usize::try_from(size).unwrap_or(usize::MAX))?;
        // Reading to the end verifies the checksum.
        entry.take(size + 1).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        if bytes.len() as u64 != size {
            return Err(damaged(&"it does not have the size in the archive's directory"));
        }
        Ok(bytes)
    }

    /// The index and the size of a file that is stored as it is. The size is at most that of the archive.
    fn locate(&self, name: &str) -> Result<(usize, u64), String> {
        let path = [&self.prefix, &b"/"[..], name.as_bytes()].concat();
        let index = self.zip.index_for_name_raw(&path);
        let index = index.ok_or_else(|| format!("the archive holds no {name}"))?;
        let entry = self.zip.by_index_data(index).map_err(|error| format!("{name}: {error}"))?;
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
            return Err(format!(
                "{name} is compressed or encrypted, which PyTorch's files are not"
            ));
        }
        let size = entry.size();
        if size != entry.compressed_size() || size > self.bytes {
            return Err(format!("{name} claims to have {size} bytes, more than are stored"));
        }
        Ok((index, size))
    }

    fn check_byte_order(&mut self) -> Result<(), String> {
        // Files from before PyTorch 2.1 do not name it.
        if self.locate("byteorder").is_err() {
            return Ok(());
        }
        match &self.read("byteorder", 16)?[..] {
            b"little" => Ok(()),
            other => Err(format!("the byte order is {:?}", String::from_utf8_lossy(other))),
        }
    }
}

/// Fails once more than a number of bytes have been read.
struct LimitedReader<R> {
    source: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for LimitedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let left = self.left.get().checked_sub(count as u64);
        self.left.set(left.ok_or_else(|| io::Error::other("the directory is too long"))?);
        Ok(count)
    }
}

impl<R: Seek> Seek for LimitedReader<R> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.source.seek(position)
    }
}
