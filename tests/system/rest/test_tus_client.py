"""Resumable uploads by tus-js-client, also across kills of the server."""
import json
import os
import subprocess
from pathlib import Path

from ..common import INSTANT_MODEL, wait_for
from ..http_client import environment, get, wait_done
from ..server import free_address
from .tus import TOO_SLOW, hashes

MODELS = INSTANT_MODEL
CLIENT = Path(__file__).with_name("tus_client.cjs")


def options(server, **more) -> dict:
    return {"endpoint": f"http://{server.address}/api/uploads", "chunkSize": 1 << 18, "metadata": {"filename": "my song.wav"}, **more}


def start_client(*uploads: dict) -> subprocess.Popen:
    command = ["node", str(CLIENT), json.dumps(uploads)]
    given = environment() | {"STEMWIRE_TUS": os.environ.get("STEMWIRE_TUS", "tus-js-client")}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=given)


def finished(client: subprocess.Popen) -> list[dict]:
    out, err = client.communicate(timeout=120)
    assert client.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()]


def id_of(url: str) -> str:
    return url.rsplit("/", 1)[-1]


def test_tus_js_client_uploads_in_all_its_ways(server, song, stems, tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(song)
    ways = [
        {},
        {"chunkSize": len(song)},
        {"uploadDataDuringCreation": True},
        {"overridePatchMethod": True},
        {"uploadLengthDeferred": True},
    ]
    specified = [{"path": str(path), "options": options(server, **way)} for way in ways]
    for way, ended in zip(ways, finished(start_client(*specified)), strict=True):
        assert "error" not in ended, (way, ended)
        session = wait_done(server, id_of(ended["url"]))
        assert hashes(session) == stems, way
        assert (session["file_name"], session["uploaded_bytes"]) == ("my song.wav", len(song))


def test_tus_js_client_ends_as_usual_although_its_session_is_done_before(server, song, tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(song)
    part = options(server, endpoint=f"http://{server.address}/api/uploads?end_s=0.5", chunkSize=1 << 17)
    [ended] = finished(start_client({"path": str(path), "options": part, "pause_ms": 50}))
    assert "error" not in ended, ended
    session = wait_done(server, id_of(ended["url"]))
    assert (session["state"], session["upload_complete"], session["uploaded_bytes"]) == ("DONE", True, len(song))


def test_tus_js_client_resumes_where_another_stopped_and_terminates(server, song, stems, tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(song)
    half = {"path": str(path), "options": options(server), "stop_at": len(song) // 2}
    stopped, terminated = finished(start_client(half, half | {"terminate": True}))
    session = get(server, f"/api/sessions/{id_of(stopped['url'])}").json()
    assert session["uploaded_bytes"] == stopped["sent"] < len(song) and not session["upload_complete"]
    gone = f"/api/sessions/{id_of(terminated['url'])}"
    wait_for(lambda: get(server, gone).status == 404)
    resumed, = finished(start_client({"path": str(path), "options": options(server, uploadUrl=stopped["url"])}))
    assert resumed["url"] == stopped["url"]
    assert hashes(wait_done(server, id_of(resumed["url"]))) == stems


def test_an_upload_outlives_a_kill_of_the_server_and_stems_come_meanwhile(start, song, stems, tmp_path):
    server = start(listen=free_address())
    path = tmp_path / "song.wav"
    path.write_bytes(song)
    client = start_client({"path": str(path), "options": options(server, chunkSize=1 << 17), "pause_ms": 200})
    sessions = lambda: get(server, "/api/sessions").json()["sessions"]
    wait_for(lambda: sessions() and sessions()[0]["finished_frames"] > 0)
    session = sessions()[0]
    assert session["state"] == "UPLOADING" and session["uploaded_bytes"] < len(song)
    wait_for(lambda: get(server, session["stems"][0]["peaks_url"]).json()["peaks"])
    server.kill()
    server.restart()
    ended, = finished(client)
    assert id_of(ended["url"]) == session["session_id"]
    assert hashes(wait_done(server, session["session_id"])) == stems


def test_tus_js_client_does_not_repeat_a_song_that_cannot_be_read(server, tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(TOO_SLOW)
    ended, = finished(start_client({"path": str(path), "options": options(server, chunkSize=1 << 17), "pause_ms": 150}))
    assert ended["status"] in (400, 410), ended
