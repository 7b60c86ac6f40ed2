"""The command line, as somebody at a terminal meets it."""
import contextlib
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import psutil
import pytest
import soundfile
from common import check_refused, stems, wait_for
from conftest import RATE, ROOT, music, wav
from stemwire_client import api, reason, separate

STEMS = {"drums", "bass", "other", "vocals"}
GOLDEN = ROOT / "tests" / "golden"
FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]


@pytest.fixture(scope="module")
def whole(server):
    """The stems of `short` as the server has them: float32 [frames, 2]."""
    stems = separate(server.stub, wav(music(2))).stems
    return {name: np.frombuffer(pcm, "<f4").reshape(-1, 2) for name, pcm in stems.items()}


@pytest.fixture
def short(tmp_path) -> Path:
    """Two seconds, in a file."""
    path = tmp_path / "short.wav"
    path.write_bytes(wav(music(2)))
    return path


def names(folder: Path) -> list:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def scratch(out: Path) -> list:
    return [name for name in names(out) if name.startswith(".")]


def stamps(out: Path) -> dict:
    return {str(path.relative_to(out)): path.stat().st_ino for path in out.glob("*/*")}


def test_each_song_becomes_a_folder_of_stems_as_long_as_it_is(cli, short, whole, tmp_path):
    (tmp_path / "other song.flac").write_bytes(wav(music(1.23), subtype="PCM_24"))
    said = cli("separate", short, "other song.flac", "-o", "out")
    assert names(tmp_path / "out") == ["other song", "short"]
    for folder, seconds in [("short", 2), ("other song", 1.23)]:
        found = stems(tmp_path / "out" / folder)
        assert found.keys() == STEMS
        assert all(rate == RATE and audio.shape == (int(seconds * RATE), 2) for audio, rate in found.values())
    for name, (audio, _) in stems(tmp_path / "out" / "short").items():
        assert np.array_equal(audio, whole[name])
    assert all(name.encode() in said.out for name in ("short.wav", "other song.flac", "vocals"))


@pytest.mark.parametrize("options, expected", [
    (["--stems", "vocals"], {"vocals"}),
    (["--stems", "bass,accompaniment"], {"bass", "accompaniment"}),
    (["--two-stems", "vocals"], {"vocals", "accompaniment"}),
])
def test_only_the_stems_that_are_asked_for_are_written(cli, short, whole, tmp_path, options, expected):
    cli("separate", short, "-o", "out", *options)
    found = stems(tmp_path / "out" / "short")
    assert found.keys() == expected
    mixed = whole | {"accompaniment": whole["drums"] + whole["bass"] + whole["other"]}
    for name, (audio, _) in found.items():
        assert np.abs(audio - mixed[name]).max() < 1e-6


@pytest.mark.parametrize("form, subtype, bits", [
    ("wav-f32", "FLOAT", None), ("wav-s24", "PCM_24", 24), ("wav-s16", "PCM_16", 16),
])
def test_files_have_the_form_that_is_asked_for(cli, short, whole, tmp_path, form, subtype, bits):
    cli("separate", short, "-o", "out", "--format", form)
    for name, expected in whole.items():
        path = tmp_path / "out" / "short" / f"{name}.wav"
        assert soundfile.info(path).subtype == subtype
        if bits:
            audio, scale = soundfile.read(path, dtype="int32")[0] >> (32 - bits), 2.0 ** (bits - 1)
            expected = np.clip(np.rint(expected.astype(np.float64) * scale), -scale, scale - 1)
        else:
            audio = soundfile.read(path, dtype="float32")[0]
        assert np.array_equal(audio, expected)


@pytest.mark.parametrize("rate, expected", [("model", (44_100, 44_213)), ("source", (48_000, 48_123))])
def test_stems_have_the_models_rate_or_the_songs(cli, tmp_path, rate, expected):
    (tmp_path / "song.wav").write_bytes(wav(music(2)[:48_123], rate=48_000))
    cli("separate", "song.wav", "-o", "out", "--rate", rate)
    for audio, found in stems(tmp_path / "out" / "song").values():
        assert found == expected[0]
        # 48,123 frames are 44,213.006 of the other rate.
        assert abs(len(audio) - expected[1]) <= (rate == "model")


def test_loud_stems_are_clipped_and_told_or_fitted_by_one_gain(cli, whole, tmp_path):
    loudest = max(np.abs(audio).max() for audio in whole.values())
    (tmp_path / "loud.wav").write_bytes(wav(4 / loudest * music(2), subtype="FLOAT"))
    cli("separate", "loud.wav", "-o", "floats")
    floats = {name: audio for name, (audio, _) in stems(tmp_path / "floats" / "loud").items()}
    peak = max(np.abs(audio).max() for audio in floats.values())
    assert peak > 1, "it must be too loud for integers"
    integers = ["--format", "wav-s16"]
    clipped = sum(int(count) for count in re.findall(r"(\d+) samples", cli("separate", "loud.wav", *integers).err))
    assert clipped == sum(np.sum((rounded > 32_767) | (rounded < -32_768)) for rounded in (
        np.rint(audio.astype(np.float64) * 32_768) for audio in floats.values()))
    said = cli("separate", "loud.wav", "-o", "fitted", *integers, "--fit")
    assert "clipped" not in said.err and f"{20 * np.log10(32_767 / 32_768 / peak):.2f} dB" in said.err
    for name, (audio, _) in stems(tmp_path / "fitted" / "loud").items():
        assert np.abs(audio - floats[name] / peak).max() < 1e-4


def test_complete_results_are_skipped_and_others_made_anew(cli, short, tmp_path):
    (tmp_path / "second.wav").write_bytes(wav(music(1, seed=2)))
    out, command = tmp_path / "out", ["separate", short, "second.wav", "-o", "out"]
    cli(*command)
    first = stamps(out)
    assert len(first) == 8
    # Everything is there.
    assert "already" in cli(*command).err
    assert stamps(out) == first
    # A stem is missing, or is no audio any more.
    for damage in (Path.unlink, lambda path: path.write_bytes(b"")):
        before = stamps(out)
        damage(out / "second" / "bass.wav")
        cli(*command)
        changed = {name for name, stamp in stamps(out).items() if stamp != before.get(name)}
        assert "second/bass.wav" in changed and not any(name.startswith("short/") for name in changed)
        assert len(stems(out / "second")["bass"][0]) == RATE
    # Other stems of the same song are wanted.
    cli(*command, "--two-stems", "vocals")
    assert set(names(out / "short")) == {f"{name}.wav" for name in STEMS | {"accompaniment"}}
    # It is asked for.
    before = stamps(out)
    cli(*command, "--force")
    after = stamps(out)
    assert all(after[f"{song}/{name}.wav"] != before[f"{song}/{name}.wav"]
               for song in ("short", "second") for name in STEMS)


def test_a_pipe_has_the_same_pcm_as_a_file(cli, binary, short, tmp_path):
    """ffmpeg | stemwire | ffmpeg, all at once; the second one turns the PCM round once, losing nothing."""
    cli("separate", short, "-o", "out", "--stems", "vocals")
    expected = stems(tmp_path / "out" / "short")["vocals"][0].tobytes()
    before = subprocess.Popen([*FFMPEG, "-i", short, "-f", "wav", "-"], stdout=subprocess.PIPE)
    command = [binary, "separate", "-", "--stdout", "vocals", "--offline"]
    work = subprocess.Popen(command, cwd=tmp_path, stdin=before.stdout, stdout=subprocess.PIPE)
    raw = ["-f", "f32le", "-ar", str(RATE), "-ac", "2"]
    after = subprocess.run([*FFMPEG[:-1], *raw, "-i", "-", *raw, "-"], stdin=work.stdout, capture_output=True, timeout=60)
    assert (before.wait(10), work.wait(10), after.returncode) == (0, 0, 0)
    assert after.stdout == expected
    assert names(tmp_path) == ["out", "short.wav"], "a pipe leaves no files"


def test_raw_pcm_on_standard_input_is_the_same_song(cli, tmp_path):
    audio = (music(2)[:90_000] * 32_767).astype("<i2")
    (tmp_path / "song.wav").write_bytes(wav(audio, rate=48_000))
    cli("separate", "song.wav", "-o", "out", "--stems", "bass")
    said = cli("separate", "-", "--raw", "s16le:48000:2", "--stdout", "bass", stdin=audio.tobytes())
    assert said.out == stems(tmp_path / "out" / "song")["bass"][0].tobytes()


@pytest.mark.parametrize("options", [
    ["--rate", "source", "--two-stems", "vocals", "--format", "wav-s24"],
    ["--normalization", "exact", "--overlap", "0.5"],
    ["--stdout", "drums", "--format", "wav-s16"],
    ["--model", "mini-spleeter", "--mask-extension", "zeros"],
])
def test_a_server_gives_the_same_bytes(cli, server, tmp_path, options):
    (tmp_path / "song.wav").write_bytes(wav(music(2)[:80_000], rate=32_000))
    folder = lambda name: [] if "--stdout" in options else ["-o", name]
    here = cli("separate", "song.wav", *folder("here"), *options)
    there = cli("separate", "song.wav", *folder("there"), *options, "--server", f"http://{server.address}")
    assert here.out == there.out if "--stdout" in options else names(tmp_path / "here" / "song")
    for path in tmp_path.glob("here/*/*"):
        assert path.read_bytes() == (tmp_path / "there" / "song" / path.name).read_bytes()


@pytest.mark.parametrize("arguments, code, cause, remedy", [
    (["nosuch.wav"], 3, "nosuch.wav: No such file", "audio file"),
    (["."], 3, "is a directory", "audio file"),
    (["text.txt"], 3, "text.txt: .*text", "WAV.*FLAC.*MP3"),
    (["short.wav", "--model", "nosuch"], 2, '"nosuch".*mini', "models list"),
    (["short.wav", "--stems", "kazoo"], 2, "kazoo.*drums, bass, other, vocals", "another model"),
    (["short.wav", "--server", "http://127.0.0.1:1"], 5, "127.0.0.1:1: Connection refused", "stemwire serve"),
    (["short.wav", "--server", ":::"], 2, '":::"', "http://HOST:PORT"),
    (["short.wav", "more/short.flac"], 2, "short.wav and .*short.flac.*stems/short", "different folders"),
    (["short.wav", "--output", "text.txt"], 6, "cannot write text.txt", "folder"),
])
def test_an_error_has_its_code_a_line_of_cause_and_a_line_of_remedy(cli, short, tmp_path, arguments, code, cause, remedy):
    (tmp_path / "text.txt").write_text("Dear computer,\nplease sing.\n" * 50)
    check_refused(cli("separate", *arguments, code=code).err, cause, remedy)
    assert names(tmp_path / "stems") == []


@pytest.mark.parametrize("arguments, told", [
    (["--overlap", "-1"], "an overlap of -1.0"),
    (["--threads", "-1"], "'-1' for '--threads <N>'"),
    (["--stdout", "vocals", "--output", "out"], "'--stdout <STEM>' cannot be used with"),
    (["--stdout", "vocals", "--force"], "cannot be used with"),
])
def test_an_option_that_makes_no_sense_is_named(cli, short, arguments, told):
    said = cli("separate", short, *arguments, code=2)
    assert told in said.err and said.out == b"", said.err


@pytest.mark.parametrize("folder", ["nosuch", "short.wav"])
def test_a_folder_of_models_that_cannot_be_read_is_told(cli, short, folder):
    said = cli("separate", short, "--models-dir", folder)
    assert re.search(f"^warning: .*{folder}: ", said.err, re.MULTILINE), said.err
    assert "warning" not in cli("separate", short, "--force").err


@pytest.mark.parametrize("arguments, cause, remedy", [
    (["--overlap", "2"], "an overlap of 2", "correct the field"),
    (["--stems", "kazoo"], "kazoo.*drums, bass, other, vocals", "take one of the stems"),
    (["--model", "nosuch"], '"nosuch".*mini', "name one of the models"),
])
def test_a_servers_refusal_has_the_servers_remedy(cli, server, short, arguments, cause, remedy):
    check_refused(cli("separate", short, *arguments, "--server", f"http://{server.address}", code=2).err, cause, remedy)


@pytest.mark.parametrize("arguments, code", [
    (["text.txt"], 3), (["short.wav", "--model", "nosuch"], 2), (["short.wav", "--stems", "kazoo"], 2),
])
def test_a_servers_refusals_end_with_the_same_codes(cli, server, short, tmp_path, arguments, code):
    (tmp_path / "text.txt").write_text("Dear computer,\nplease sing.\n" * 50)
    said = cli("separate", *arguments, "--server", f"http://{server.address}", code=code)
    assert arguments[-1] in said.err and len(said.err.splitlines()) <= 2
    assert names(tmp_path / "stems") == []


def test_one_song_that_fails_does_not_keep_the_others(cli, short, tmp_path):
    (tmp_path / "text.txt").write_text("no music" * 50)
    said = cli("separate", "text.txt", short, "-o", "out", code=3)
    assert "text.txt" in said.err and "1 of 2" in said.err
    assert names(tmp_path / "out") == ["short"] and stems(tmp_path / "out" / "short").keys() == STEMS


@pytest.mark.parametrize("flags, offline", [(["--offline"], None), ([], "1")])
def test_without_the_runtime_every_place_is_told(cli, binary, short, tmp_path, flags, offline):
    said = cli("separate", short, *flags, code=4, STEMWIRE_OFFLINE=offline, STEMWIRE_RUNTIME=None,
               HOME=tmp_path, XDG_CACHE_HOME=tmp_path / "cache")
    assert str(Path(binary).parent) in said.err and str(tmp_path / "cache" / "stemwire") in said.err
    assert re.fullmatch("remedy: .*stemwire runtime install.*", said.err.splitlines()[-1])
    assert names(tmp_path) == ["short.wav"], "nothing is installed"


@pytest.mark.parametrize("arguments, code, expected, variables", [
    (["separate", "short.wav"], 2, "nosuch", {"STEMWIRE_MODEL": "nosuch"}),
    (["separate", "short.wav"], 2, '":::"', {"STEMWIRE_SERVER": ":::"}),
    (["separate", "short.wav"], 4, "/no/library.so", {"STEMWIRE_RUNTIME": "/no/library.so"}),
    (["separate", "short.wav"], 2, "STEMWIRE_THREADS|--threads", {"STEMWIRE_THREADS": "0"}),
    (["separate", "short.wav"], 2, "3 workers cannot share 2 compute threads\nremedy: lower --workers",
     {"STEMWIRE_THREADS": "2", "STEMWIRE_WORKERS": "3"}),
    (["separate", "short.wav", "--server", "https://127.0.0.1:1"], 2, "/no/ca.pem", {"STEMWIRE_TLS_CA": "/no/ca.pem"}),
    (["models", "list"], 0, "tiny", {"STEMWIRE_MODELS_DIR": GOLDEN}),
    (["serve"], 2, "192.0.2.1", {"STEMWIRE_LISTEN": "192.0.2.1:0"}),
    (["serve"], 5, "192.0.2.1", {"STEMWIRE_LISTEN": "192.0.2.1:0", "STEMWIRE_INSECURE": "1", "STEMWIRE_DATA_DIR": "d"}),
])
def test_variables_of_the_environment_are_read(cli, short, arguments, code, expected, variables):
    said = cli(*arguments, code=code, **variables)
    assert re.search(expected, said.err + said.out.decode())


def test_the_servers_variables_are_read_too(start, monkeypatch):
    for name, value in {"MAX_OPEN": "3", "MAX_QUEUED": "5", "MAX_UPLOAD": "1kB", "MAX_TRACK": "1s"}.items():
        monkeypatch.setenv(f"STEMWIRE_{name}", value)
    server = start("--max-upload", "1MB")  # what is typed goes before
    health = server.stub.Health(api.HealthRequest())
    assert (health.max_open_sessions, health.max_queued_sessions) == (3, 5)
    assert reason(separate(server.stub, wav(music(2))).error)[1] == "TRACK_TOO_LONG"


def test_the_token_is_sent(cli, start, short, tmp_path):
    server = start("--token", "a-very-secret-token")
    command = ["separate", short, "-o", "out", "--stems", "bass", "--server", f"http://{server.address}"]
    assert "token" in cli(*command, code=5).err
    cli(*command, STEMWIRE_TOKEN="a-very-secret-token")
    assert stems(tmp_path / "out" / "short").keys() == {"bass"}


def size(path: Path) -> int:
    """Of a file that may be gone at this moment."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


class Running:
    """`stemwire separate` of a minute of music, seen amid its work."""

    def __init__(self, binary, folder: Path, *options):
        self.out = folder / "out"
        (folder / "long.wav").write_bytes(wav(music(60)))
        command = [binary, "separate", folder / "long.wav", "-o", self.out, "--offline", "--threads", "1", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: any(size(path) > 10**6 for path in self.out.glob(".*/**/*.wav*")))
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> str:
        _, err = self.process.communicate(timeout=60)
        wait_for(lambda: all(map(is_gone, self.children)), 20)
        return err


def is_gone(process: psutil.Process) -> bool:
    """Also one that has ended and that nobody has asked for its result."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_session_that_somebody_cancels_is_an_error_and_leaves_no_stems(binary, slow_server, tmp_path):
    server = slow_server
    running = Running(binary, tmp_path, "--server", f"http://{server.address}")
    session = server.stub.ListSessions(api.ListSessionsRequest(page_size=1)).sessions[0]
    assert session.config.file_name == "long.wav"
    server.stub.CancelSession(api.CancelSessionRequest(session_id=session.session_id))
    err = running.end()
    assert running.process.returncode == 5, err
    assert re.search("^error: .*long.wav: .*cancel", err, re.MULTILINE), err
    assert names(running.out) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("remote", [False, True])
def test_a_run_that_is_asked_to_end_leaves_nothing(binary, slow_server, tmp_path, number, remote):
    running = Running(binary, tmp_path, *(["--server", f"http://{slow_server.address}"] if remote else []))
    running.process.send_signal(number)
    said = running.end()
    assert running.process.returncode == 130
    assert names(running.out) == []
    assert "ERROR" not in said, "what was asked to stop has not failed"


def test_what_a_killed_run_leaves_is_removed_by_the_next(binary, cli, short, tmp_path):
    running = Running(binary, tmp_path)
    running.process.kill()
    running.end()
    assert scratch(running.out) != [], "nobody could remove it"
    cli("separate", short, "-o", running.out)
    assert names(running.out) == ["short"]


@pytest.mark.parametrize("remote", [False, True])
def test_several_songs_do_not_pile_up_their_scratch(cli, server, tmp_path, remote):
    songs = [tmp_path / f"{number}.wav" for number in range(4)]
    for song in songs:
        song.write_bytes(wav(music(1)))
    seen, ended = set(), threading.Event()

    def watch():
        # The songs under way: a folder of stems is made for each.
        while not ended.wait(0.005):
            pattern = ".stemwire-*/.tmp*" if remote else ".stemwire-*/sessions/*"
            # A folder may go while it is looked at.
            with contextlib.suppress(FileNotFoundError):
                seen.add(len(list((tmp_path / "out").glob(pattern))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    cli("separate", *songs, "-o", "out", *(["--server", f"http://{server.address}"] if remote else []))
    ended.set()
    watcher.join()
    assert max(seen) == 1
    assert names(tmp_path / "out") == ["0", "1", "2", "3"]


def test_a_reader_that_leaves_a_pipe_ends_the_run(binary, short):
    command = [binary, "separate", short, "--stdout", "vocals", "--offline"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(60) != 0
    assert "panicked" not in err


def test_the_doctor_names_what_is_in_place(cli, tmp_path):
    said = cli("doctor", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "data").out.decode()
    assert "BAD" not in said
    for expected in (r"onnxruntime 1\.\S+ at /", "model mini works", "decoder", f"free at {tmp_path}", "127.0.0.1:0 is free"):
        assert re.search(expected, said), said


def test_the_doctor_tells_what_is_not_in_place_with_a_remedy(cli, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        said = cli("doctor", "--listen", address, "--data-dir", "data", code=1).out.decode()
        assert re.search(rf"BAD   {address} is not free.*\n +remedy: .*--listen", said), said
    (tmp_path / "file").touch()
    said = cli("doctor", "--listen", "127.0.0.1:0", "--data-dir", "file", "--runtime", "nosuch.so", code=1).out.decode()
    assert re.search(r"BAD   ONNX Runtime was not found[^B]*nosuch\.so[^B]*remedy: ", said), said
    assert re.search(r"BAD   file cannot be written.*\n +remedy: .*--data-dir", said), said


def test_models_are_listed_with_their_stems(cli, tmp_path):
    broken = tmp_path / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "card.toml").write_text("name = 7\n")
    said = cli("models", "list", "--models-dir", GOLDEN).out.decode()
    assert re.search(r"^mini .*built in(.*\n)+.*drums, bass, other, vocals\n(.*\n)*^tiny .*installed", said, re.MULTILINE), said
    said = cli("models", "list", "--models-dir", tmp_path / "models")
    assert str(broken) in said.err and b"mini" in said.out


LIMITS = {
    "--max-upload", "--max-track", "--max-open", "--max-queued", "--idle-upload", "--resume-window", "--keep",
    "--max-stored", "--min-free", "--drain", "--decoder-memory", "--decoder-time", "--decoder-stall",
}


def test_help_names_every_limit_with_its_variable_and_default(cli):
    text = cli("serve", "--help", COLUMNS="1000").out.decode()
    limits = text.split("Limits:")[1].split("\n\n")[0]
    entries = re.findall(r"^ +(--[a-z-]+) [^\n]*(?:\n +[^- \n][^\n]*)*", limits, re.MULTILINE)
    assert set(entries) == LIMITS, "under this heading stand limits and nothing else"
    joined = " ".join(limits.split())
    for flag in LIMITS:
        variable = flag[2:].replace("-", "_").upper()
        assert re.search(rf"{flag} <\w+> [^<]*\[env: STEMWIRE_{variable}=\] \[default: ", joined), flag


@pytest.mark.parametrize("command, expected", [
    ([], ["serve", "separate", "models", "runtime", "doctor"]),
    (["separate"], ["--stems", "--two-stems", "--server", "--format", "--rate", "--fit", "--raw", "--stdout", "--force"]),
    (["serve"], ["--listen", "--data-dir", "--engines", "--token", "--insecure", "--allow-origin", "--tls-cert"]),
    (["models"], ["list", "pull", "import", "verify", "remove"]),
    (["models", "list"], ["--models-dir"]),
    (["models", "pull"], ["--mirror", "STEMWIRE_MODELS_MIRROR", "--offline", "--models-dir"]),
    (["models", "import"], ["--allow-unverified", "--graph", "--models-dir"]),
    (["runtime"], ["list", "install"]),
    (["runtime", "install"], ["--from", "openvino", "cuda"]),
    (["doctor"], ["--listen", "--data-dir", "--runtime", "--offline"]),
])
def test_help_names_what_there_is(cli, command, expected):
    text = cli(*command, "--help").out.decode()
    assert [word for word in expected if word not in text] == []
    assert "decode " not in text, "that one is the server's own"
