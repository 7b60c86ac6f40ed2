"""One session in each state that a server may leave behind, after a kill -9 too.

Each function answers (the session's id, its config, whether its bits are the same on every processor).
"""
import io
import json
import shutil
import subprocess
import uuid
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soundfile
from maker import Maker, fetch, until

from system.compat.sessions import ROOT, upload
from system.stemwire_client import Config, api, collect, config_pb2, requests

# Until here the first two segments of `waveform` are complete.
PART = 170_000
SOURCE_RATE = config_pb2.OutputFormat(rate=config_pb2.OUTPUT_RATE_SOURCE)


def cached(session_id: str) -> list:
    """What is computed on the first request and then stored in the session's directory."""
    return [f"/api/sessions/{session_id}/peaks/vocals", f"/download/{session_id}/vocals?format=flac"]


def make_done(maker: Maker) -> tuple:
    config = Config(file_name="clip.wav", overlap=0.75)
    session_id = maker.create(config)
    upload(maker.server, session_id, SONG)
    maker.await_state(session_id, "DONE")
    for url in cached(session_id):
        fetch(maker.server, url)
    return session_id, config, True


def make_done_mini_spleeter(maker: Maker) -> tuple:
    config = Config(model="mini-spleeter", output=SOURCE_RATE, stems=["vocals", "accompaniment"],
                    mask_extension=config_pb2.MASK_EXTENSION_ZEROS)
    session_id = maker.create(config)
    upload(maker.server, session_id, low_rate(2))
    maker.await_state(session_id, "DONE")
    return session_id, config, False


def make_failed(maker: Maker) -> tuple:
    config = Config(file_name="notes.txt")
    session_id = maker.create(config)
    upload(maker.server, session_id, b"These are no bytes of a song.\n" * 8)
    maker.await_state(session_id, "FAILED")
    return session_id, config, True


def make_cancelled(maker: Maker) -> tuple:
    config = waveform(stems=["vocals"], on_disconnect=config_pb2.ON_DISCONNECT_CANCEL)
    session_id = maker.create(config)
    upload(maker.server, session_id, SONG, end=PART)
    maker.await_segments(session_id, 2)
    maker.server.stub.CancelSession(api.CancelSessionRequest(session_id=session_id))
    return session_id, config, True


def broken_off(maker: Maker, config: Config) -> str:
    """A session whose client disconnected during the upload."""
    session_id = maker.create(config)

    def sent():
        yield from requests(SONG[:PART], config, finish=False)
        maker.await_segments(session_id, 2)

    collect(maker.server.stub.Separate(sent()))
    maker.await_state(session_id, "PAUSED")
    return session_id


def make_paused(maker: Maker) -> tuple:
    config = waveform()
    return broken_off(maker, config), config, True


def make_paused_raw(maker: Maker) -> tuple:
    # The same bytes: the WAV file's header is eleven frames of noise.
    config = waveform(
        stems=["accompaniment"], accompaniment=config_pb2.ACCOMPANIMENT_MINUS,
        input=config_pb2.RawPcm(encoding=config_pb2.ENCODING_S16LE, sample_rate=44_100, channels=2),
        output=config_pb2.OutputFormat(encoding=config_pb2.ENCODING_S16LE, gain=0.5))
    return broken_off(maker, config), config, True


def make_paused_complete(maker: Maker) -> tuple:
    """Its client left when everything was sent, while the first segment was computed."""
    config = Config(request_id=str(uuid.uuid4()), model="mini", stems=["vocals"], output=SOURCE_RATE,
                    normalization=config_pb2.NORMALIZATION_EXACT)
    call = maker.server.stub.Separate(requests(low_rate(2), config))
    session_id = next(call).session.session_id
    until(lambda: list(maker.server.directory(session_id).glob("computing.*")))
    call.cancel()
    maker.await_state(session_id, "PAUSED")
    return session_id, config, False


def make_uploading(maker: Maker) -> tuple:
    config = waveform(on_disconnect=config_pb2.ON_DISCONNECT_CONTINUE)
    session_id = maker.create(config)
    upload(maker.server, session_id, SONG, end=PART)
    maker.await_segments(session_id, 2)
    maker.kill()
    return session_id, config, True


def running(maker: Maker, config: Config, song: bytes, segments: int) -> str:
    while True:
        session_id = maker.create(config)
        upload(maker.server, session_id, song)
        if maker.kill_amid(session_id, computing(segments)):
            return session_id


def make_running(maker: Maker) -> tuple:
    config = Config(model="mini", stems=["vocals"], output=SOURCE_RATE, file_name="song.wav")
    return running(maker, config, low_rate(7.2), 2), config, False


def make_running_spleeter(maker: Maker) -> tuple:
    config = Config(model="spleeter-tiny-2stems", output=SOURCE_RATE)
    return running(maker, config, low_rate(3.4), 2), config, False


def without_its_model(maker: Maker, config: Config) -> str:
    """A session with two segments of a model that is no longer installed."""
    first = maker.models / "first"
    shutil.copytree(maker.models / "waveform", first)
    card = first / "card.toml"
    card.write_text(card.read_text().replace('"waveform"', '"first"'))
    maker.server.terminate()
    maker.server.restart()
    session_id = maker.create(config)
    upload(maker.server, session_id, SONG, end=PART)
    maker.await_segments(session_id, 2)
    maker.server.terminate()
    shutil.rmtree(first)
    maker.server.restart()
    return session_id


def make_failed_engine(maker: Maker) -> tuple:
    config = waveform(model="first", stems=["vocals"], allow_fallback=False)
    session_id = without_its_model(maker, config)
    upload(maker.server, session_id, SONG, PART, len(SONG))
    maker.await_state(session_id, "FAILED")
    return session_id, config, True


def make_done_fallback(maker: Maker) -> tuple:
    config = waveform(model="first", stems=["vocals"])
    session_id = without_its_model(maker, config)
    upload(maker.server, session_id, SONG, PART)
    maker.await_state(session_id, "DONE")
    return session_id, config, True


def make_running_fallback(maker: Maker) -> tuple:
    config = waveform(model="first", stems=["vocals"])
    while True:
        session_id = without_its_model(maker, config)
        upload(maker.server, session_id, SONG, PART)
        if maker.kill_amid(session_id, fading):
            return session_id, config, True


def computing(segments: int):
    """While computing: this many segments are committed, and an engine computes another."""
    def wanted(manifest: dict, files: Path) -> bool:
        committed = manifest["commit"]["segments"]
        between_commits = [path.name for path in files.glob("carry.*")] == [f"carry.{committed}"]
        computes = any(files.glob("computing.*"))
        return manifest["state"] == "RUNNING" and committed >= segments and between_commits and computes
    return wanted


def fading(manifest: dict, files: Path) -> bool:
    """While a second engine computes and the first one's frames still fade out."""
    commit = manifest["commit"]["segments"]
    if not manifest["turns"] or manifest["turns"][-1]["first"] >= commit or not computing(1)(manifest, files):
        return False
    with (files / f"carry.{commit}").open("rb") as carry:
        return json.loads(carry.readline())["fade"] > 0


def waveform(**more) -> Config:
    """`waveform` computes so fast that only many small steps let a moment between two of them be met."""
    return Config(**({"model": "waveform", "overlap": 0.75, "file_name": "clip.wav"} | more))


def as_wav(samples: np.ndarray, rate: int) -> bytes:
    """A WAV file of 16 bits from samples in [frames, channels]."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def make_song() -> bytes:
    """1.2 s of music on the left, and on the right a square wave: unlike it, and small when packed."""
    left = soundfile.read(ROOT / "tests" / "golden" / "clip.wav")[0][: 12 * 4410, 0]
    right = np.where(np.arange(len(left)) % 100 < 50, 0.25, -0.25)
    return as_wav(np.stack([left, right], axis=1), 44_100)


def low_rate(seconds: float) -> bytes:
    """The demo's song at 8 kHz in mono, which makes small stems."""
    source = ROOT / "models" / "demo" / "song.mp3"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-ss", "4", "-t", str(seconds), "-i", source]
    pcm = subprocess.run([*command, "-ac", "1", "-ar", "8000", "-f", "s16le", "-"], capture_output=True, check=True).stdout
    return as_wav(np.frombuffer(pcm, "<i2"), 8000)


SONG = make_song()
MAKERS = {
    "done": make_done, "done-mini-spleeter": make_done_mini_spleeter, "done-fallback": make_done_fallback,
    "failed": make_failed, "failed-engine": make_failed_engine, "cancelled": make_cancelled,
    "paused": make_paused, "paused-raw": make_paused_raw, "paused-complete": make_paused_complete,
    "uploading": make_uploading, "running": make_running, "running-spleeter": make_running_spleeter,
    "running-fallback": make_running_fallback,
}
