"""Files of models, and errors about them."""
from pathlib import Path

HASH = "d9fa14133cfcc034a6758923bb3a8ca9f8dfd0b582134643bbf83f72c17576dd"


def names(folder: Path) -> list:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def reported(err: str) -> tuple:
    """The cause and the remedy of an error."""
    cause, remedy = err.splitlines()[-2:]
    assert cause.startswith("error: ") and remedy.startswith("remedy: "), err
    return cause, remedy
