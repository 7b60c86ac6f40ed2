"""/openapi.json describes what the server serves: every documented route exists, and is counted under its pattern."""
import re
import uuid

from ..common import INSTANT_FOUR_STEMS
from ..http_client import call, get
from .test_metrics import Watched, http_requests

MODELS = INSTANT_FOUR_STEMS

VALUES = {"id": str(uuid.uuid4()), "stem": "vocals"}


def operations(server) -> list[tuple[str, str]]:
    """(method, pattern) of every documented operation."""
    paths = get(server, "/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def filled(pattern: str) -> str:
    return re.sub(r"{(\w+)}", lambda name: VALUES[name[1]], pattern)


def test_every_documented_route_is_served_and_counted_under_its_pattern(server):
    documented = operations(server)
    assert len(documented) > 10
    for method, pattern in documented:
        with Watched(server) as watched:
            answer = call(server, method, filled(pattern))
        if method == "HEAD":
            assert answer.status not in (404, 405), pattern
        else:
            assert answer.status < 400 or answer.problem()[2] not in ("ROUTE_UNKNOWN", "METHOD_UNSUPPORTED"), (method, pattern)
        if pattern not in ("/metrics", "/openapi.json"):
            watched.check(http_requests(method, pattern.removesuffix(".zip").removesuffix(".stem.mp4"), answer.status))


def test_no_other_method_is_served_on_a_documented_route(server):
    documented = operations(server)
    for pattern in {pattern for _, pattern in documented}:
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - {method for method, path in documented if path == pattern}:
            assert call(server, method, filled(pattern)).problem()[2] == "METHOD_UNSUPPORTED", (method, pattern)


def test_unknown_paths_are_refused_and_counted_as_other(server):
    with Watched(server) as watched:
        for path in ("/api", "/api/sessions/", "/download", f"/download/{VALUES['id']}/vocals/more", "/static/app/more.js"):
            assert get(server, path).problem()[2] == "ROUTE_UNKNOWN", path
    watched.check(*[http_requests("GET", "other", 404)] * 5)
