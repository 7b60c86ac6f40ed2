"""Writes the blocking client from the asyncio client: run it after a change in src/stemwire/aio.

With --check it writes nothing, and fails if a generated file is out of date.

The translation is textual, as in httpcore: `await` disappears, asynchronous names become their blocking counterparts.
What it cannot express is written by hand on both sides, in `aio/_io.py` and `_io.py`.
"""
import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent / "src" / "stemwire"
MODULES = ["_connection.py", "_follow.py", "client.py", "separation.py"]

HEADER = """\
# Generated from aio/{module} by generate_sync.py. Do not edit.
# ruff: noqa: I001, UP028
"""

# Applied in this order to code and documentation alike.
RULES = [
    (r"\basync (?=def|for|with)", ""),
    (r"\bawait ", ""),
    (r"\bAsync(Generator|Iterator)\b", r"\1"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\ba(closing|close|next)\b", r"\1"),
    (r"\bfrom \.\.", "from ."),
    (r"\biterable or async iterable\b", "iterable"),
    (r"A client belongs to one event loop\.", "Any number of threads may use a client."),
    # The one difference in the interface: `separation.stems` blocks, `await separation.stems()` does not.
    (r"    def stems\(self\)", "    @property\n    def stems(self)"),
]


def translate(module: str) -> str:
    """The blocking counterpart of a module of `stemwire.aio`."""
    text = (PACKAGE / "aio" / module).read_text("utf-8")
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    untranslated = re.findall(r".*(?:async|await|aio\b|__a).*", text)
    assert not untranslated, f"{module} needs another rule for {untranslated}"
    return HEADER.format(module=module) + text


def main() -> None:
    texts = {module: translate(module) for module in MODULES}
    stale = [module for module in MODULES if not _is_current(module, texts[module])]
    if "--check" in sys.argv[1:]:
        if stale:
            sys.exit(f"{', '.join(stale)} differ from stemwire.aio. Run clients/python/generate_sync.py.")
        return
    for module in stale:
        (PACKAGE / module).write_text(texts[module], "utf-8", newline="\n")


def _is_current(module: str, text: str) -> bool:
    path = PACKAGE / module
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    main()
