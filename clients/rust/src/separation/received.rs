//! What has been received of a session, over any number of calls: each frame of a stem once and in order.

use std::collections::HashMap;

use prost::bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::error::ClientError;
use crate::proto::{self, Encoding};

/// The next frames of one stem.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// Name of the stem.
    pub stem: String,
    /// Position of the first frame.
    pub start_frame: u64,
    /// Interleaved samples, whole frames.
    pub pcm: Bytes,
    /// Encoding of the samples.
    pub encoding: Encoding,
    /// 1 or 2.
    pub channels: u32,
    /// Frames per second.
    pub sample_rate: u32,
    /// Samples that an integer encoding clipped to full scale.
    pub clipped_samples: u64,
}

impl Chunk {
    /// Number of frames.
    pub fn frames(&self) -> u64 {
        (self.pcm.len() / frame_bytes(self.encoding, self.channels)) as u64
    }

    /// The samples, interleaved; full scale is 1.
    pub fn samples(&self) -> Vec<f32> {
        let pcm = &self.pcm[..];
        match self.encoding {
            Encoding::S16le => {
                let (samples, _) = pcm.as_chunks();
                samples.iter().map(|&s| f32::from(i16::from_le_bytes(s)) / 32_768.0).collect()
            }
            Encoding::S24le => {
                let (samples, _) = pcm.as_chunks();
                let value = |&[a, b, c]: &[u8; 3]| i32::from_le_bytes([0, a, b, c]) >> 8;
                samples.iter().map(|s| value(s) as f32 / 8_388_608.0).collect()
            }
            Encoding::F32le | Encoding::Unspecified => {
                let (samples, _) = pcm.as_chunks();
                samples.iter().map(|&s| f32::from_le_bytes(s)).collect()
            }
        }
    }
}

fn frame_bytes(encoding: Encoding, channels: u32) -> usize {
    let sample = match encoding {
        Encoding::S16le => 2,
        Encoding::S24le => 3,
        Encoding::F32le | Encoding::Unspecified => 4,
    };
    sample * channels as usize
}

/// The state of a session, as received.
pub(super) struct Received {
    encoding: Encoding,
    /// The stems to receive; empty for all of the session.
    requested: Vec<String>,
    start_frame: u64,
    next_frames: HashMap<String, u64>,
    /// Hashes of the received samples. The server's are those of whole stems as float32 in stereo; `None` if these are others.
    hashes: Option<HashMap<String, Sha256>>,
    session: Option<proto::Session>,
    engine_changes: Vec<proto::EngineChange>,
}

impl Received {
    pub(super) fn new(
        encoding: Encoding,
        gain: f32,
        start_frame: u64,
        requested: Vec<String>,
    ) -> Received {
        let is_hashed = matches!(encoding, Encoding::F32le | Encoding::Unspecified)
            && (gain == 0.0 || gain == 1.0)
            && start_frame == 0;
        Received {
            encoding,
            requested,
            start_frame,
            next_frames: HashMap::new(),
            hashes: is_hashed.then(HashMap::new),
            session: None,
            engine_changes: Vec::new(),
        }
    }

    pub(super) fn session(&self) -> Option<&proto::Session> {
        self.session.as_ref()
    }

    pub(super) fn set_session(&mut self, session: proto::Session) {
        self.session = Some(session);
    }

    /// Frames per second of the stems; `None` until the start of the upload has been decoded.
    pub(super) fn sample_rate(&self) -> Option<u32> {
        let source = self.session.as_ref()?.source.as_ref()?;
        Some(source.output_sample_rate).filter(|&rate| rate > 0)
    }

    /// Whether a switch of engines is new. Every call lists all switches.
    pub(super) fn is_new(&mut self, change: &proto::EngineChange) -> bool {
        let is_new = !self.engine_changes.contains(change);
        if is_new {
            self.engine_changes.push(change.clone());
        }
        is_new
    }

    /// The stems that are received.
    pub(super) fn stems(&self) -> Vec<&str> {
        if !self.requested.is_empty() {
            return self.requested.iter().map(String::as_str).collect();
        }
        let session = self.session.iter();
        session.flat_map(|session| &session.stems).map(|stem| stem.name.as_str()).collect()
    }

    /// Position after the last received frame of a stem.
    pub(super) fn next_frame(&self, stem: &str) -> u64 {
        self.next_frames.get(stem).copied().unwrap_or(self.start_frame)
    }

    /// The first frame that some stem lacks: where the next call starts.
    pub(super) fn resume_frame(&self) -> u64 {
        let next = self.stems().into_iter().map(|stem| self.next_frame(stem));
        next.min().unwrap_or(self.start_frame)
    }

    /// Uploaded bytes and received frames; grows whenever a call made progress.
    pub(super) fn position(&self) -> (u64, u64) {
        let committed = self.session.as_ref().map_or(0, |session| session.committed_bytes.max(1));
        (committed, self.resume_frame())
    }

    /// The frames of a message that were not received before; `None` if there are none.
    ///
    /// # Errors
    /// Frames are missing.
    pub(super) fn new_frames(
        &mut self,
        message: proto::StemChunk,
    ) -> Result<Option<Chunk>, ClientError> {
        // A server that is older than the field sends stereo.
        let channels = if message.channels == 1 { 1 } else { 2 };
        let start = self.next_frame(&message.stem);
        if message.start_frame > start {
            let missing = format!("{start} to {} of {}", message.start_frame, message.stem);
            return Err(ClientError::Protocol(format!("frames {missing} are missing")));
        }
        let frame = frame_bytes(self.encoding, channels);
        let repeated = (start - message.start_frame).saturating_mul(frame as u64);
        let repeated = usize::try_from(repeated).unwrap_or(usize::MAX).min(message.pcm.len());
        let pcm = message.pcm.slice(repeated..);
        if pcm.is_empty() {
            return Ok(None);
        }
        if channels != 2 {
            self.hashes = None;
        }
        if let Some(hashes) = &mut self.hashes {
            hashes.entry(message.stem.clone()).or_default().update(&pcm);
        }
        let chunk = Chunk {
            stem: message.stem,
            start_frame: start,
            pcm,
            encoding: self.encoding,
            channels,
            sample_rate: self.sample_rate().unwrap_or_default(),
            clipped_samples: message.clipped_samples,
        };
        self.next_frames.insert(chunk.stem.clone(), start + chunk.frames());
        Ok(Some(chunk))
    }

    /// Compares lengths and hashes with those of the session in its final state.
    ///
    /// # Errors
    /// They differ.
    pub(super) fn verify(&self, done: &proto::Session) -> Result<(), ClientError> {
        for stem in done.stems.iter().filter(|stem| self.stems().contains(&stem.name.as_str())) {
            let (name, received) = (&stem.name, self.next_frame(&stem.name));
            if received < stem.frames {
                let count = format!("{received} of {} frames of {name}", stem.frames);
                return Err(ClientError::Protocol(format!("only {count} were received")));
            }
            let hash = self.hashes.as_ref().and_then(|hashes| hashes.get(name));
            let is_other = |hash: &Sha256| hash.clone().finalize()[..] != stem.sha256;
            if !stem.sha256.is_empty() && hash.is_some_and(is_other) {
                let problem = format!("the SHA-256 of {name} is not that of the server");
                return Err(ClientError::Protocol(problem));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(stem: &str, start_frame: u64, frames: u64) -> proto::StemChunk {
        let samples = 2 * start_frame..2 * (start_frame + frames);
        let pcm = samples.flat_map(|sample| (sample as f32).to_le_bytes()).collect::<Vec<_>>();
        proto::StemChunk {
            stem: stem.into(),
            start_frame,
            pcm: pcm.into(),
            clipped_samples: 0,
            channels: 2,
        }
    }

    fn session(stems: &[&str]) -> proto::Session {
        let stem = |&name: &&str| proto::Stem { name: name.into(), ..Default::default() };
        proto::Session { stems: stems.iter().map(stem).collect(), ..Default::default() }
    }

    fn received() -> Received {
        let mut received = Received::new(Encoding::F32le, 1.0, 0, Vec::new());
        received.set_session(session(&["drums", "bass"]));
        received
    }

    #[test]
    fn each_frame_comes_once_and_in_order() {
        let mut received = received();
        let first = received.new_frames(message("drums", 0, 10)).unwrap().unwrap();
        assert_eq!((first.start_frame, first.frames()), (0, 10));
        assert_eq!(received.resume_frame(), 0, "bass has none");
        received.new_frames(message("bass", 0, 4)).unwrap();
        assert_eq!(received.resume_frame(), 4);
        // The next call begins with frame 4.
        let rest = received.new_frames(message("drums", 4, 8)).unwrap().unwrap();
        assert_eq!((rest.start_frame, rest.frames(), rest.samples()[0]), (10, 2, 20.0));
        assert_eq!(received.new_frames(message("drums", 4, 8)).unwrap(), None);
        let error = received.new_frames(message("bass", 5, 1)).unwrap_err();
        assert!(error.to_string().contains("frames 4 to 5 of bass"), "{error}");
    }

    #[test]
    fn lengths_and_hashes_are_compared_at_the_end() {
        let mut received = received();
        let mut done = session(&["drums"]);
        done.stems[0].frames = 10;
        done.stems[0].sha256 = Sha256::digest(&message("drums", 0, 10).pcm).to_vec();
        received.new_frames(message("drums", 0, 6)).unwrap();
        let error = received.verify(&done).unwrap_err();
        assert!(error.to_string().contains("6 of 10 frames"), "{error}");
        received.new_frames(message("drums", 4, 6)).unwrap();
        received.verify(&done).unwrap();
        done.stems[0].sha256[0] ^= 1;
        assert!(received.verify(&done).unwrap_err().to_string().contains("SHA-256"));
    }

    #[test]
    fn integers_are_fractions_of_full_scale() {
        let chunk = |encoding, pcm: &'static [u8]| Chunk {
            stem: "drums".into(),
            start_frame: 0,
            pcm: Bytes::from_static(pcm),
            encoding,
            channels: 1,
            sample_rate: 44_100,
            clipped_samples: 0,
        };
        let s16 = chunk(Encoding::S16le, &[0, 0x80, 0, 0x40]);
        assert_eq!((s16.frames(), s16.samples()), (2, vec![-1.0, 0.5]));
        let s24 = chunk(Encoding::S24le, &[0, 0, 0x80, 0, 0, 0x40]);
        assert_eq!((s24.frames(), s24.samples()), (2, vec![-1.0, 0.5]));
    }
}
