"""The address of the server and the channel options, shared by both clients."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc

DEFAULT_SERVER = "http://127.0.0.1:8000"

OPTIONS: list[tuple[str, Any]] = [
    # gRPC's default, written down: the server's messages are far smaller.
    ("grpc.max_receive_message_length", 4 << 20),
    # A restarted server is found within two seconds; gRPC's default is two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Despite its name, the time limit of one connection attempt.
    ("grpc.min_reconnect_backoff_ms", 10_000),
    # A peer that disappears without closing the connection is detected within 30 seconds.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # Retries are decided by `Retry` alone.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
]

Authority = str | os.PathLike[str] | bytes


@dataclass(frozen=True)
class Address:
    """A parsed and validated server address with its credentials."""

    #: The address as given, for messages.
    url: str
    #: HOST:PORT.
    target: str
    #: None without TLS.
    credentials: grpc.ChannelCredentials | None
    #: Sent with every call.
    metadata: tuple[tuple[str, str], ...]
    #: The certificate authority as PEM; None for the usual ones.
    roots: bytes | None = None


def address(server: str | None, token: str | None, ca: Authority | None) -> Address:
    """The address from the arguments, or else from STEMWIRE_SERVER, STEMWIRE_TOKEN and STEMWIRE_TLS_CA."""
    url = server or os.environ.get("STEMWIRE_SERVER") or DEFAULT_SERVER
    token = token or os.environ.get("STEMWIRE_TOKEN")
    ca = ca or os.environ.get("STEMWIRE_TLS_CA")
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{url!r} is not a server address. Write it as http://HOST:PORT or https://HOST:PORT.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or (443 if parts.scheme == "https" else 80)
    credentials = roots = None
    if parts.scheme == "https":
        roots = ca if isinstance(ca, bytes) or ca is None else Path(ca).read_bytes()
        credentials = grpc.ssl_channel_credentials(root_certificates=roots)
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    return Address(url, f"{host}:{port}", credentials, metadata, roots)
