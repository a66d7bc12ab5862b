"""One run of each sample file, trained once for all tests here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import SAMPLES
from tests.command import QUICK, command

OPTIONS = {"bike_hour": ("--target", "cnt"), "seattle_weather": (), "air_passengers": ()}


@pytest.fixture(scope="session", params=sorted(OPTIONS))
def sample(request, tmp_path_factory) -> tuple[Path, Path, subprocess.CompletedProcess[str]]:
    """A sample file, a run trained on it, and what the training said."""
    data = SAMPLES / f"{request.param}.csv"
    run = tmp_path_factory.mktemp("runs") / request.param
    return data, run, command("train", data, "--run", run, *OPTIONS[request.param], *QUICK, "--json")
