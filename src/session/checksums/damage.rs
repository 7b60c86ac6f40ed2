//! Damaged files, as an error that I/O errors carry.

use std::fmt;
use std::io;
use std::path::Path;

/// Stored bytes that are missing or differ from their checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The damaged file.
    pub file: String,
    /// Whether they are being recomputed.
    pub recomputing: bool,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not match its checksum", self.file)?;
        if self.recomputing { f.write_str("; the stems are being recomputed") } else { Ok(()) }
    }
}

impl std::error::Error for Damage {}

impl Damage {
    /// Damage of the file at `path`.
    pub fn of(path: &Path) -> Damage {
        let name = path.file_name().unwrap_or_default();
        Damage { file: name.to_string_lossy().into_owned(), recomputing: false }
    }

    /// The damage that an I/O error reports, if it does.
    pub fn in_error(error: &io::Error) -> Option<&Damage> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, damage)
    }
}

/// Turns errors of a file that is missing or too short into [`Damage`].
pub fn missing_is_damage(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => Damage::of(path).into(),
        _ => error,
    }
}
