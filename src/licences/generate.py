"""Writes packages.json, the licences of what `stemwire` consists of: run it after a change of Cargo.lock or the page.

With --check it writes nothing, and fails if packages.json is out of date. Sources are the files in the crates' packages, the
list of the page's packages in clients/web/dist, and others.toml.

A text is stored once: what precedes and follows its terms (copyright lines, the name of the licence, instructions for its use)
is not compared, and copyright lines are kept with their package.
"""
import collections
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIST = HERE / "packages.json"
CARGO = os.environ.get("CARGO", "cargo")

# The systems for which ONNX Runtime is published.
TARGETS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
]

FILE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense|authors|patents)", re.IGNORECASE)
NOTICE = re.compile(r"(Copyright|COPYRIGHT)\b(?! (?i:notice|holder|owner|law|and related|license))|\([cC]\) \d|©")
TITLE = re.compile(
    r"(the )?(mit|isc|bsd (2-clause|3-clause|zero clause)) licen[sc]e( \((mit|isc)\))?|all rights reserved\.?|#+ .*",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(r"[\[{<](yyyy|year|name of)|free software foundation", re.IGNORECASE)
APPENDIX = re.compile(r"\n *(?:END OF TERMS AND CONDITIONS\s+)?APPENDIX: How to apply the Apache License.*?(?=\n-{3,}|\Z)", re.DOTALL)

# The name of all other texts.
OTHER = "Other terms"

# How the terms of known licences begin, in the form of `key`.
KNOWN = {
    "MIT": "permission is hereby granted free of charge to any person obtaining a copy of this software",
    "Apache-2.0": "apache license version 2 0 january 2004",
    "MPL-2.0": "mozilla public license version 2 0",
    "Zlib": "this software is provided as is without any express or implied warranty in no event will",
    "Unlicense": "this is free and unencumbered software",
    "0BSD": "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted the",
    "BSD-3-Clause": "redistribution and use in source and binary forms",
    "ISC": "permission to use copy modify and or distribute this software for any purpose with or without fee",
    "GPL-3.0": "gnu general public license version 3",
    "LGPL-3.0": "gnu lesser general public license version 3",
    "LGPL-2.0": "gnu library general public license version 2",
    "CDLA-Permissive-2.0": "community data license agreement permissive version 2 0",
    "Unicode-3.0": "unicode license v3",
}


class Texts:
    """All texts, each once."""

    def __init__(self) -> None:
        self.forms: dict[str, collections.Counter[str]] = {}

    def add(self, text: str) -> tuple[str, list[str]]:
        """Stores the terms of a text; returns their key and the copyright lines."""
        text = text.replace("\r\n", "\n").replace("\t", "    ")
        appendix = APPENDIX.search(text)
        terms = text[:appendix.start()] + text[appendix.end():] if appendix else text
        lines = [line.rstrip() for line in terms.splitlines()]
        own = [line for line in lines if not is_notice(line) and not TITLE.fullmatch(line.strip())]
        notices = [" ".join(line.strip("-*/# ").split()) for line in text.splitlines() if is_notice(line)]
        key = re.sub(r"\W+", " ", " ".join(own)).lower().strip()
        if key:
            # Of other terms no line is taken out.
            form = "\n".join(own) if self.licence(key) != OTHER else text
            self.forms.setdefault(key, collections.Counter())[form.strip("\n")] += 1
        return key, list(dict.fromkeys(notices))

    def standard(self, licence: str) -> str:
        """The key of a licence's text: of this repository, else of a package that has it."""
        own = {"MIT": "LICENSE-MIT", "Apache-2.0": "LICENSE-APACHE"}.get(licence)
        if own:
            return self.add((ROOT / own).read_text("utf-8"))[0]
        of_packages = [key for key in self.forms if self.licence(key) == licence]
        if not of_packages:
            raise SystemExit(f"a package under {licence} has no file of its licence, nor has another")
        return max(sorted(of_packages), key=lambda key: self.forms[key].total())

    @staticmethod
    def licence(key: str) -> str:
        """The licence that a text is, or `OTHER`."""
        found = next((name for name, start in KNOWN.items() if key.startswith(start)), OTHER)
        is_short = found == "BSD-3-Clause" and "neither the name" not in key
        return "BSD-2-Clause" if is_short else found

    def names(self) -> dict[str, str]:
        """The names of the texts by key: that of the licence, numbered where there are several."""
        names, numbers = {}, collections.Counter[str]()
        # The commonest form of a licence has the plain name.
        for key in sorted(self.forms, key=lambda key: (-self.forms[key].total(), key)):
            licence = self.licence(key)
            numbers[licence] += 1
            names[key] = licence if numbers[licence] == 1 and licence != OTHER else f"{licence} ({numbers[licence]})"
        return names

    def by_name(self) -> dict[str, str]:
        names = self.names()
        best = {names[key]: min(forms, key=lambda form: (-forms[form], form)) for key, forms in self.forms.items()}
        return dict(sorted(best.items()))


def is_notice(line: str) -> bool:
    line = line.strip("-*/# ")
    return NOTICE.match(line) is not None and PLACEHOLDER.search(line) is None


def cargo(*arguments: str) -> str:
    command = [CARGO, *arguments, "--locked"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def linked(*options: str) -> set[tuple[str, str]]:
    """Names and versions of the crates that are linked on any of the targets."""
    targets = [option for target in TARGETS for option in ("--target", target)]
    tree = cargo("tree", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}", *targets, *options)
    crates = {(line.split()[0], line.split()[1].removeprefix("v")) for line in tree.splitlines() if line}
    return {crate for crate in crates if not crate[0].startswith("stemwire")}


def licence_files(folder: Path) -> list[str]:
    files = sorted(path for path in folder.iterdir() if FILE.match(path.name) and path.is_file())
    return [path.read_text("utf-8", "replace") for path in files]


def crates(texts: Texts) -> tuple[list[dict], dict[str, Path]]:
    """The crates, and the folders of all packages."""
    metadata = json.loads(cargo("metadata", "--format-version", "1"))
    packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
    folders = {name: Path(package["manifest_path"]).parent for (name, _), package in packages.items()}
    always = linked("--no-default-features")
    rows = []
    for name, version in sorted(linked()):
        package = packages[name, version]
        row = {"name": name, "version": version, "part": "program", "licence": package["license"].replace("/", " OR ")}
        if (name, version) not in always:
            row["feature"] = "mp3"
        row["source"] = package["repository"] or package["homepage"] or ""
        read = licence_files(Path(package["manifest_path"]).parent)
        if "LGPL-3.0" in row["licence"]:
            # It is a supplement to the GPL, whose text the crate leaves out.
            read.append((HERE / "GPL-3.0.txt").read_text("utf-8"))
        rows.append(row | stored(texts, read) if read else row | standard(texts, row["licence"], package["authors"]))
    return rows, folders


def stored(texts: Texts, read: list[str]) -> dict:
    added = [texts.add(text) for text in read]
    notices = list(dict.fromkeys(notice for _, notices in added for notice in notices))
    return {"notices": notices, "texts": list(dict.fromkeys(key for key, _ in added if key))}


def standard(texts: Texts, licence: str, authors: list[str]) -> dict:
    """What stands for the files of a package that has none: the terms that it names, and its authors."""
    keys = [texts.standard(name) for name in re.split(r" (?:OR|AND) ", licence)]
    return {"notices": [f"by {author}" for author in authors], "texts": keys}


def page(texts: Texts) -> list[dict]:
    """The packages in the page's bundle, as its build lists them."""
    rows = []
    for package in json.loads((ROOT / "clients/web/dist/licences.json").read_text("utf-8")):
        text, notices = package.pop("text"), package.pop("notices")
        row = package | {"part": "page"}
        found = stored(texts, [text]) if text else standard(texts, row["licence"], [])
        rows.append(row | found | {"notices": notices + found["notices"]})
    return rows


def others(texts: Texts, folders: dict[str, Path]) -> list[dict]:
    rows = []
    for package in tomllib.loads((HERE / "others.toml").read_text("utf-8"))["package"]:
        file, licence, notices = package.pop("text_of", None), package.pop("text", package["licence"]), package.pop("notices")
        if file:
            crate, path = file.split("/", 1)
            keys = [texts.add((folders[crate] / path).read_text("utf-8", "replace"))[0]]
        else:
            keys = standard(texts, licence, [])["texts"] if licence else []
        rows.append(package | {"notices": notices, "texts": keys})
    return rows


def generate() -> str:
    texts = Texts()
    rows, folders = crates(texts)
    rows = [*others(texts, folders), *rows, *page(texts)]
    names = texts.names()
    for row in rows:
        row["texts"] = [names[key] for key in row["texts"]]
    # A package and a text to a line: what changes can be read.
    packages = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    bodies = ",\n".join(f"{json.dumps(name)}: {json.dumps(text, ensure_ascii=False)}" for name, text in texts.by_name().items())
    return f'{{"packages": [\n{packages}\n], "texts": {{\n{bodies}\n}}}}\n'


if __name__ == "__main__":
    text = generate()
    if "--check" not in sys.argv[1:]:
        LIST.write_text(text, "utf-8", newline="\n")
    elif LIST.read_text("utf-8") != text:
        sys.exit(f"{LIST.relative_to(ROOT)} is out of date: python3 {Path(__file__).relative_to(ROOT)}")
