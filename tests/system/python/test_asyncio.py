"""The Python client with asyncio."""
import hashlib

import soundfile
from stemwire.v1 import session_pb2

from ..common import wait_for
from .lasting import die, sessions


def test_asyncio_has_all_of_it(server, program, short, whole, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    output = program("""
import io
from stemwire import aio

async def pieces():
    with open("short.wav", "rb") as file:
        while piece := file.read(100_000):
            await asyncio.sleep(0)
            yield piece

async def main():
    async with aio.Client(SERVER) as client:
        # Several at once, one of them iterated.
        iterated, collected, saved = await asyncio.gather(
            client.separate(pieces(), file_name="pieces"), client.separate("short.wav"), client.separate_to("short.wav", "out"))
        parts, reported = {}, []
        async for chunk in iterated:
            parts.setdefault(chunk.stem, []).append(chunk.samples)
        found = dict(
            iterated={name: stemwire.Stem(name, np.concatenate(part), 44100) for name, part in parts.items()},
            collected=await collected.stems(),
            watched=await (await client.watch(saved.session.session_id, on_progress=reported.append)).stems())
        assert reported and iterated.session.state is stemwire.State.DONE
        created = await client.create_session()
        uploaded = await client.upload(created.session_id, io.BytesIO(open("short.wav", "rb").read()))
        found["uploaded"] = await (await client.watch(created.session_id)).stems()
        part = [chunk async for chunk in client.stem(created.session_id, "bass", start_frame=100, frame_count=50)]
        assert np.array_equal(np.concatenate([c.samples for c in part]), found["uploaded"]["bass"].samples[100:150])
        errors = []
        for attempt in (client.separate(b"no music" * 100), client.session("nonsense"), client.watch(created.session_id, stems=["kazoo"]),
                        aio.Client("127.0.0.1:1").health(), client.separate("short.wav", stem="vocals")):
            try:
                got = await attempt
                await got.wait()
            except Exception as error:
                errors.append([type(error).__name__, getattr(error, "reason", "")])
        noise = np.random.default_rng(1).normal(size=(2_000_000, 2)).astype(np.float32) * 0.1
        cancel = lambda progress: progress.finished_frames and asyncio.ensure_future(cancelled.cancel())
        cancelled = await client.separate(noise, sample_rate=44100, model="mini", on_progress=cancel)
        try:
            await cancelled.save("cancelled")
        except stemwire.SessionCancelled as error:
            errors.append([type(error).__name__, error.reason])
        async with await client.separate(noise, sample_rate=44100, model="mini") as left:
            async for chunk in left:
                break
        ids = [session.session_id async for session in client.sessions(page_size=3)]
        await client.delete(created.session_id)
        models, health = await client.models(), await client.health()
        say(digests={name: digests(stems) for name, stems in found.items()}, errors=errors, health=health.serving, left=left.session_id,
            complete=uploaded.upload_complete, known=created.session_id in ids and len(ids) == len(set(ids)), model=models[0].name,
            files=sorted(map(str, saved.files.values())), gone=created.session_id)

asyncio.run(main())
""", server.address).end()
    assert list(output.digests.values()) == [whole] * 4
    assert output.errors == [["SongError", "FORMAT_UNKNOWN"], ["StemwireError", "SESSION_ID_INVALID"], ["StemwireError", "STEM_UNKNOWN"],
                           ["Unreachable", ""], ["TypeError", ""], ["SessionCancelled", "SESSION_CANCELLED"]]
    assert (output.health, output.complete, output.known, output.model) == (True, True, True, "mini-spleeter")
    for name, digest in whole.items():
        audio, _ = soundfile.read(tmp_path / "out" / f"{name}.wav", dtype="float32")
        assert hashlib.sha256(audio.tobytes()).hexdigest() == digest
    assert output.gone not in {session.session_id for session in sessions(server)}
    wait_for(lambda: server.get(output.left).state == session_pb2.SESSION_STATE_PAUSED)


def test_asyncio_continues_after_two_crashes_of_the_server(lasting, program):
    running = program("""
from stemwire import aio

async def song():
    with open(ARGUMENTS[0], "rb") as file:
        yield file.read(900_000)
        say(amid="upload")
        await asyncio.to_thread(wait)
        yield file.read()

async def main():
    again, parts = [], {}
    retry = stemwire.Retry(attempts=400, first_pause=0.1, longest_pause=0.5)
    async with aio.Client(SERVER, retry=retry) as client:
        separation = await client.separate(song(), on_reconnect=lambda error, pause: again.append(error.code))
        async for chunk in separation:
            parts.setdefault(chunk.stem, []).append(chunk.samples)
            if chunk.start_frame > 140_000 and "stopped" not in globals():
                globals()["stopped"] = True
                say(amid="stems")
                await asyncio.to_thread(wait)
        stems = {name: stemwire.Stem(name, np.concatenate(part), 44100) for name, part in parts.items()}
        say(digests=digests(stems), again=len(again), id=separation.session_id)

asyncio.run(main())
""", lasting.address, lasting.song)
    for moment in ("upload", "stems"):
        assert running.heard().amid == moment
        session_id = die(lasting, running)
    output = running.end()
    assert output.digests == lasting.whole and output.again >= 2
    assert output.id == session_id and len(sessions(lasting)) == 2
