"""Writes the accompaniment of a song, to sing to: `python karaoke.py song.mp3 song-karaoke.wav`.

It is written while the song is still being sent; an hour takes no more memory than a minute.
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
    print(f"\r{target}, made by {saved.session.engine.model}", file=sys.stderr)
    if saved.clipped_samples:
        print(f"{saved.clipped_samples} samples were clipped; encoding=\"f32\" clips none", file=sys.stderr)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except stemwire.StemwireError as error:
        sys.exit(f"error: {error.message}\nremedy: {error.remedy}")
