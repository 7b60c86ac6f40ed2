"""A proxy on loopback that breaks connections."""
import contextlib
import socket
import threading


class CuttingProxy:
    """Forwards connections to a server. Each of `cuts` ends one connection, the first ones, after so many bytes from the client
    or, if negative, from the server; if `silent`, nothing passes any more and the connection stays."""

    def __init__(self, target: str, cuts: list[int], silent: bool = False):
        host, port = target.rsplit(":", 1)
        self.target, self.cuts, self.done, self.silent = (host, int(port)), list(cuts), 0, silent
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
            cut, is_silent = self.cuts.pop(0) if self.cuts else None, threading.Event()
            for source, sink, limit in [
                (client, server, cut if cut and cut > 0 else None), (server, client, -cut if cut and cut < 0 else None)
            ]:
                threading.Thread(target=self._forward, args=(source, sink, limit, is_silent), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, limit: int | None, is_silent: threading.Event) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if is_silent.is_set():
                    continue
                if limit is not None and passed + len(data) >= limit:
                    sink.sendall(data[: limit - passed])
                    self.done += 1
                    if self.silent:
                        is_silent.set()
                        continue
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
