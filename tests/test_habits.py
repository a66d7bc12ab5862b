"""Style, types, and documents that can't fall behind the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlstm_cli import __version__
from cnnlstm_cli.cli import app
from tests import readme

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "arguments",
    [("ruff", "format", "--check", "--quiet", "."), ("ruff", "check", "--quiet", "."), ("mypy", "--no-error-summary")],
    ids=["format", "lint", "types"],
)
def test_style_and_types(arguments):
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_shows_the_help_as_it_is():
    text = (ROOT / "README.md").read_text()
    assert readme.with_help(text) == text, "run: just docs"
    assert "Usage: cnnlstm" not in re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(re.findall(r"^<!-- help (\S+) -->$", text, re.MULTILINE)) == commands


def test_the_changelogs_top_version_is_the_packages():
    assert re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == __version__


def test_every_sample_file_has_its_source_and_licence():
    listed = re.findall(r"^\| `(\S+\.csv)`", (ROOT / "sample_data" / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "sample_data").glob("*.csv"))


def test_no_file_is_too_long_to_be_a_room():
    long = [str(path) for path in (ROOT / "cnnlstm_cli").rglob("*.py") if len(path.read_text().splitlines()) > 400]
    assert long == []


def test_every_promise_of_the_readme_has_its_test():
    section = (ROOT / "README.md").read_text().split("### What we promise")[1].split("\n\n")[1]
    named = re.findall(r"`(test_\w+)(?:\.py)?`", section)
    tests = "".join(path.read_text() + path.stem for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) >= section.count("\n") - 1
    assert [name for name in named if name not in tests] == []
