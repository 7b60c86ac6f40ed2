//! Tags and cover of the upload.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::DecodeJob;
use crate::audio::{Cover, CoverError, SourceTags};
use crate::decode::Input;

/// The upload's file as a reader of tags sees it: what of it has arrived, without waiting for more.
pub(super) struct TaggedFile {
    pub(super) file: File,
    pub(super) length: Arc<AtomicU64>,
}

impl TaggedFile {
    /// Shares the file with its decoder, which seeks before it reads.
    pub(super) fn new(upload: &File) -> io::Result<TaggedFile> {
        Ok(TaggedFile { file: upload.try_clone()?, length: Arc::default() })
    }

    /// The tags that can be read so far.
    pub(super) fn tags(&self, job: &DecodeJob) -> SourceTags {
        match has_tags(job) {
            true => SourceTags::read(&self.file, self.length.load(Ordering::Relaxed)),
            false => SourceTags::default(),
        }
    }

    /// The cover picture that can be read so far.
    pub(super) fn cover(&self, job: &DecodeJob) -> Result<Option<Cover>, CoverError> {
        match has_tags(job) {
            true => Cover::read(&self.file, self.length.load(Ordering::Relaxed)),
            false => Ok(None),
        }
    }
}

/// Whether what is decoded is a file that may have tags.
pub(super) fn has_tags(job: &DecodeJob) -> bool {
    matches!(job.input, Input::Container | Input::Track(_)) && !job.piped
}
