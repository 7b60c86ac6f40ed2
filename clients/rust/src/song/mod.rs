//! Songs to upload: bytes that are read by position, so that a broken upload can be continued. Of a source that is read once,
//! a [`stream`] keeps the last ones.

mod stream;

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use prost::bytes::Bytes;
use sha2::{Digest, Sha256};

use stream::Stream;

/// Bytes per message.
const CHUNK_BYTES: usize = 256 * 1024;

/// The bytes of a song: a file of any format that the server decodes, or raw samples that the settings describe.
pub struct Song {
    source: Source,
    reads_whole: bool,
    hash: Sha256,
    /// Bytes in `hash`, from the first one on.
    hashed: u64,
}

enum Source {
    /// `None` while it is read.
    Seekable(Option<Box<dyn ReadSeek>>),
    Stream(Stream),
}

trait ReadSeek: Read + Seek + Send + 'static {}

impl<T: Read + Seek + Send + 'static> ReadSeek for T {}

impl Song {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Song> {
        File::open(path).map(Song::seekable)
    }

    /// Bytes in memory.
    pub fn bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Song {
        Song::seekable(Cursor::new(bytes))
    }

    /// A source whose bytes, from the first one on, can be read again.
    pub fn seekable(source: impl Read + Seek + Send + 'static) -> Song {
        Song::of(Source::Seekable(Some(Box::new(source))))
    }

    /// A source that can be read once, such as a pipe. It is read in a thread of its own, which ends with the source, or after
    /// its next piece once the song is dropped. The last 16 MiB are kept, to be sent again after a broken connection.
    pub fn stream(mut source: impl Read + Send + 'static) -> Song {
        let mut buffer = vec![0; CHUNK_BYTES];
        Song::pieces(std::iter::from_fn(move || {
            loop {
                match source.read(&mut buffer) {
                    Ok(0) => return None,
                    Ok(count) => return Some(Ok(Bytes::copy_from_slice(&buffer[..count]))),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Some(Err(error)),
                }
            }
        }))
    }

    /// Pieces as they come, such as those that a recording thread sends through a channel. As [`Song::stream`].
    pub fn live(pieces: impl IntoIterator<Item = Vec<u8>, IntoIter: Send + 'static>) -> Song {
        Song::pieces(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))))
    }

    fn pieces(pieces: impl Iterator<Item = io::Result<Bytes>> + Send + 'static) -> Song {
        Song::of(Source::Stream(Stream::new(Box::new(pieces))))
    }

    fn of(source: Source) -> Song {
        Song { source, reads_whole: false, hash: Sha256::new(), hashed: 0 }
    }

    /// Reads the song to its end also if the session is done before, as with `end_s`: for a source that is measured as it is
    /// read.
    #[must_use]
    pub fn read_whole(mut self) -> Song {
        self.reads_whole = true;
        self
    }

    pub(crate) fn reads_whole(&self) -> bool {
        self.reads_whole
    }

    /// Whether `read` may wait for ever, and may be dropped while it does.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.source, Source::Stream(_))
    }

    /// The bytes from `offset` on, at most as many as a message has; none at the end.
    ///
    /// # Errors
    /// The source has failed, or a stream has gone past the bytes that are kept.
    pub(crate) async fn read(&mut self, offset: u64) -> io::Result<Bytes> {
        // Bytes before `offset` that an earlier process has sent are read only to be hashed.
        while !self.is_stream() && self.hashed < offset {
            let earlier = self.read_source(self.hashed).await?;
            let left = usize::try_from(offset - self.hashed).unwrap_or(usize::MAX);
            if earlier.is_empty() {
                break;
            }
            self.add_to_hash(&earlier[..earlier.len().min(left)]);
        }
        let piece = self.read_source(offset).await?;
        if offset <= self.hashed {
            let known = usize::try_from(self.hashed - offset).unwrap_or(usize::MAX);
            let new = piece.get(known..).unwrap_or_default();
            self.add_to_hash(new);
        }
        Ok(piece)
    }

    /// Reads what has not been read yet.
    ///
    /// # Errors
    /// As [`Song::read`].
    pub(crate) async fn read_rest(&mut self) -> io::Result<()> {
        while !self.read(self.hashed).await?.is_empty() {}
        Ok(())
    }

    /// The hash of the first `total` bytes; empty if not all of them were read.
    pub(crate) fn sha256(&self, total: u64) -> Vec<u8> {
        if self.hashed == total { self.hash.clone().finalize().to_vec() } else { Vec::new() }
    }

    fn add_to_hash(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.hashed += bytes.len() as u64;
    }

    async fn read_source(&mut self, offset: u64) -> io::Result<Bytes> {
        match &mut self.source {
            Source::Stream(stream) => stream.read(offset).await,
            Source::Seekable(slot) => {
                let gone = || io::Error::other("an earlier read of the song was interrupted");
                let mut source = slot.take().ok_or_else(gone)?;
                #[expect(
                    clippy::disallowed_methods,
                    reason = "short reads of one file, one at a time"
                )]
                let read = tokio::task::spawn_blocking(move || {
                    let piece = read_at(source.as_mut(), offset);
                    (source, piece)
                });
                let (source, piece) = read.await.map_err(io::Error::other)?;
                *slot = Some(source);
                piece
            }
        }
    }
}

fn read_at(source: &mut dyn ReadSeek, offset: u64) -> io::Result<Bytes> {
    source.seek(SeekFrom::Start(offset))?;
    let mut piece = Vec::with_capacity(CHUNK_BYTES);
    source.take(CHUNK_BYTES as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use super::stream::KEPT_BYTES;
    use super::*;

    async fn all(song: &mut Song, mut offset: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let piece = song.read(offset).await.unwrap();
            if piece.is_empty() {
                return bytes;
            }
            offset += piece.len() as u64;
            bytes.extend_from_slice(&piece);
        }
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n * 31 + n / 251) as u8).collect()
    }

    #[tokio::test]
    async fn a_song_is_read_from_any_position_and_hashed_as_a_whole() {
        let bytes = noise(3 * CHUNK_BYTES + 17);
        for mut song in [Song::bytes(bytes.clone()), Song::stream(Cursor::new(bytes.clone()))] {
            let (stream, total) = (song.is_stream(), bytes.len() as u64);
            assert_eq!(all(&mut song, 0).await, bytes);
            assert_eq!(all(&mut song, 300_000).await, bytes[300_000..]);
            assert_eq!(song.sha256(total), Sha256::digest(&bytes).to_vec(), "stream: {stream}");
            assert_eq!(song.sha256(total - 1), Vec::<u8>::new());
        }
        // Also where an earlier process has sent the first part.
        let mut song = Song::bytes(bytes.clone());
        assert_eq!(all(&mut song, 300_000).await, bytes[300_000..]);
        assert_eq!(song.sha256(bytes.len() as u64), Sha256::digest(&bytes).to_vec());
    }

    #[tokio::test]
    async fn a_stream_keeps_its_last_bytes() {
        let bytes = noise(KEPT_BYTES + 5 * CHUNK_BYTES);
        let mut song = Song::live(bytes.chunks(100_000).map(<[u8]>::to_vec).collect::<Vec<_>>());
        assert_eq!(all(&mut song, 0).await, bytes);
        let first = (bytes.len() - KEPT_BYTES) as u64;
        assert_eq!(all(&mut song, first).await, bytes[first as usize..]);
        let error = song.read(0).await.unwrap_err();
        assert!(error.to_string().contains("byte 0"), "{error}");
    }

    #[tokio::test]
    async fn a_dropped_read_of_a_stream_loses_nothing() {
        let (sender, receiver) = std::sync::mpsc::sync_channel(4);
        let mut song = Song::live(receiver);
        let wait = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(wait, song.read(0)).await.is_err(), "there is no piece yet");
        sender.send(vec![1, 2, 3]).unwrap();
        drop(sender);
        assert_eq!(all(&mut song, 0).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn the_error_of_a_source_is_that_of_the_read() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("unplugged"))
            }
        }
        let error = Song::stream(Broken).read(0).await.unwrap_err();
        assert_eq!(error.to_string(), "unplugged");
    }
}
