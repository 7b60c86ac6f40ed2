"""grpc-web as its protocol describes it (grpc/grpc, doc/PROTOCOL-WEB.md), in binary and in text mode.

That a page uploads, watches and reads errors is tested in tests/system/grpc/test_wire.py, CORS too.
"""
import base64
import http.client
import struct

import pytest

from system.audio import music, wav
from system.grpc_web import SERVICE, Page, trailers
from system.stemwire_client import api, separate

BINARY = ["application/grpc-web", "application/grpc-web+proto"]
TEXT = ["application/grpc-web-text", "application/grpc-web-text+proto"]
FORMS = [BINARY[1], TEXT[1]]


def frame(message) -> bytes:
    payload = message.SerializeToString()
    return struct.pack(">BI", 0, len(payload)) + payload


def pieces_of(body: bytes, size: int):
    """A body in pieces of any size, whatever the frames in it."""
    for at in range(0, len(body), size):
        yield body[at : at + size]


@pytest.fixture(scope="module")
def session_id(server) -> str:
    return separate(server.stub, wav(music(3))).done.session_id


@pytest.mark.parametrize("form", BINARY + TEXT)
def test_every_media_type_is_served(server, form):
    """The answer has the form that was accepted, with `+proto`, and only that."""
    page = Page(server.address, form)
    page.headers["Accept"] = f"{form.removesuffix('+proto')}+proto"
    assert page.call("Health", api.HealthRequest(), api.HealthResponse).status == api.SERVING_STATUS_SERVING


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_a_request_may_be_split_anywhere(server, session_id, form, size):
    page = Page(server.address, form)
    body = page.encoded(frame(api.GetSessionRequest(session_id=session_id)))
    (_, payload), (flags, _) = page.frames(page.send("GetSession", pieces_of(body, size)))
    assert api.GetSessionResponse.FromString(payload).session.session_id == session_id and flags == 0x80


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_text_may_be_padded_in_its_middle(server, session_id, size):
    """A client encodes what it has, and each of these pieces has padding of its own."""
    page = Page(server.address, FORMS[1])
    whole = frame(api.GetSessionRequest(session_id=session_id))
    body = b"".join(base64.b64encode(piece) for piece in pieces_of(whole, size))
    (_, payload), _ = page.frames(page.send("GetSession", body))
    assert api.GetSessionResponse.FromString(payload).session.session_id == session_id


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_ends_with_one_frame_of_trailers(server, session_id, form):
    page = Page(server.address, form)
    frames = list(page.frames(page.open("GetStem", api.GetStemRequest(session_id=session_id, stem="other"))))
    assert [flags for flags, _ in frames[:-1]] == [0] * (len(frames) - 1) and len(frames) > 1
    flags, payload = frames[-1]
    assert flags == 0x80 and trailers(payload)["grpc-status"] == "0"


@pytest.mark.parametrize("form", FORMS)
def test_an_error_is_in_the_trailers_or_in_the_head_and_in_one_of_them_only(server, session_id, form):
    """Trailers-only: an error without messages may be in the head of the response, whose body is empty then."""
    page = Page(server.address, form)
    for method, request in [
        ("GetStem", api.GetStemRequest(session_id=session_id, stem="nosuch")),
        ("GetSession", api.GetSessionRequest(session_id="none")),
        ("NoSuchMethod", api.HealthRequest()),
    ]:
        response = page.open(method, request)
        head = {name.lower(): value for name, value in response.getheaders()}
        frames = list(page.frames(response))
        assert ("grpc-status" in head) != bool(frames), (method, head, frames)
        if frames:
            ((flags, payload),) = frames
            assert flags == 0x80
            head = trailers(payload)
        assert head["grpc-status"] in ("3", "5", "12"), head


def test_an_error_after_messages_is_in_the_trailers(server):
    """A session that is cancelled while it is watched."""
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    page = Page(server.address, FORMS[0])
    found = page.frames(page.open("WatchSession", api.WatchSessionRequest(session_id=session_id)))
    assert next(found)[0] == 0
    server.stub.CancelSession(api.CancelSessionRequest(session_id=session_id))
    flags, payload = list(found)[-1]
    assert flags == 0x80
    last = trailers(payload)
    # CANCELLED, with the reason behind it.
    assert last["grpc-status"] == "1" and "grpc-status-details-bin" in last, last


@pytest.mark.parametrize("body, status", [
    (b"", {"3", "13"}),  # no message
    (b"\0\0\0\0\x05ab", {"3", "13"}),  # ends within one
    (b"\x01\0\0\0\0", {"12", "13"}),  # compressed, without a name of the compression
    (b"\x42\0\0\0\0", {"3", "12", "13"}),  # unknown flags
])
@pytest.mark.parametrize("form", FORMS)
def test_a_broken_body_is_an_error_and_nothing_else(server, form, body, status):
    page = Page(server.address, form)
    response = page.send("Health", page.encoded(body))
    head = {name.lower(): value for name, value in response.getheaders()}
    for _, payload in page.frames(response):
        head |= trailers(payload)
    assert head["grpc-status"] in status, head


def test_text_that_is_no_base64_is_an_error(server):
    page = Page(server.address, FORMS[1])
    response = page.send("Health", b"!!!!")
    head = {name.lower(): value for name, value in response.getheaders()}
    for _, payload in page.frames(response):
        head |= trailers(payload)
    assert head["grpc-status"] not in ("0", "2"), head


@pytest.mark.parametrize("form, status", [("application/json", 415), ("application/grpc", 415), ("text/plain", 415), ("", 415)])
def test_other_media_types_are_refused_over_http_1(server, form, status):
    connection = http.client.HTTPConnection(server.address, timeout=30)
    connection.request("POST", f"/{SERVICE}/Health", bytes(5), {"Content-Type": form} if form else {})
    assert connection.getresponse().status == status
    connection.close()
