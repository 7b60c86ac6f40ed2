//! The cover picture of a song.

use std::fmt;
use std::sync::Arc;

/// Bytes of the largest picture that is kept. Each file that is written with it has it in memory.
pub const MAX_COVER_BYTES: usize = 4 << 20;

/// A picture in JPEG or PNG. Its clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Cover(Arc<[u8]>);

/// Why a picture is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoverError {
    /// It is too large.
    #[error("the cover picture has {0} bytes, and the limit is {MAX_COVER_BYTES}")]
    TooLarge(usize),
    /// It is no JPEG or PNG, or has no content.
    #[error("the cover picture is neither JPEG nor PNG")]
    UnknownType,
    /// The tag that has it is broken.
    #[error("the cover picture cannot be read")]
    Unreadable,
}

impl Cover {
    /// A picture of these bytes, which are of an untrusted file.
    ///
    /// # Errors
    /// [`CoverError::TooLarge`], [`CoverError::UnknownType`].
    pub fn new(bytes: &[u8]) -> Result<Cover, CoverError> {
        match bytes.len() {
            length if length > MAX_COVER_BYTES => Err(CoverError::TooLarge(length)),
            _ if !is_png(bytes) && !is_jpeg(bytes) => Err(CoverError::UnknownType),
            _ => Ok(Cover(bytes.into())),
        }
    }

    /// The bytes of the picture's file.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is a PNG, else a JPEG.
    pub fn is_png(&self) -> bool {
        is_png(&self.0)
    }
}

/// Whether these bytes begin as a PNG does.
fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

/// Whether these bytes begin as a JPEG does.
fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xd8\xff")
}

impl fmt::Debug for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cover({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_of_known_types_and_sizes_are_kept() {
        assert!(Cover::new(b"\x89PNG\r\n\x1a\nrest").unwrap().is_png());
        assert!(!Cover::new(b"\xff\xd8\xff\xe0rest").unwrap().is_png());
        for bytes in [&b""[..], b"GIF89a", b"<svg>", b"\xff\xd8"] {
            assert_eq!(Cover::new(bytes), Err(CoverError::UnknownType));
        }
        let mut large = vec![0; MAX_COVER_BYTES];
        large[..3].copy_from_slice(b"\xff\xd8\xff");
        assert!(Cover::new(&large).is_ok());
        large.push(0);
        assert_eq!(Cover::new(&large), Err(CoverError::TooLarge(MAX_COVER_BYTES + 1)));
    }
}
