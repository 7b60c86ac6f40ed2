"""The options that plain HTTP accepts are those of docs/API.md and of /openapi.json."""
import re

import pytest

from ..common import INSTANT_FOUR_STEMS
from ..http_client import call, form, get
from ..repository import ROOT

MODELS = INSTANT_FOUR_STEMS

API = (ROOT / "docs" / "API.md").read_text()


def in_docs() -> dict[str, set]:
    """Route -> options, by the table of docs/API.md; a row without a route continues the one above."""
    table = re.search(r"^\| route \| option .*\n\|.*\n((?:\|.*\n)+)", API, re.MULTILINE)[1]
    options: dict[str, set] = {}
    routes: list[str] = []
    for line in table.splitlines():
        named, option, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        routes = re.findall(r"`(\S+ \S+)`", named) or routes
        for route in routes:
            options.setdefault(route, set()).add(option.strip("`"))
    return options


def in_document(server) -> dict[str, set]:
    """The same by the OpenAPI document: parameters of the query."""
    paths = get(server, "/openapi.json").json()["paths"]
    return {
        f"{method.upper()} {path}": {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def fields_in_document(server) -> set:
    """The fields of the form by the OpenAPI document."""
    document = get(server, "/openapi.json").json()
    content = document["paths"]["/api/separate"]["post"]["requestBody"]["content"]["multipart/form-data"]

    def properties(schema: dict) -> set:
        if "$ref" in schema:
            return properties(document["components"]["schemas"][schema["$ref"].split("/")[-1]])
        parts = [properties(part) for part in schema.get("allOf", [])]
        return set(schema.get("properties", {})).union(*parts)

    return properties(content["schema"])


def known(answer) -> set:
    """The options that a route accepts, by its refusal of another."""
    assert answer.problem()[2] == "FIELD_UNKNOWN", answer
    return set(answer.json()["metadata"]["known"].split(", "))


def accepted(server, route: str, session_id: str) -> set:
    method, pattern = route.split()
    path = pattern.replace("{id}", session_id).replace("{stem}", "vocals")
    body, headers = form(("file", "song.wav", b"")) if route == "POST /api/separate" else (None, {"Tus-Resumable": "1.0.0"})
    return known(call(server, method, f"{path}?no_such_option=1", body, headers))


def test_the_query_options_are_those_of_the_docs_and_of_the_document(server, links):
    documented, described = in_docs(), in_document(server)
    assert set(documented) == {route for route, options in described.items() if options}
    for route, options in documented.items():
        assert options == described[route] == accepted(server, route, links["session_id"]), route


def test_the_form_fields_are_those_of_the_docs_and_of_the_document(server):
    body, headers = form(("no_such_field", "1"), ("file", "song.wav", b""))
    fields = known(call(server, "POST", "/api/separate", body, headers))
    assert fields == fields_in_document(server) == in_docs()["POST /api/separate"] | {"file"}


@pytest.mark.parametrize("option", sorted(in_docs()["POST /api/separate"]))
def test_each_option_is_accepted_in_query_and_form(server, option):
    body, headers = form((option, "?"), ("file", "song.wav", b""))
    in_form = call(server, "POST", "/api/separate", body, headers)
    body, headers = form(("file", "song.wav", b""))
    in_query = call(server, "POST", f"/api/separate?{option}=%3F", body, headers)
    assert in_form.problem()[2] == in_query.problem()[2] != "FIELD_UNKNOWN"
