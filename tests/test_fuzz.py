"""Sample files, damaged at random: a finite forecast, or words and an exit code; never a traceback, never a trace.

A hundred damaged files a sample here; `just fuzz` tries two thousand.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests import SAMPLES
from tests.command import answered

CODES = {0, 2, 65, 66, 73}
WORDS = [
    *(b"\x00", b"\xff", b'"', b"''", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n\n", b"\t", b";", b",", b",,,,", b"|", b" "),
    *(
        b"NaN",
        b"inf",
        b"-1e308",
        b"1e999",
        b"1,234.5",
        b"1.234,5",
        b"0x1F",
        b"12:61",
        b"2024-02-30",
        b"#",
        b"-",
        b"\xe2\x82\xac",
    ),
    *(b"9" * 400, b"x" * 140_000, b"1900-01-01", b"9999-12-31", b"24:00", b"=1+1", b"../..", b"[red]"),
]


def damaged(content: bytes, dice: random.Random) -> bytes:
    """One to four small damages, each anywhere."""
    for _ in range(dice.randint(1, 4)):
        content = dice.choice(DAMAGES)(content, dice)
    return content


def _insert(content: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(content) + 1)
    return content[:place] + dice.choice(WORDS) + content[place:]


def _overwrite(content: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(content) + 1)
    word = dice.choice(WORDS)
    return content[:place] + word + content[place + len(word) :]


def _flip(content: bytes, dice: random.Random) -> bytes:
    cells = bytearray(content or b" ")
    cells[dice.randrange(len(cells))] = dice.randrange(256)
    return bytes(cells)


def _cut(content: bytes, dice: random.Random) -> bytes:
    first, last = sorted(dice.randrange(len(content) + 1) for _ in range(2))
    return content[:first] + content[last:] if dice.random() < 0.5 else content[:last]


def _repeat(content: bytes, dice: random.Random) -> bytes:
    first, last = sorted(dice.randrange(len(content) + 1) for _ in range(2))
    return content[:last] + content[first:]


def _lines(content: bytes, dice: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    for _ in range(dice.randint(1, 5)):
        if lines:
            line = lines.pop(dice.randrange(len(lines)))
            if dice.random() < 0.7:
                lines.insert(dice.randrange(len(lines) + 1), line)
    return b"".join(lines)


def _cells(content: bytes, dice: random.Random) -> bytes:
    lines = content.split(b"\n")
    place = dice.randrange(len(lines))
    cells = lines[place].split(b",")
    cells[dice.randrange(len(cells))] = dice.choice(WORDS)
    lines[place] = b",".join(cells if dice.random() < 0.7 else cells[:-1])
    return b"\n".join(lines)


DAMAGES: list[Callable[[bytes, random.Random], bytes]] = [_insert, _overwrite, _flip, _cut, _repeat, _lines, _cells]


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("what", ["predict", "inspect"])
def test_damaged_files_are_forecast_or_refused(
    what: str, air: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    content = (SAMPLES / "air_passengers.csv").read_bytes()
    before, data = files(air), tmp_path / "data.csv"
    ways = {"predict": ["predict", str(data), "--run", str(air)], "inspect": ["inspect", str(data), "--json"]}
    codes = []
    for seed in range(request.config.getoption("--fuzz")):
        broken = damaged(content, random.Random(seed))  # noqa: S311 - to place damages
        data.write_bytes(broken)
        code, out, err = answered(ways[what])
        told = f"seed {seed}: {code}, {err[-2000:]}"
        assert code in CODES, told
        assert "Traceback" not in err, told
        assert bool(out) == (code == 0), told
        assert code == 0 or err.count("error: ") >= 1, told
        if code == 0 and what == "predict":
            forecast = pd.read_csv(io.BytesIO(out), header=0).iloc[:, -1]
            assert np.isfinite(forecast).all(), told
        codes.append(code)
    assert files(air) == before
    assert os.listdir(tmp_path) == ["data.csv"]
    assert set(codes) >= {0, 65}
