"""Versions that stay and go, back to an older one, and who holds the run."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from cnnlstm_cli.errors import BusyError, DataError, OutputError
from cnnlstm_cli.runs.directory import RunDirectory

NAMES = [f"2024010{day}T000000Z-0000000{day}" for day in range(1, 8)]


def publish(directory: RunDirectory, name: str, keep: int = 5, wait: float = 0.0) -> None:
    with directory.training(wait) as aside:
        (aside / "run.json").write_text("{}")
        directory.publish(aside, name, {"published": True}, keep)


@pytest.fixture
def directory(tmp_path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


def test_the_newest_versions_stay(directory):
    for name in NAMES[:4]:
        publish(directory, name, keep=2)
    assert directory.versions() == NAMES[2:4]
    publish(directory, NAMES[4], keep=1)
    assert directory.versions() == [NAMES[4]]
    assert sorted(os.listdir(directory.path / "versions")) == [NAMES[4]]


def test_a_version_that_a_reader_holds_stays_until_it_is_done(directory):
    publish(directory, NAMES[0])
    folder, held = directory.hold()
    assert held is not None
    publish(directory, NAMES[1], keep=1)
    assert directory.versions() == NAMES[:2]
    assert (folder / "run.json").read_text() == "{}"
    held.release()
    publish(directory, NAMES[2], keep=1)
    assert directory.versions() == NAMES[2:3]


def test_back_to_an_older_version_which_then_stays(directory):
    for name in NAMES[:3]:
        publish(directory, name)
    assert directory.rollback() == (NAMES[2], NAMES[1])
    assert directory.current() == NAMES[1]
    assert directory.rollback() == (NAMES[1], NAMES[0])
    with pytest.raises(DataError, match=f"no version before {NAMES[0]}"):
        directory.rollback()
    with pytest.raises(DataError, match="asked for the version 'x'"):
        directory.rollback("x")
    assert directory.current() == NAMES[0]
    assert directory.history()[-1] | {"created": ""} == {
        "created": "",
        "version": NAMES[0],
        "published": True,
        "why": f"rolled back from {NAMES[1]}",
    }
    assert directory.rollback(NAMES[2]) == (NAMES[0], NAMES[2])
    publish(directory, NAMES[3])
    assert directory.rollback(NAMES[0])[1] == NAMES[0]
    publish(directory, NAMES[4], keep=1)
    assert directory.versions() == [NAMES[4]]


def test_what_killed_trainings_left_is_cleared(directory):
    publish(directory, NAMES[0])
    for name in (".new-abc", f".old-{NAMES[1]}"):
        (directory.path / "versions" / name).mkdir()
        (directory.path / "versions" / name / "model.onnx").write_text("half")
    (directory.path / ".current.xyz").write_text("half")
    publish(directory, NAMES[2])
    assert sorted(os.listdir(directory.path / "versions")) == [NAMES[0], NAMES[2]]
    assert sorted(os.listdir(directory.path)) == ["current", "history.jsonl", "lock", "versions"]


def test_a_line_cut_short_costs_no_line_after_it(directory):
    publish(directory, NAMES[0])
    with (directory.path / "history.jsonl").open("a") as history:
        history.write('{"version": "2024')
    publish(directory, NAMES[1])
    assert [entry["version"] for entry in directory.history()] == NAMES[:2]


@pytest.mark.parametrize("line", ["[]", "3", '"x"', "{}", '{"version": 3}', "\x00"])
def test_a_damaged_line_is_passed_over(directory, line):
    publish(directory, NAMES[0])
    with (directory.path / "history.jsonl").open("a") as history:
        history.write(line + "\n")
    assert len(directory.history()) == 1


HOLD = """
import sys, time
from pathlib import Path
from cnnlstm_cli.runs.directory import RunDirectory
with RunDirectory(Path(sys.argv[1])).training():
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(directory):
    publish(directory, NAMES[0])
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, directory.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_holds_the_run_is_told(directory, holder):
    with pytest.raises(BusyError, match=rf"\(process {holder.pid} on .+, since 20\d\d-.+Z\)\. Try again"):
        publish(directory, NAMES[1])
    (directory.path / "lock").write_text("?")
    with pytest.raises(BusyError, match=r"holds [^(]+ Try again"):
        publish(directory, NAMES[1])


def test_waiting_ends_when_the_holder_does_or_time_is_up(directory, holder):
    started = time.monotonic()
    with pytest.raises(BusyError, match=r"It was waited for 0\.5 seconds"):
        publish(directory, NAMES[1], wait=0.5)
    assert time.monotonic() - started >= 0.5
    threading.Timer(0.5, holder.stdin.close).start()
    publish(directory, NAMES[1], wait=30)
    assert directory.current() == NAMES[1]
    assert (directory.path / "lock").read_text() == ""
    with directory.training():
        assert json.loads((directory.path / "lock").read_text())["pid"] == os.getpid()


def test_a_directory_that_is_taken_away_meanwhile(directory):
    def taken_away() -> None:
        with directory.training() as aside:
            (aside / "run.json").write_text("{}")
            directory.path.rename(directory.path.with_name("gone"))
            directory.publish(aside, NAMES[0], {})

    with pytest.raises(OutputError, match="can't write"):
        taken_away()
    with pytest.raises(OutputError, match="can't write"):
        directory.note(NAMES[0], {})


def test_lines_of_many_processes_do_not_mix(tmp_path):
    write = (
        "import sys; from pathlib import Path; from cnnlstm_cli.runs.atomic import append_line\n"
        "for k in range(200): append_line(Path(sys.argv[1]), sys.argv[2] * 300)"
    )
    path = tmp_path / "lines"
    writers = [subprocess.Popen([sys.executable, "-c", write, path, letter]) for letter in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert sorted(path.read_text().splitlines()) == ["a" * 300] * 200 + ["b" * 300] * 200


def test_a_file_system_without_locks_is_refused(directory, monkeypatch):
    """And read from all the same."""
    publish(directory, NAMES[0])

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OutputError, match=r"can't lock .*lock: No locks available. Keep the run on a disk whose"):
        publish(directory, NAMES[1])
    assert directory.hold()[0].name == NAMES[0]
