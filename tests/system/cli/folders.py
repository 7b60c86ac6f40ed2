"""Looks at what the command line leaves in a folder."""
from pathlib import Path

STEMS = {"drums", "bass", "other", "vocals"}


def names(folder: Path) -> list:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def scratch(out: Path) -> list:
    return [name for name in names(out) if name.startswith(".")]


def stamps(out: Path) -> dict:
    """What tells a file from one that takes its place: also its time, as a file system gives numbers out again."""
    seen = {path: path.stat() for path in out.glob("*/*")}
    return {str(path.relative_to(out)): (found.st_ino, found.st_mtime_ns) for path, found in seen.items()}
