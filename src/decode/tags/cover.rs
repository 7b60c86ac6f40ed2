//! Finds the cover among the pictures of a file.

use std::io::{Read, Seek};

use lofty::file::TaggedFileExt;
use lofty::picture::PictureType;

use super::{is_matroska, tagged};
use crate::audio::{Cover, CoverError};
use crate::decode::containers::matroska::attachments;

/// The front cover, else the first picture that can be kept. `Ok(None)` if the file has no picture, the error of the first
/// one if none can be kept, and `None` if the tags cannot be read with their pictures.
pub(super) fn find(mut upload: impl Read + Seek) -> Option<Result<Option<Cover>, CoverError>> {
    if is_matroska(&mut upload)? {
        return Some(
            attachments::picture(&mut upload)
                .map_or(Ok(None), |picture| Cover::new(&picture).map(Some)),
        );
    }
    let (file, _) = tagged(upload, true)?;
    let mut pictures: Vec<_> = file.tags().iter().flat_map(|tag| tag.pictures()).collect();
    pictures.sort_by_key(|picture| picture.pic_type() != PictureType::CoverFront);
    let mut first_error = None;
    for picture in pictures {
        match Cover::new(picture.data()) {
            Ok(cover) => return Some(Ok(Some(cover))),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Some(first_error.map_or(Ok(None), Err))
}

/// Whether the tags can be read without their pictures.
pub(super) fn is_tagged(upload: impl Read + Seek) -> bool {
    tagged(upload, false).is_some()
}
