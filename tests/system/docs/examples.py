"""Reads the examples of a Markdown page and runs them."""
import re
from dataclasses import dataclass


@dataclass
class Example:
    """A fenced block."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Its shell commands, one by one; a line that ends with a backslash continues."""
        return [command for command in re.split(r"(?<!\\)\n", self.text) if command.strip()]


def examples(text: str) -> list[Example]:
    return [Example(*block) for block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def section(text: str, title: str) -> str:
    """A section, up to the next of its level."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]


def blocks(text: str, language: str) -> str:
    """All examples in a language, as one program."""
    return "\n".join(example.text for example in examples(text) if example.language == language)


def matches(documented, found) -> bool:
    """Whether a value has the documented shape. The key `…` stands for further keys, the value `…` for any."""
    if documented == "…":
        return True
    if isinstance(documented, dict) and isinstance(found, dict):
        keys = set(documented) - {"…"}
        complete = keys <= set(found) if "…" in documented else keys == set(found)
        return complete and all(matches(documented[key], found[key]) for key in keys)
    return documented == found
