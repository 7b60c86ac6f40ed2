"""Separates all songs of a folder into a data set: `python dataset.py songs out`.

    out/SONG/STEM.wav     one folder per song, 16 bits, at the model's sample rate
    out/index.jsonl       one line per song: its stems with frames, peaks and hashes, and the engine that made them

A few songs are separated at once, so that one is uploaded while another is computed. Songs in the index are skipped:
after an interruption, run it again. Files that are not audio are reported and skipped; any other error ends the run.
"""
import asyncio
import json
import sys
from pathlib import Path

import stemwire
from stemwire import aio

AT_ONCE = 3


def line(song: Path, saved: stemwire.Saved) -> dict:
    session, engine = saved.session, saved.session.engine
    return {
        "song": song.name,
        "sample_rate": saved.sample_rate,
        "stems": {
            stem.name: {"frames": stem.frames, "peak": stem.peak, "sha256": stem.sha256} for stem in session.stems
        },
        "engine": {"model": engine.model, "weights_sha256": engine.weights_sha256, "precision": engine.precision},
        # For data sets that must come from one engine.
        "engine_changes": [change.message for change in session.engine_changes],
        "notices": session.notices,
        "clipped_samples": saved.clipped_samples,
    }


async def main(songs: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    index = out / "index.jsonl"
    made = {json.loads(entry)["song"] for entry in index.read_text().splitlines()} if index.exists() else set()
    wanted = [song for song in sorted(songs.iterdir()) if song.is_file() and song.name not in made]
    at_once = asyncio.Semaphore(AT_ONCE)
    # A full queue may take long to drain.
    patient = stemwire.Retry(attempts=100, longest_pause=30)

    async with aio.Client(retry=patient) as client:

        async def make(song: Path) -> None:
            async with at_once:
                try:
                    # One engine for all songs, or an error.
                    saved = await client.separate_to(song, out / song.name, encoding="s16", allow_fallback=False)
                except stemwire.SongError as error:
                    print(f"{song.name}: skipped: {error.message}", file=sys.stderr)
                    return
                with index.open("a") as file:
                    file.write(json.dumps(line(song, saved)) + "\n")
                # The server would keep the stems for days.
                await client.delete(saved.session.session_id)
                print(song.name)

        await asyncio.gather(*map(make, wanted))


if __name__ == "__main__":
    asyncio.run(main(*map(Path, sys.argv[1:])))
