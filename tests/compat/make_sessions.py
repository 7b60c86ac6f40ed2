#!/usr/bin/env python3
"""Makes `tests/compat/<version>/` with a released binary: see README.md.

    python tests/compat/make_sessions.py PATH/TO/stemwire

The proto is that of the working tree, so run it in a checkout of the version that the binary is of.
"""
import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import grpc
from maker import Maker, fetch
from states import MAKERS, SONG, cached

from system.compat import sessions
from system.compat.sessions import COMPAT, ROOT, as_json, resume, serve
from system.stemwire_client import api, config_pb2, separate, session_pb2


def main(binary: str) -> None:
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    folder = COMPAT / version
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "proto" / "stemwire", folder / "proto" / "stemwire")
    (folder / "song.wav").write_bytes(SONG)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        maker = Maker(binary, scratch)
        stack.callback(lambda: maker.server.close())
        about = {}
        for name, make in MAKERS.items():
            session_id, config, portable = make(maker)
            directory = maker.put_aside(session_id)
            pack(directory, folder / "sessions" / name)
            about[name] = {"session_id": session_id, "config": as_json(config), "portable": portable}
            print(name, json.loads((directory / "session.json").read_text())["state"], flush=True)
        maker.server.terminate()
        index = {"version": version, "processor": sessions.processor(), "sessions": about}
        (folder / "sessions.json").write_text(json.dumps(index))

        _, kept = sessions.load(version)
        songs = {}
        for name, each in kept.items():
            files = each.unpack(scratch / "observed")
            songs[name] = (files / "upload").read_bytes() if each.manifest["upload"]["total"] else SONG
        server = serve(binary, scratch / "observed", maker.models)
        stack.callback(server.close)
        for name, each in kept.items():
            observe(server, each, songs[name])
            if each.manifest["engine_changes"] == [] and "ended" in each.about:
                check_whole(server, each, songs[name])
            about[name] = each.about
        index["runtime"] = server.stub.Health(api.HealthRequest()).runtime.name
        (folder / "sessions.json").write_text(json.dumps(index, indent=1) + "\n")


def pack(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    shutil.copy(source / "session.json", target)

    def plain(entry: tarfile.TarInfo):
        entry.mtime = entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(target / "files.tar.xz", "w:xz", preset=9) as files:
        for path in sorted(source.iterdir()):
            if path.name != "session.json":
                files.add(path, path.name, filter=plain)


def observe(server, kept, song: bytes) -> None:
    """Adds to a session's entry what its own version makes of it."""
    about, state = kept.about, kept.manifest["state"]
    if state != "RUNNING":
        about["opened"] = as_json(server.get(kept.id))
    if state in ("DONE", "FAILED", "CANCELLED"):
        about["rest"] = json.loads(fetch(server, f"/api/sessions/{kept.id}"))
        readable = [stem.name for stem in server.get(kept.id).stems if stem.frames]
        about["stems"] = {name: digest(read(server, kept.id, name)) for name in readable}
    else:
        ended = resume(server, kept.id, song).done
        assert ended.state == session_pb2.SESSION_STATE_DONE
        about["ended"] = as_json(ended)
        about["stems"] = {stem.name: stem.sha256.hex() for stem in ended.stems}
        # It has changed just now.
        about["ended"].pop("update_time")
    if state == "UPLOADING":
        about["opened"].pop("update_time")
    if state == "DONE":
        urls = [f"/download/{kept.id}/{name}?format={form}" for name in readable for form in ("wav-f32", "wav-s16")]
        if kept.folder.name == "done":
            urls += cached(kept.id)
        about["downloads"] = {url: digest(fetch(server, url)) for url in urls}


def check_whole(server, kept, song: bytes) -> None:
    """A session that was interrupted has ended with the bytes of one that was not."""
    config = kept.config
    config.ClearField("request_id")
    # Hashes are of samples as they are stored.
    config.output.encoding, config.output.gain = config_pb2.ENCODING_F32LE, 1
    assert separate(server.stub, song, config).digests() == kept.about["stems"], kept.folder.name


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(server, session_id: str, stem: str) -> bytes:
    """The frames that a stem has; where the session has ended early, an error follows them."""
    pcm = bytearray()
    with contextlib.suppress(grpc.RpcError):
        request = api.GetStemRequest(session_id=session_id, stem=stem, encoding=config_pb2.ENCODING_F32LE, gain=1)
        for response in server.stub.GetStem(request):
            pcm += response.chunk.pcm
    return bytes(pcm)


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
