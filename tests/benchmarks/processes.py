"""Whole processes, timed in turns: seconds and peak memory. What the other benchmarks share."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

# A process begins with the memory of the one it came from counted as its own: a small one must start it.
LAUNCHER = """
import os, sys, time
quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
started = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), time.perf_counter() - started, usage.ru_maxrss / 1024)
"""


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds and peak resident memory in MiB."""

    seconds: float
    memory: float


def cost(command: Sequence[str], stdin: Path | None = None) -> Cost:
    """Of one run. Raises CalledProcessError when it fails."""
    with Path(stdin or os.devnull).open("rb") as source:
        done = subprocess.run(
            [sys.executable, "-S", "-c", LAUNCHER, *command], stdin=source, stdout=subprocess.PIPE, check=True
        )
    code, seconds, memory = done.stdout.split()
    if int(code):
        raise subprocess.CalledProcessError(int(code), list(command))
    return Cost(float(seconds), float(memory))


def in_turns(commands: Mapping[str, Sequence[str]], repeats: int) -> dict[str, Cost]:
    """The median of each, run one after the other, again and again, so that a busy moment falls on all alike."""
    seen: dict[str, list[Cost]] = {name: [] for name in commands}
    for turn in range(repeats + 1):
        for name, command in commands.items():
            found = cost(command)
            if turn:  # the first turn only warms the disk's cache
                seen[name].append(found)
    return {
        name: Cost(statistics.median(c.seconds for c in costs), statistics.median(c.memory for c in costs))
        for name, costs in seen.items()
    }


def minutes(path: Path, rows: int) -> Path:
    """A CSV of so many rows a minute apart, with two columns: a day's swell and noise. Some 35 bytes a row."""
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for first in range(0, rows, 1_000_000):
            count = np.arange(first, min(rows, first + 1_000_000))
            load = 100 + 50 * np.sin(count * 2 * np.pi / 1440) + random.normal(0, 3, len(count))
            stamps = pd.Timestamp("2004-01-01") + pd.to_timedelta(count, unit="min")
            frame = pd.DataFrame({"time": stamps.astype(str), "load": load.round(4), "heat": (load / 3).round(3)})
            frame.to_csv(file, index=False, header=first == 0)
    return path
