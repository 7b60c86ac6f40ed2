"""Files that the command line leaves in a folder."""
from pathlib import Path

STEMS = {"drums", "bass", "other", "vocals"}


def names(folder: Path) -> list:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def scratch(out: Path) -> list:
    return [name for name in names(out) if name.startswith(".")]


def stamps(out: Path) -> dict:
    """Identifies files, to detect replacements: by inode and time, because inodes are reused."""
    seen = {path: path.stat() for path in out.glob("*/*")}
    return {str(path.relative_to(out)): (found.st_ino, found.st_mtime_ns) for path, found in seen.items()}
