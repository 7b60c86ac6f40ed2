"""The service behind nginx, HAProxy, Caddy and Envoy, as docs/deploy/proxies configures them."""
import contextlib
import hashlib
import io
import json
import threading

import grpc
import numpy as np
import pytest
import soundfile
from playwright.sync_api import sync_playwright

from system import browser
from system.audio import RATE, music, wav
from system.common import INSTANT_MODEL, wait_for
from system.grpc_web import Page
from system.http_client import form
from system.server import Server, free_address
from system.stemwire_client import api, collect, requests, separate, service, session_pb2

from .proxies import SITE, SITE_OF_PATH, Certificates, Proxy, ask

OPTIONS = ["--allow-host", f"{SITE},{SITE_OF_PATH}", "--trusted-proxies", "127.0.0.1"]
KINDS = ["nginx", "haproxy", "caddy", "envoy"]


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    server = Server(binary, tmp_path_factory.mktemp("data"), *OPTIONS, variables=INSTANT_MODEL)
    yield server
    server.close()
    assert "panicked" not in server.log_text()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module", params=KINDS)
def proxy(request, server, certificates, tmp_path_factory):
    proxy = Proxy(request.param, server.address, certificates, tmp_path_factory.mktemp(request.param))
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def song() -> bytes:
    return wav(music(10))


@pytest.fixture(scope="module")
def expected(server, song) -> dict:
    """The hashes of the stems, without a proxy."""
    return separate(server.stub, song).digests()


def newest(server):
    return server.stub.ListSessions(api.ListSessionsRequest(page_size=1)).sessions[0]


def test_stems_come_before_the_upload_ends(proxy, song, expected):
    has_stem = threading.Event()

    def pause(sent: int) -> None:
        # Half of the song is there, and the rest follows once a stem has come back.
        if sent > len(song) // 2:
            assert has_stem.wait(30), "no stem came before the end of the upload"

    def noting(messages):
        for message in messages:
            if message.WhichOneof("message") == "stem":
                has_stem.set()
            yield message

    with proxy.channel() as channel:
        stub = service.SeparationServiceStub(channel)
        result = collect(noting(stub.Separate(requests(song, pause=pause), timeout=120)))
    assert result.error is None
    assert result.digests() == expected


def test_an_upload_of_any_size_arrives_in_one_request(proxy, server):
    # 32 MB: more than proxies accept or keep in memory by default.
    large = wav(np.tile(music(5), (36, 1)))
    assert len(large) > 30 << 20
    with proxy.channel() as channel:
        result = separate(service.SeparationServiceStub(channel), large)
    assert result.error is None and result.done.source.frames == 180 * RATE
    body, headers = form(("file", "song.wav", large))
    answer = ask(proxy, "POST", "/api/separate?async=true", body, headers)
    assert answer.status == 202, answer.body
    assert newest(server).committed_bytes == len(large)


def test_a_form_is_received_while_it_is_sent(proxy, server, song):
    body, headers = form(("file", "unbuffered.wav", song))
    half = len(body) // 2

    def pieces():
        yield body[:half]
        wait_for(lambda: newest(server).config.file_name == "unbuffered.wav" and newest(server).committed_bytes > 0)
        assert newest(server).state == session_pb2.SESSION_STATE_UPLOADING
        yield body[half:]

    answer = ask(proxy, "POST", "/api/separate", pieces(), headers)
    assert answer.status == 200, answer.body


def test_a_page_sees_stems_before_its_upload_has_ended(proxy, song):
    sender, watcher = (Page(f"{SITE}:{proxy.port}", connection=proxy.connection()) for _ in range(2))
    session_id = sender.call("CreateSession", api.CreateSessionRequest(), api.CreateSessionResponse).session.session_id
    chunk = api.UploadChunkRequest(session_id=session_id, data=song[: 1 << 20])
    sender.call("UploadChunk", chunk, api.UploadChunkResponse)
    watched = watcher.messages("WatchSession", api.WatchSessionRequest(session_id=session_id), api.WatchSessionResponse)
    assert any(message.WhichOneof("message") == "stem" for message in watched)
    watcher.connection.close()
    rest = api.UploadChunkRequest(session_id=session_id, offset=1 << 20, data=song[1 << 20 :])
    sender.call("UploadChunk", rest, api.UploadChunkResponse)
    finish = api.Finish(total_bytes=len(song), sha256=hashlib.sha256(song).digest())
    sender.call("FinishUpload", api.FinishUploadRequest(session_id=session_id, finish=finish), api.FinishUploadResponse)


def test_downloads_have_ranges_and_the_page_its_origin(proxy, server, song):
    session_id = separate(server.stub, song).done.session_id
    whole = ask(proxy, "GET", f"/download/{session_id}/other")
    assert soundfile.info(io.BytesIO(whole.body)).frames == 10 * RATE
    part = ask(proxy, "GET", f"/download/{session_id}/other", headers={"Range": "bytes=1000-1999"})
    assert (part.status, part.body) == (206, whole.body[1000:2000])
    own, foreign = f"https://{SITE}:{proxy.port}", "https://evil.example"
    for origin, status in [(own, 200), (foreign, 403)]:
        assert ask(proxy, "GET", "/api/sessions", headers={"Origin": origin}).status == status
    page = ask(proxy, "GET", "/")
    assert page.status == 200 and b"Stemwire" in page.body


def test_the_clients_address_is_that_of_the_request_and_not_what_it_claims(proxy, server, song):
    body, headers = form(("file", "song.wav", song))
    for claimed in ({}, {"X-Forwarded-For": "203.0.113.9"}):
        answer = ask(proxy, "POST", "/api/separate", body, headers | claimed, source="127.0.0.2")
        manifest = server.directory(json.loads(answer.body)["session_id"]) / "session.json"
        assert json.loads(manifest.read_text())["client"] == "127.0.0.2"


def test_page_and_plain_http_work_below_a_path(proxy, server, song):
    below = {"site": SITE_OF_PATH}
    moved = ask(proxy, "GET", "/music", **below)
    assert moved.status in (301, 308) and moved.headers["location"].endswith("/music/")
    page = ask(proxy, "GET", "/music/", **below)
    # All of its files are named relative to the page.
    assert page.status == 200 and b'src="static/app.js"' in page.body and b'="/' not in page.body
    assert ask(proxy, "GET", "/music/static/app.js", **below).status == 200
    body, headers = form(("file", "song.wav", song))
    answer = json.loads(ask(proxy, "POST", "/music/api/separate", body, headers, **below).body)
    url = answer["stems"]["other"]
    assert url.startswith("/music/download/")
    assert soundfile.info(io.BytesIO(ask(proxy, "GET", url, **below).body)).frames == 10 * RATE
    session = json.loads(ask(proxy, "GET", f"/music/api/sessions/{answer['session_id']}", **below).body)
    assert session["zip_url"].startswith("/music/") and session["stems"][0]["peaks_url"].startswith("/music/")
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}
    created = ask(proxy, "POST", "/music/api/uploads", b"", tus, **below)
    assert created.status == 201 and created.headers["location"].startswith("/music/api/uploads/")
    assert ask(proxy, "HEAD", created.headers["location"], headers=tus, **below).headers["upload-offset"] == "0"
    # A client cannot choose the prefix of another site.
    there = ask(proxy, "GET", f"/api/sessions/{answer['session_id']}", headers={"X-Forwarded-Prefix": "/evil"})
    assert json.loads(there.body)["zip_url"].startswith("/download/")
    web = Page(f"{SITE_OF_PATH}:{proxy.port}", connection=proxy.connection(SITE_OF_PATH), prefix="/music")
    assert web.call("Health", api.HealthRequest(), api.HealthResponse).status == api.SERVING_STATUS_SERVING


@pytest.fixture(scope="module")
def chromium():
    """A browser that finds the sites on this machine."""
    with sync_playwright() as playwright:
        options = [*browser.OPTIONS, f"--host-resolver-rules=MAP {SITE} 127.0.0.1, MAP {SITE_OF_PATH} 127.0.0.1"]
        chromium = playwright.chromium.launch(executable_path=browser.chromium_path(), args=options)
        yield chromium
        chromium.close()


@pytest.mark.parametrize("site", [SITE, f"{SITE_OF_PATH}/music"])
def test_a_browser_separates_and_plays_also_below_a_path(proxy, chromium, song, site):
    """A fault is, among others, a request to anything that is not below the path."""
    host, _, path = site.partition("/")
    page = browser.Page(chromium, "", ignore_https_errors=True)
    page.origin = f"https://{host}:{proxy.port}{path and '/'}{path}"
    with contextlib.closing(page):
        page.visit().choose(("song.wav", song))
        session_id = page.session_id()
        page.wait_done()
        page.button("Play").click()
        page.wait_sound()
        page.visit(f"/#{session_id}").wait_done()
        with page.tab.expect_download() as begun:
            page.tab.get_by_role("link", name="Download Other", exact=True).click()
        assert begun.value.url.startswith(f"{page.origin}/download/{session_id}/other")
        assert soundfile.info(begun.value.path()).frames == 10 * RATE


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_gone_is_unavailable(kind, certificates, tmp_path):
    with contextlib.closing(Proxy(kind, free_address(), certificates, tmp_path)) as proxy, proxy.channel() as channel:
        with pytest.raises(grpc.RpcError) as gone:
            service.SeparationServiceStub(channel).Health(api.HealthRequest(), timeout=30)
        assert gone.value.code() == grpc.StatusCode.UNAVAILABLE
        assert ask(proxy, "GET", "/health").status in (502, 503, 504)
