"""Writes the accompaniment of a song: `python karaoke.py song.mp3 song-karaoke.wav`.

The file is written while the song is still being uploaded; memory does not grow with its length.
"""
import shutil
import sys
import tempfile
from pathlib import Path

import stemwire


def show(progress: stemwire.Progress) -> None:
    done = f"{progress.fraction:4.0%}" if progress.fraction is not None else "…"
    print(f"\r{done}", end="", file=sys.stderr, flush=True)


def main(song: str, output: str) -> None:
    target = Path(output)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        saved = stemwire.separate_to(song, folder, stems=["accompaniment"], encoding="s16", on_progress=show)
        shutil.move(saved.files["accompaniment"], target)
    print(f"\r{target}, separated by {saved.session.engine.model}", file=sys.stderr)
    if saved.clipped_samples:
        print(f"{saved.clipped_samples} samples were clipped. Use encoding=\"f32\" to avoid it.", file=sys.stderr)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except stemwire.StemwireError as error:
        sys.exit(f"error: {error.message}\nremedy: {error.remedy}")
