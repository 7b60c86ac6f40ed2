//! FFmpeg as an encoder: float32 PCM on its standard input, the encoded audio on its standard output.
//!
//! It needs no file, and runs confined, as for decoding ([`process::ffmpeg`](crate::process::ffmpeg)).

use std::io::{self, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::thread::JoinHandle;
use std::time::Duration;

use super::samples::finite;
use crate::audio::{Encoding, Hertz, Stereo};
use crate::process::{ChildProcess, Ffmpeg, FfmpegCodec, join_within_grace, poll};

/// Packets that wait to be taken: five seconds of AAC.
const PACKETS_AHEAD: usize = 256;

/// Reads the next packet of the encoded audio; `None` at its end.
pub(super) type ReadPacket = fn(&mut BufReader<ChildStdout>) -> io::Result<Option<Vec<u8>>>;

/// FFmpeg while it encodes. Dropping it kills it.
pub(super) struct EncoderProcess {
    process: ChildProcess,
    channels: u8,
    /// How long it may take for a block.
    stall: Duration,
    /// `None` once all has been written.
    blocks: Option<SyncSender<Vec<u8>>>,
    packets: Receiver<io::Result<Vec<u8>>>,
    threads: Vec<JoinHandle<()>>,
}

impl EncoderProcess {
    /// Starts FFmpeg for audio of this rate and one or two channels, at so many kbit/s. What it encodes is taken as packets
    /// of `read`.
    ///
    /// # Errors
    /// The process or a thread cannot be started.
    pub(super) fn start(
        ffmpeg: &Ffmpeg,
        (codec, read): (FfmpegCodec, ReadPacket),
        rate: Hertz,
        channels: u8,
        kbits: u32,
    ) -> io::Result<EncoderProcess> {
        let mut command = ffmpeg.command();
        command.args(["--encode", codec.name(), "--rate", &rate.0.to_string()]);
        command.args(["--channels", &channels.to_string()]);
        command.args(["--bit-rate", &(1000 * kbits).to_string()]);
        let (process, stdin, stdout) = ChildProcess::start(&mut command)?;
        // One block is written while the next one is read.
        let (blocks, to_write) = sync_channel(1);
        let (packet, packets) = sync_channel(PACKETS_AHEAD);
        let (stall, blocks, threads) = (ffmpeg.stall, Some(blocks), Vec::new());
        let mut encoder = EncoderProcess { process, channels, stall, blocks, packets, threads };
        encoder.spawn("ffmpeg-feed", move || feed(stdin, &to_write))?;
        encoder.spawn("ffmpeg-packets", move || read_packets(stdout, read, &packet))?;
        Ok(encoder)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(std::thread::Builder::new().name(name.into()).spawn(work)?);
        Ok(())
    }

    /// Channels of the encoded audio.
    pub(super) fn channels(&self) -> usize {
        self.channels.into()
    }

    /// Encodes a block. Calls `done` with each packet that is complete by now.
    ///
    /// # Errors
    /// FFmpeg has ended, or takes too long; errors of `done`.
    pub(super) fn write(
        &mut self,
        block: &Stereo,
        mut done: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        match self.channels {
            1 => Encoding::F32Le.write(block.mono().map(finite), &mut bytes),
            _ => Encoding::F32Le.write(block.interleaved().map(finite), &mut bytes),
        };
        let mut unsent = Some(bytes);
        let Some(blocks) = &self.blocks else { return Err(self.failure()) };
        let sent = poll(self.stall, || {
            // FFmpeg waits for its packets to be taken.
            if let Err(error) = self.take(&mut done) {
                return Some(Err(error));
            }
            match blocks.try_send(unsent.take()?) {
                Ok(()) => Some(Ok(())),
                Err(TrySendError::Full(bytes)) => {
                    unsent = Some(bytes);
                    None
                }
                Err(TrySendError::Disconnected(_)) => Some(Err(self.failure())),
            }
        });
        sent.unwrap_or_else(|| Err(self.stalled()))?;
        self.take(&mut done)
    }

    /// Calls `done` with each packet that has been read.
    fn take(&self, done: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        loop {
            match self.packets.try_recv() {
                Ok(packet) => done(&packet?)?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(self.failure()),
            }
        }
    }

    /// Encodes what is pending. Calls `done` with each of the remaining packets.
    ///
    /// # Errors
    /// Those of [`write`](EncoderProcess::write); FFmpeg reports an error.
    pub(super) fn finish(
        &mut self,
        mut done: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        // FFmpeg's input ends.
        self.blocks = None;
        loop {
            match self.packets.recv_timeout(self.stall) {
                Ok(packet) => done(&packet?)?,
                Err(RecvTimeoutError::Timeout) => return Err(self.stalled()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let ending = self.process.ending();
        if ending.is_success() { Ok(()) } else { Err(io::Error::other(format!("ffmpeg {ending}"))) }
    }

    /// The error of a process that ended before its input did.
    fn failure(&self) -> io::Error {
        io::Error::other(format!("ffmpeg {}", self.process.ending()))
    }

    fn stalled(&self) -> io::Error {
        self.process.kill();
        let text = format!("ffmpeg made no progress for {} s", self.stall.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, text)
    }
}

impl Drop for EncoderProcess {
    fn drop(&mut self) {
        // Its pipes close, which ends the threads.
        self.process.kill();
        self.blocks = None;
        // The thread then waits for no packet to be taken.
        self.packets = sync_channel(0).1;
        self.threads.drain(..).for_each(join_within_grace);
    }
}

fn feed(mut stdin: ChildStdin, blocks: &Receiver<Vec<u8>>) {
    while let Ok(block) = blocks.recv() {
        // A process that reads no more has ended.
        if stdin.write_all(&block).is_err() {
            return;
        }
    }
}

fn read_packets(stdout: ChildStdout, read: ReadPacket, packets: &SyncSender<io::Result<Vec<u8>>>) {
    let mut stdout = BufReader::new(stdout);
    while let Some(packet) = read(&mut stdout).transpose() {
        let is_last = packet.is_err();
        if packets.send(packet).is_err() || is_last {
            return;
        }
    }
}
