"""A server of models' files, in place of their authors'."""
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Paths of published files at their authors' servers.
PUBLISHED = {
    "htdemucs": "adefossez/HTDemucs/resolve/bf35a81b663819a8255c8fefee17f9d812b786b5/955717e8.safetensors",
    "htdemucs_6s": "adefossez/HTDemucs-6s/resolve/3c5ee475be622df764938de97e4281a7b07ffa58/5c90dfd2.safetensors",
}


class Publisher(ThreadingHTTPServer):
    """Serves `files` by path, with ranges, after a redirect as the real one; the first responses break off after `cuts` bytes."""

    def __init__(self, files: dict, cuts=(), status: int = 0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.cuts, self.status = files, list(cuts), status
        self.asked: list[str] = []
        self.ranges: list[str | None] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Publisher
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        path = self.path.removeprefix("/").removeprefix("elsewhere/")
        if path == self.path.removeprefix("/") and path in server.files and not server.status:
            self.answer(302, {"Location": f"/elsewhere/{path}"}, b"")
            return
        server.asked.append(path)
        if server.status or path not in server.files:
            self.answer(server.status or 404, {}, b"")
            return
        content, given = server.files[path], self.headers.get("Range")
        server.ranges.append(given)
        start = int(given.removeprefix("bytes=").rstrip("-")) if given else 0
        extent = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if given else {}
        cut = server.cuts.pop(0) if server.cuts else None
        self.answer(206 if given else 200, {"ETag": '"it"', **extent}, content[start:], cut)

    def answer(self, status: int, headers: dict, body: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = cut is not None

    def log_message(self, *_) -> None:
        pass
