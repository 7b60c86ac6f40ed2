//! The tags of a complete upload that another decoder decodes: read by a confined child process of this program, else by
//! FFmpeg.

use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::DecoderConfig;
use super::connection::{self, FromChild};
use super::protocol::{DecoderMessage, UploadLength};
use super::request::DecodeRequest;
use super::shared::{Children, Shared};
use crate::audio::{Hertz, SourceTags};
use crate::process::{ChildProcess, Messages};

/// The time within which tags are read. A loaded machine may take seconds to start a process.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes that are read of FFmpeg's list of tags.
const MAX_LIST_BYTES: u64 = 64 << 10;

/// The tags and the cover of an upload.
#[derive(Debug, Default)]
pub(super) struct UploadTags {
    pub(super) tags: SourceTags,
    pub(super) cover: Option<Vec<u8>>,
    /// Whether it has a cover that is not kept.
    pub(super) cover_left_out: bool,
}

/// Reads the tags and the cover of a complete upload by a child of this program, as a process of `shared`. None where they
/// cannot be read.
pub(super) fn read(shared: &Shared, config: &DecoderConfig, upload: &Path) -> UploadTags {
    let mut command = DecodeRequest::default().command(config, Hertz(44_100));
    command.arg("--only-tags");
    let length = UploadLength { bytes: shared.session.uploaded(), complete: true };
    let started = shared.replace_children(|| {
        let (decoder, mut to_child, from_child) = connection::start(command, upload)?;
        to_child.write_all(&length.to_word().to_le_bytes())?;
        Ok((Children { decoder, ffmpeg: None }, from_child))
    });
    let found = started.and_then(|from_child| from_child.map(receive).transpose());
    shared.kill();
    let found = found.unwrap_or_else(|error| {
        let (session, ending) = (shared.session.id(), shared.children().decoder.ending());
        tracing::warn!(%session, "tags are not read: {error}; the process {ending}");
        None
    });
    found.unwrap_or_default()
}

/// Receives the messages of the child.
fn receive(from_child: FromChild) -> io::Result<UploadTags> {
    let messages =
        Messages::start("upload-tags", from_child, |pipe: &mut BufReader<FromChild>| {
            DecoderMessage::read(pipe).ok().flatten()
        })?;
    let mut found = UploadTags::default();
    loop {
        match messages.receive(PATIENCE) {
            Ok(DecoderMessage::Confined(_)) => {}
            Ok(DecoderMessage::Cover(bytes)) => found.cover = Some(bytes),
            Ok(DecoderMessage::End(end)) => {
                found.cover_left_out = end.cover_left_out;
                // The child has read a hostile file.
                found.tags = end.tags.unwrap_or_default().bounded();
                return Ok(found);
            }
            Ok(_) | Err(_) => return Err(io::Error::other("their reader sent no end")),
        }
    }
}

/// Reads the tags that FFmpeg lists of a complete upload. `command` is that of the confined FFmpeg. None where there are none.
pub(super) fn listed(shared: &Shared, mut command: Command, upload: &Path) -> SourceTags {
    let started = shared.replace_children(|| {
        let (reader, writer) = io::pipe()?;
        command.stdin(std::fs::File::open(upload)?).stdout(Stdio::from(writer));
        let decoder = ChildProcess::start_on_streams(&mut command)?;
        drop(command);
        Ok((Children { decoder, ffmpeg: None }, reader))
    });
    let Ok(Some(reader)) = started else { return SourceTags::default() };
    let mut list = Vec::new();
    // It ends with the process, whose time is limited.
    let _ = reader.take(MAX_LIST_BYTES).read_to_end(&mut list);
    shared.kill();
    SourceTags::listed_by_ffmpeg(&String::from_utf8_lossy(&list))
}
