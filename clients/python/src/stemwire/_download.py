"""Files over plain HTTP, with what Python brings along; gRPC has no files."""
from __future__ import annotations

import http.client
import json
import math
import os
import ssl
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from . import errors
from ._channel import Address

_PIECE_BYTES = 256 << 10


def route(session_id: str, file: str, options: Mapping[str, Any], gains: Mapping[str, float] | None = None) -> str:
    """The path and query of a file of a session: `file` is `/vocals`, `/mix` or `.zip`."""
    query = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in options.items()}
    if gains is not None:
        decibels = {stem: "-inf" if gain == -math.inf else format(gain, "g") for stem, gain in gains.items()}
        query["gains"] = ",".join(f"{stem}:{gain}" for stem, gain in decibels.items())
    path = f"/download/{quote(session_id, safe='')}{quote(file)}"
    return f"{path}?{urlencode(query)}" if query else path


class Transfer:
    """One file on its way from the server to the disk. `run` blocks; the file appears once it is complete."""

    def __init__(self, address: Address, route: str, target: Path, timeout: float):
        self._address, self._target, self._timeout = address, target, timeout
        scheme = "https" if address.credentials else "http"
        self._request = urllib.request.Request(f"{scheme}://{address.target}{route}", headers=dict(address.metadata))
        self._stopped = threading.Event()
        #: Whether the server has answered.
        self.answered = False

    def run(self) -> None:
        """Writes the file, and replaces one of that name."""
        handle, name = tempfile.mkstemp(prefix=f".{self._target.name}.", suffix=".part", dir=self._target.parent)
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                self._receive(file)
            part.chmod(0o666 & ~_umask())
            part.replace(self._target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def stop(self) -> None:
        """Ends `run`, if it still runs in another thread."""
        self._stopped.set()

    def _receive(self, file: Any) -> None:
        try:
            with self._open() as response:
                self.answered = True
                missing = response.length
                while piece := response.read(_PIECE_BYTES):
                    if self._stopped.is_set():
                        raise self._broken("it was cancelled")
                    file.write(piece)
                    missing = None if missing is None else missing - len(piece)
                if missing:
                    raise self._broken(f"{missing} bytes are missing")
        except urllib.error.HTTPError as error:
            self.answered = True
            raise errors.from_http_error(error.code, error.headers, _problem(error)) from None
        except (http.client.HTTPException, urllib.error.URLError, ConnectionError, TimeoutError, ssl.SSLError) as error:
            raise self._broken(getattr(error, "reason", error)) from None

    def _open(self) -> Any:
        handlers = []
        if self._address.credentials:
            roots = self._address.roots
            context = ssl.create_default_context(cadata=roots.decode("ascii") if roots else None)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        return urllib.request.build_opener(*handlers).open(self._request, timeout=self._timeout)

    def _broken(self, problem: object) -> errors.Unreachable:
        return errors.unreachable(self._address.url, str(problem))


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    """The server's description of an error; empty where another program answered."""
    try:
        problem = json.loads(error.read(1 << 20))
    except (ValueError, OSError, http.client.HTTPException):
        return {}
    return problem if isinstance(problem, dict) else {}


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
