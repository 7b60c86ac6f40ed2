"""A server that refuses every call, in the way that was planned for the session in its request: over gRPC, or over grpc-web."""
import base64
import struct
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from system.stemwire_client import api

REQUESTS = {"GetSession": api.GetSessionRequest, "WatchSession": api.WatchSessionRequest}


@dataclass
class Refusal:
    """An error as a server sends it; without a reason it has no details, as that of a proxy or of a library."""

    code: int
    reason: str = ""
    message: str = "the cause – die Größe, 音"
    metadata: dict = field(default_factory=dict)
    retry_after_s: float | None = None
    domain: str = "stemwire"

    def details(self) -> bytes:
        """The status in full; empty without a reason."""
        if not self.reason:
            return b""
        found = [error_details_pb2.ErrorInfo(reason=self.reason, domain=self.domain, metadata=self.metadata)]
        if self.retry_after_s is not None:
            found.append(error_details_pb2.RetryInfo())
            found[-1].retry_delay.FromMicroseconds(round(self.retry_after_s * 1e6))
        status = status_pb2.Status(code=self.code, message=self.message)
        for detail in found:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status.SerializeToString()


class Refusing:
    """`plans` has the refusals of each session; the last one is repeated. `calls` has the times of the calls that came."""

    def __init__(self, is_web: bool):
        self.plans: dict[str, list[Refusal]] = {}
        self.calls: dict[str, list[float]] = {}
        if is_web:
            self.web = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (WebHandler,), {"refusing": self}))
            self.address = f"127.0.0.1:{self.web.server_port}"
            self.close = self.web.shutdown
            Thread(target=self.web.serve_forever, daemon=True).start()
        else:
            server = grpc.server(ThreadPoolExecutor(4))
            server.add_generic_rpc_handlers([Handlers(self)])
            self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
            self.close = lambda: server.stop(None)
            server.start()

    def answer(self, method: str, request: bytes) -> Refusal:
        """The next refusal of the session in a request."""
        session_id = REQUESTS[method.rsplit("/", 1)[1]].FromString(request).session_id
        calls = self.calls.setdefault(session_id, [])
        calls.append(time.monotonic())
        plan = self.plans[session_id]
        return plan[min(len(calls), len(plan)) - 1]


class Handlers(grpc.GenericRpcHandler):
    """All methods, over gRPC. An answer without messages is the same, whether the method streams or not."""

    def __init__(self, refusing: Refusing):
        self.refusing = refusing

    def service(self, details):
        def refuse(request: bytes, context) -> bytes:
            refusal = self.refusing.answer(details.method, request)
            if refusal.reason:
                context.set_trailing_metadata([("grpc-status-details-bin", refusal.details())])
            codes = {code.value[0]: code for code in grpc.StatusCode}
            context.abort(codes[refusal.code], refusal.message)

        return grpc.unary_unary_rpc_method_handler(refuse)


class WebHandler(BaseHTTPRequestHandler):
    """All methods, over grpc-web: an error without messages is in the head of the response."""

    protocol_version = "HTTP/1.1"
    refusing: Refusing

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        flags, length = struct.unpack(">BI", body[:5])
        assert flags == 0 and length == len(body) - 5
        refusal = self.refusing.answer(self.path, body[5:])
        self.send_response(200)
        self.send_header("content-type", "application/grpc-web+proto")
        self.send_header("grpc-status", str(refusal.code))
        self.send_header("grpc-message", urllib.parse.quote(refusal.message))
        if refusal.reason:
            self.send_header("grpc-status-details-bin", base64.b64encode(refusal.details()).decode().rstrip("="))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_) -> None:
        pass
