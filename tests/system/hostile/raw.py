"""Raw sockets that send incomplete requests."""
import contextlib
import socket

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def connect(server, first: bytes = b"") -> socket.socket:
    """A connection on which these bytes are sent."""
    host, port = server.address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), 30)
    connection.sendall(first)
    return connection


def received(connection: socket.socket) -> bytes:
    """All bytes until the server closes the connection, which it must."""
    whole = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            whole += piece
    return whole


def is_open(connection: socket.socket) -> bool:
    """Whether the server has not closed it; what it has sent is lost."""
    connection.setblocking(False)
    try:
        while connection.recv(1 << 16):
            pass
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        connection.settimeout(30)
