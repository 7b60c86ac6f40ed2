"""grpc-web by Python's standard library."""
import base64
import http.client
import io
import struct

SERVICE = "stemwire.v1.SeparationService"


class Page:
    """A page in a browser: grpc-web over one connection of HTTP/1.1; `prefix` is the path before that of the service."""

    def __init__(self, address: str, form: str = "application/grpc-web+proto", connection=None, prefix="", **headers: str):
        self.connection = connection or http.client.HTTPConnection(address, timeout=60)
        self.prefix = prefix
        self.headers = {"Content-Type": form, "Accept": form, "X-Grpc-Web": "1"} | headers
        self.is_text = "text" in form

    def open(self, method: str, request) -> http.client.HTTPResponse:
        message = request.SerializeToString()
        return self.send(method, self.encoded(struct.pack(">BI", 0, len(message)) + message))

    def encoded(self, frame: bytes) -> bytes:
        """The bytes of frames in the body of a request."""
        return base64.b64encode(frame) if self.is_text else frame

    def send(self, method: str, body) -> http.client.HTTPResponse:
        """Sends a body: bytes, or an iterable of bytes that are sent as chunks."""
        chunked = not isinstance(body, bytes)
        self.connection.request("POST", f"{self.prefix}/{SERVICE}/{method}", body, self.headers, encode_chunked=chunked)
        response = self.connection.getresponse()
        assert (response.status, response.version) == (200, 11)
        assert response.getheader("Content-Type") == self.headers["Accept"]
        return response

    def frames(self, response):
        """(flags, payload) of each frame as it arrives."""
        if self.is_text:
            whole = response.read()
            quads = (whole[at : at + 4] for at in range(0, len(whole), 4))
            response = io.BytesIO(b"".join(map(base64.b64decode, quads)))
        while head := response.read(5):
            flags, length = struct.unpack(">BI", head)
            payload = response.read(length)
            assert len(payload) == length
            yield flags, payload

    def messages(self, method: str, request, answer):
        """The messages of a call; its trailers, in the last frame, must be OK."""
        ended = False
        for flags, payload in self.frames(self.open(method, request)):
            assert not ended, "the trailers are the last"
            if flags == 0:
                yield answer.FromString(payload)
                continue
            ended = True
            assert flags == 0x80
            assert trailers(payload)["grpc-status"] == "0"
        assert ended

    def call(self, method: str, request, answer):
        (message,) = self.messages(method, request, answer)
        return message


def trailers(payload: bytes) -> dict:
    """The trailers in the last frame; names are in lower case, as grpc-web demands."""
    lines = [line.split(":", 1) for line in payload.decode().split("\r\n") if line]
    assert all(name == name.lower() for name, _ in lines)
    return {name: value.strip() for name, value in lines}
