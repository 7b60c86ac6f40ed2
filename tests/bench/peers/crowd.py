"""Clients that keep a server busy with nothing: idle connections, and uploads of one byte a second.

    crowd.py PORT IDLE SLOW

They come from 250 addresses of 127.0.1.0/24. Prints "ready" once all are connected, then keeps them until its input ends. A
connection that the server closes is replaced within a second.
"""
import selectors
import socket
import sys
import time

HOSTS = 250
HEAD = "{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{}\r\n"
FORM = "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000000\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="slow.wav"\r\n\r\n'
SONG = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\x10\xb1\x02\0\x04\0\x10\0data\xff\xff\xff\x7f"


class Crowd:
    """The connections, by number: the slow ones come last."""

    def __init__(self, port: int, idle: int, slow: int):
        self.port, self.idle = port, idle
        self.selector = selectors.DefaultSelector()
        self.open: dict[int, socket.socket] = {}
        self.count = idle + slow

    def connect_missing(self) -> None:
        for number in range(self.count):
            if number not in self.open:
                self.connect(number)

    def connect(self, number: int) -> None:
        host = (f"127.0.1.{1 + number % HOSTS}", 0)
        try:
            one = socket.create_connection(("127.0.0.1", self.port), 60, host)
            is_slow = number >= self.idle
            request = HEAD.format("POST /api/separate" if is_slow else "GET /health", self.port, FORM if is_slow else "")
            one.sendall(request.encode() + (PART + SONG if is_slow else b""))
        except OSError:
            return
        one.setblocking(False)
        self.open[number] = one
        self.selector.register(one, selectors.EVENT_READ, number)

    def close(self, number: int) -> None:
        one = self.open.pop(number)
        self.selector.unregister(one)
        one.close()

    def receive(self, number: int) -> None:
        """The answer to `/health` is read; the end, or an answer to a form, closes a connection."""
        try:
            if not self.open[number].recv(65536) or number >= self.idle:
                self.close(number)
        except OSError:
            self.close(number)

    def send_bytes(self) -> None:
        for number in [number for number in self.open if number >= self.idle]:
            try:
                self.open[number].send(b"\0")
            except OSError:
                self.close(number)


def main() -> None:
    crowd = Crowd(*map(int, sys.argv[1:4]))
    crowd.connect_missing()
    crowd.selector.register(sys.stdin, selectors.EVENT_READ, -1)
    print("ready", flush=True)
    due = time.monotonic() + 1
    while True:
        for key, _ in crowd.selector.select(max(0.0, due - time.monotonic())):
            if key.data < 0:
                return
            crowd.receive(key.data)
        if time.monotonic() >= due:
            due = time.monotonic() + 1
            crowd.send_bytes()
            crowd.connect_missing()


if __name__ == "__main__":
    main()
