"""`stemwire licences` against Cargo.lock, the page's packages, and the texts that the licences demand."""
import json
import tomllib

import pytest

from ..common import QUICK_MODEL
from ..repository import ROOT

MODELS = QUICK_MODEL


@pytest.fixture
def printed(cli) -> dict:
    return json.loads(cli("licences", "--json").out)


def test_every_package_is_one_of_the_lock_files(printed):
    locked = {(package["name"], package["version"]) for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    bundled = json.loads((ROOT / "clients/package-lock.json").read_text())["packages"]
    locked |= {(path.removeprefix("node_modules/"), package.get("version")) for path, package in bundled.items()}
    listed = {(package["name"], package["version"]) for package in printed["packages"] if "version" in package}
    assert listed - locked == {("LAME", "3.100")}
    for dependency, source in tomllib.loads((ROOT / "Cargo.toml").read_text())["dependencies"].items():
        # Those with a path are Stemwire's own; a macro is no part of the program.
        assert dependency in {name for name, _ in listed} or "path" in source or dependency == "async-trait"


def test_notices_and_terms_are_complete(printed):
    assert printed["licence"] == "MIT OR Apache-2.0"
    packages = {package["name"]: package for package in printed["packages"]}
    assert all(set(package["texts"]) <= set(printed["texts"]) for package in packages.values())
    for name, notice, terms in [
        ("LAME", "The LAME Project", "GNU LIBRARY GENERAL PUBLIC LICENSE"),
        ("opus-pure", "Xiph.Org", "Redistribution and use in source and binary forms"),
        ("wavesurfer.js", "katspaugh", "Redistribution and use in source and binary forms"),
        ("signalsmith-stretch", "Signalsmith Audio", "Permission is hereby granted, free of charge"),
        ("ONNX Runtime", "Microsoft", "Permission is hereby granted, free of charge"),
        ("symphonia", "", "Mozilla Public License Version 2.0"),
    ]:
        package = packages[name]
        assert notice in " ".join(package["notices"]), name
        assert any(terms in printed["texts"][text] for text in package["texts"]), name
        assert package["source"].startswith("https://"), name
    assert "mp3lame-sys" in packages["LAME"]["note"]


def test_the_table_has_a_line_for_each_package(printed, cli):
    table = cli("licences").out.decode().splitlines()
    for package in printed["packages"]:
        name = " ".join(filter(None, [package["name"], package.get("version")]))
        assert [line.split("  ", 2)[-1].strip() for line in table if line.startswith(f"  {name} ")] == [package["licence"]]
    assert len(table) < len(printed["packages"]) + 12
    assert "--full" in table[-1]
