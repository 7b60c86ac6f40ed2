"""Where the server is and how to talk to it: the same for both clients."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import urlsplit

import grpc

DEFAULT_SERVER = "http://127.0.0.1:8000"

OPTIONS: list[tuple[str, Any]] = [
    # The server's own messages are far smaller.
    ("grpc.max_receive_message_length", 4 << 20),
    # A server that comes back should be found soon, not after two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # In spite of its name, how long a server may take to answer to a connection.
    ("grpc.min_reconnect_backoff_ms", 10_000),
    # A peer that vanished without a word is noticed within half a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # What is tried again, and when, is `Retry`'s to say.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
]

Authority = Union[str, "os.PathLike[str]", bytes]


@dataclass(frozen=True)
class Address:
    """A server, parsed and checked."""

    #: As it was given, for people.
    url: str
    #: HOST:PORT.
    target: str
    credentials: Optional[grpc.ChannelCredentials]
    #: Sent with every call.
    metadata: tuple[tuple[str, str], ...]


def address(server: Optional[str], token: Optional[str], ca: Optional[Authority]) -> Address:
    """The server that is named, or that STEMWIRE_SERVER, STEMWIRE_TOKEN and STEMWIRE_TLS_CA name."""
    url = server or os.environ.get("STEMWIRE_SERVER") or DEFAULT_SERVER
    token = token or os.environ.get("STEMWIRE_TOKEN")
    ca = ca or os.environ.get("STEMWIRE_TLS_CA")
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{url!r} is no server address; write it as http://HOST:PORT")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or (443 if parts.scheme == "https" else 80)
    credentials = None
    if parts.scheme == "https":
        roots = ca if isinstance(ca, bytes) or ca is None else Path(ca).read_bytes()
        credentials = grpc.ssl_channel_credentials(root_certificates=roots)
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    return Address(url, f"{host}:{port}", credentials, metadata)
