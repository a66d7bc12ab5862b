"""The benchmark of a training's pace still runs; what it measures is no matter here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_speed_of_a_training_can_be_measured() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.speed", "--quick"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines()[2:]]
    assert {"| template, model.fit, batch 32", "| preset answer, batch 32"} <= {row[0] for row in rows}
    assert all(len(row) == 4 for row in rows)
