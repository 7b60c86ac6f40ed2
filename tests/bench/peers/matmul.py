"""The machine's ceiling: matrix products alone, by PyTorch. Prints GFLOP/s as JSON, by precision and by clock.

The shapes are a large square, and HTDemucs' own largest: the first half of the feed-forward of its transformer, 2,688 tokens
(8 bands of 336 columns), 512 channels to 2,048. The better of the two counts, and of each the median.
"""
import json
import os
import statistics
import time

import torch

SHAPES = [(2688, 512, 2048), (2048, 2048, 2048)]
SECONDS = 1.5

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
rates = {}
for precision in (torch.float32, torch.bfloat16):
    best: dict[str, float] = {}
    for m, k, n in SHAPES:
        a, b = torch.randn(m, k).to(precision), torch.randn(k, n).to(precision)
        work = 2 * m * k * n / 1e9
        out = a @ b
        found: dict[str, list[float]] = {"wall": [], "cpu": []}
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            wall, cpu = time.perf_counter(), time.process_time()
            torch.matmul(a, b, out=out)
            found["wall"].append(work / (time.perf_counter() - wall))
            found["cpu"].append(work / (time.process_time() - cpu) * torch.get_num_threads())
        for clock, values in found.items():
            best[clock] = max(best.get(clock, 0), statistics.median(values))
    rates[str(precision).removeprefix("torch.")] = best
print(json.dumps(rates))
