"""Separates while it records: raw PCM from standard input, vocals as raw PCM to standard output.

    arecord -f cd -t raw | python live.py | aplay -f FLOAT_LE -c 2 -r 44100
"""
import sys

import stemwire


def warn(error: stemwire.StemwireError, pause: float) -> None:
    print(f"{error.message}: trying again in {pause:.1f} s", file=sys.stderr)


def main() -> None:
    recording = stemwire.Raw("s16", 44_100)
    for chunk in stemwire.separate(sys.stdin.buffer, raw=recording, stems=["vocals"], on_reconnect=warn):
        sys.stdout.buffer.write(chunk.pcm)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main()
    except stemwire.StemwireError as error:
        sys.exit(f"error: {error.message}\nremedy: {error.remedy}")
