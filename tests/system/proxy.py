"""A proxy on loopback that breaks connections."""
import contextlib
import socket
import threading


class CuttingProxy:
    """Forwards connections to a server. Each of `cuts` ends one connection, the first ones, after so many bytes from the client
    or, if negative, from the server."""

    def __init__(self, target: str, cuts: list[int]):
        host, port = target.rsplit(":", 1)
        self.target, self.cuts, self.done = (host, int(port)), list(cuts), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            cut = self.cuts.pop(0) if self.cuts else None
            for source, sink, limit in [
                (client, server, cut if cut and cut > 0 else None), (server, client, -cut if cut and cut < 0 else None)
            ]:
                threading.Thread(target=self._forward, args=(source, sink, limit), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if limit is not None and passed + len(data) >= limit:
                    sink.sendall(data[: limit - passed])
                    self.done += 1
                    break
                sink.sendall(data)
                passed += len(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listener.close()

    def __enter__(self) -> "CuttingProxy":
        return self

    def __exit__(self, *_) -> None:
        self.close()
