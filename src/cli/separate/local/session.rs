//! One song in a session of this process: its upload, its progress and its result.

use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::audio::{Frames, Hertz};
use crate::cli::error::CliError;
use crate::cli::output::write_pcm;
use crate::cli::separate::destination::{Destination, StemPipe};
use crate::cli::separate::progress::{ProgressDisplay, SongProgress};
use crate::cli::separate::results::{
    ResultEngine, ResultModel, ResultWindows, SeparatedSong, SeparatedStem, SourceSummary,
    check_space,
};
use crate::cli::separate::source::SongSource;
use crate::proto::reason::Category;
use crate::separation::Separations;
use crate::session::cover;
use crate::session::engines::{EngineRecord, MemberRecord};
use crate::session::stem_reader::{StemFormat, StemReader};
use crate::session::{Progress, Session, SessionState};

/// Bytes of the song that are uploaded at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Frames that are written to a pipe at once.
const PIECE: Frames = Frames(32_768);

/// The time after which the bar is updated when nothing changes.
const UPDATE_INTERVAL: Duration = Duration::from_millis(500);

/// Uploads the song until it or the session ends; reads a `whole` song to its end also where the session of a part is done
/// before. Does not keep the separations open while it waits for the song.
pub(super) fn upload(
    separations: &Weak<Separations>,
    session: &Arc<Session>,
    source: &SongSource,
    mut song: Box<dyn Read + Send>,
    whole: bool,
) -> Result<(), CliError> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    loop {
        let read = song.read(&mut buffer);
        let Some(separations) = separations.upgrade() else { return Ok(()) };
        let count = match read {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                separations.cancel(session);
                return Err(source.unreadable(&error));
            }
        };
        if session.state() == SessionState::Done && count > 0 {
            match whole {
                true => continue,
                false => return Ok(()),
            }
        }
        if count == 0 {
            // If this is refused, the session has the reason.
            let _ = separations.finish_upload(session, offset, None);
            return Ok(());
        }
        match separations.add_bytes(session, offset, &buffer[..count]) {
            Ok(_) => offset += count as u64,
            // As above.
            Err(_) if session.refusal().is_some() || session.state().is_ended() => return Ok(()),
            Err(error) => {
                separations.cancel(session);
                return Err(error.into());
            }
        }
    }
}

/// Shows the progress of a session and writes to the pipe until the session has ended. Once the rate of the stems is known, the
/// format must have it; once their length is, the disk of `scratch` must have space for them. `slowness` yields a note if the
/// model is slow for a song of at least the length decoded so far.
pub(super) fn follow(
    session: &Arc<Session>,
    destination: &Destination,
    scratch: &Path,
    display: &ProgressDisplay<'_>,
    slowness: &dyn Fn(Duration) -> Option<String>,
) -> Result<(), CliError> {
    let mut reader = match destination.pipe() {
        None => None,
        Some(pipe) => {
            let StemPipe { encoding, channels, .. } = *pipe;
            let format = StemFormat { encoding, gain: 1.0, channels };
            Some(StemReader::open(session, pipe.stem.as_str(), Frames::ZERO, format)?)
        }
    };
    let mut shown_changes = 0;
    let mut is_space_checked = false;
    loop {
        let seen = session.notifier().version();
        let state = session.state();
        show(session, display);
        if let Some(note) = slowness(session.progress().decoded.duration(rate(session))) {
            display.print(&note);
        }
        if session.manifest().source.is_some() {
            destination.check_rate(rate(session))?;
        }
        let changes = &session.manifest().engine_changes;
        for change in &changes[shown_changes.min(changes.len())..] {
            display.print_engine_change(&change.message, change.frame, rate(session));
        }
        shown_changes = changes.len();
        let Progress { finished, total, .. } = session.progress();
        if let Some(total) = total
            && !state.is_ended()
            && !std::mem::replace(&mut is_space_checked, true)
        {
            let stems = session.manifest().plan.stems.len();
            check_space(scratch, destination.missing_bytes(stems, finished, total))?;
        }
        if let Some(reader) = &mut reader {
            write_available(reader)?;
        }
        if state.is_ended() {
            return Ok(());
        }
        // The user can free space or raise a limit only once the command has ended.
        if let Some(delay) = session.manifest().delay() {
            return Err(delay.clone().into());
        }
        session.notifier().wait_newer(seen, UPDATE_INTERVAL);
    }
}

/// Compares the stems on the disk with the checksums of the frames that were computed: the hashes of a result are those of
/// its files.
pub(super) fn check_frames(session: &Arc<Session>) -> Result<(), CliError> {
    for stem in &session.manifest().plan.stems {
        let stored = StemFormat::STORED;
        let mut reader = StemReader::open(session, stem.as_str(), Frames::ZERO, stored)?;
        while reader.read(PIECE).map_err(|error| reader.error_of(error))?.frames > Frames::ZERO {}
    }
    Ok(())
}

/// Writes the frames that are final to standard output.
fn write_available(reader: &mut StemReader) -> Result<(), CliError> {
    loop {
        let piece = reader.read(PIECE).map_err(|error| {
            CliError::plain(Category::Disk, format!("cannot read a stem: {error}"))
        })?;
        if piece.frames == Frames::ZERO {
            return Ok(());
        }
        write_pcm(&piece.bytes)?;
    }
}

fn show(session: &Session, display: &ProgressDisplay<'_>) {
    let progress = session.progress();
    let (finished, total, decoded) = (progress.finished, progress.total, progress.decoded);
    let manifest = session.manifest();
    let source = manifest.source.as_ref();
    let expected = source.and_then(|of| Some(of.frames?.resampled(of.rate, of.output_rate)));
    let rate = rate(session);
    display.show(SongProgress { finished, total, expected, decoded, rate, queued: 0 });
}

/// The rate of a session's stems.
fn rate(session: &Session) -> Hertz {
    let manifest = session.manifest();
    manifest.source.as_ref().map_or(manifest.plan.model_rate, |source| source.output_rate)
}

/// The stems of a session that has ended.
pub(super) fn result(session: &Session, scratch: &Path) -> Result<SeparatedSong, CliError> {
    let manifest = session.manifest();
    if let Some(failure) = &manifest.failure {
        return Err(failure.clone().into());
    }
    if manifest.state() != SessionState::Done {
        return Err(CliError::plain(Category::Other, "the separation was stopped before its end"));
    }
    let stems = manifest.stems.iter().map(|stem| SeparatedStem {
        name: stem.name.clone(),
        file: session.layout().stem(&stem.name),
        peak: stem.peak,
    });
    let changes = &manifest.engine_changes;
    let engines = changes.first().map(|first| &first.from).into_iter();
    let engines = engines.chain(changes.iter().map(|change| &change.to));
    let only = manifest.engine.as_ref().filter(|_| changes.is_empty());
    let engines = engines.chain(only);
    let source = SourceSummary::of_manifest(&manifest);
    let span = manifest.engine_span();
    let notices = source.as_ref().map(|source| source.further(&manifest.notices));
    Ok(SeparatedSong {
        stems: stems.collect(),
        rate: rate(session),
        frames: manifest.commit.stems,
        source_channels: manifest.source_channels(),
        source,
        cover: cover::read(session),
        notices: notices.unwrap_or_else(|| manifest.notices.clone()),
        engines: engines.map(engine).collect(),
        choice: manifest.plan.choice.clone(),
        windows: Some(ResultWindows {
            shape: span.shape().to_owned(),
            overlap: span.overlap,
            segment_frames: span.segment.0,
        }),
        scratch: scratch.to_owned(),
        _files: Box::new(()),
    })
}

fn engine(record: &EngineRecord) -> ResultEngine {
    let (name, weights_sha256) = (record.model.clone(), record.weights.clone());
    ResultEngine {
        model: ResultModel { name, weights_sha256 },
        provider: record.provider.clone(),
        precision: record.precision.clone(),
        runtime: record.runtime.clone(),
        members: record.members.iter().map(member).collect(),
    }
}

fn member(record: &MemberRecord) -> ResultModel {
    ResultModel { name: record.model.clone(), weights_sha256: record.weights.clone() }
}
