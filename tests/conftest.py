"""What all tests share: the sample files, and small CSVs written on the spot."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import SAMPLES
from tests.command import QUICK, command

# TensorFlow leaves millions of objects that stay; to look through all of them again and again takes time.
gc.set_threshold(100_000, 50, 100)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the tests that throw dice go on."""
    parser.addoption("--chaos", type=int, default=3, metavar="N", help="trainings to kill in test_chaos.py")
    parser.addoption("--fuzz", type=int, default=100, metavar="N", help="damaged files to try in test_fuzz.py")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Writes text (UTF-8) or bytes to a new CSV file and returns its path."""

    def write(content: str | bytes, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture(scope="session")
def air(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of air_passengers.csv, barely trained."""
    run = tmp_path_factory.mktemp("runs") / "air"
    done = command("train", SAMPLES / "air_passengers.csv", "--run", run, "-q", *QUICK)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return run
