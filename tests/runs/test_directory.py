"""The run directory: a reader sees the version before or the one after, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlstm_cli.errors import BusyError, DataError, InputError, OutputError
from cnnlstm_cli.runs.atomic import write_atomically
from cnnlstm_cli.runs.directory import RunDirectory

OLD, NEW = "20240101T000000Z-00000000", "20240102T000000Z-11111111"


def publish(path: Path, name: str, content: str = "x") -> None:
    directory = RunDirectory(path)
    with directory.training() as aside:
        (aside / "members").mkdir()
        (aside / "members" / "0.keras").write_text(content)
        (aside / "run.json").write_text(content)
        directory.publish(aside, name, {"version": name})


def test_what_is_published_is_current(tmp_path):
    run = tmp_path / "deep" / "run"
    publish(run, OLD)
    publish(run, NEW, "y")
    directory = RunDirectory(run)
    assert directory.current() == NEW
    assert directory.versions() == [OLD, NEW]
    assert directory.folder() == run / "versions" / NEW
    assert (directory.folder(OLD) / "run.json").read_text() == "x"
    assert [entry["version"] for entry in directory.history()] == [OLD, NEW]
    assert sorted(os.listdir(run)) == ["current", "history.jsonl", "lock", "versions"]
    assert sorted(os.listdir(run / "versions")) == [OLD, NEW]


def test_a_training_that_fails_leaves_the_run_as_it_was(tmp_path):
    publish(tmp_path / "run", OLD)

    def fail() -> None:
        with RunDirectory(tmp_path / "run").training() as aside:
            (aside / "model.onnx").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert RunDirectory(tmp_path / "run").current() == OLD
    assert os.listdir(tmp_path / "run" / "versions") == [OLD]


def test_a_run_that_can_not_be_read_is_refused_before_anything_is_trained(tmp_path, monkeypatch):
    publish(tmp_path / "run", OLD)
    monkeypatch.setattr(os, "access", lambda path, mode: not (path.name == "current" and mode == os.R_OK))
    with pytest.raises(OutputError, match=r"can't read .*current: is the run another user's"):
        publish(tmp_path / "run", NEW)


@pytest.mark.parametrize("name", ["current", "history.jsonl", "forecasts.jsonl"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path, name):
    publish(tmp_path / "run", OLD)
    directory = RunDirectory(tmp_path / "run")
    (directory.path / name).unlink(missing_ok=True)
    os.mkfifo(directory.path / name)
    read = {"current": directory.current, "history.jsonl": directory.history, "forecasts.jsonl": directory.logged}
    with pytest.raises((InputError, DataError), match="is no file"):
        list(read[name]())


def test_a_first_training_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), RunDirectory(tmp_path / "run").training():
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_only_one_training_at_a_time(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    with directory.training(), pytest.raises(BusyError, match="another training holds"), directory.training():
        pass


KILLED = """
import os, signal, sys
from pathlib import Path
from cnnlstm_cli.runs import directory as d

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, sys.argv[2], die)
run = d.RunDirectory(Path(sys.argv[1]))
with run.training() as aside:
    (aside / "run.json").write_text("new")
    run.publish(aside, sys.argv[3], {})
"""


@pytest.mark.parametrize("moment", ["fsync", "rename", "replace", "mkdir"])
def test_kill_9_while_publishing_leaves_the_old_version(tmp_path, moment):
    run = tmp_path / "run"
    publish(run, OLD)
    killed = subprocess.run([sys.executable, "-c", KILLED, run, moment, NEW], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    directory = RunDirectory(run)
    assert directory.current() == OLD
    assert (directory.folder() / "run.json").read_text() == "x"
    publish(run, "20240103T000000Z-22222222")
    assert directory.current() == "20240103T000000Z-22222222"
    assert not list((run / "versions").glob(".new-*"))


def test_the_lock_dies_with_its_process(tmp_path):
    hold = (
        "import sys, time; from pathlib import Path; from cnnlstm_cli.runs.directory import RunDirectory\n"
        "with RunDirectory(Path(sys.argv[1])).training():\n print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, tmp_path / "run"], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError):
            publish(tmp_path / "run", OLD)
        holder.kill()
        holder.wait()
        publish(tmp_path / "run", OLD)
    assert RunDirectory(tmp_path / "run").current() == OLD


def test_a_directory_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match=r"holds other files \(thesis.txt"), RunDirectory(tmp_path).training():
        pass
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_file_in_place_of_the_directory(tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(OutputError, match="can't write"), RunDirectory(tmp_path / "run").training():
        pass


@pytest.mark.parametrize("name", ["", "../../etc", "20990101T000000Z-ffffffff", "versions"])
def test_a_current_that_names_no_version(tmp_path, name):
    publish(tmp_path / "run", OLD)
    (tmp_path / "run" / "current").write_text(name)
    with pytest.raises(DataError, match=rf"which is not there\. It has: {OLD}"):
        RunDirectory(tmp_path / "run").folder()


def test_no_run_there(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="holds no run"):
            RunDirectory(path).current()


def test_a_history_cut_short_is_read_as_far_as_it_goes(tmp_path):
    publish(tmp_path / "run", OLD)
    with (tmp_path / "run" / "history.jsonl").open("a") as history:
        history.write('{"version": "2024')
    assert [entry["version"] for entry in RunDirectory(tmp_path / "run").history()] == [OLD]


def test_an_atomic_write_replaces_the_whole_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    path.chmod(0o600)
    write_atomically(path, "größer\n".encode())
    assert path.read_bytes() == "größer\n".encode()
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["out.csv"]


def test_an_atomic_write_killed_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    kill = (
        "import os, signal, sys; from pathlib import Path; from cnnlstm_cli.runs.atomic import write_atomically\n"
        "os.fsync = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_atomically(Path(sys.argv[1]), b'new' * 100000)"
    )
    killed = subprocess.run([sys.executable, "-c", kill, path], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_an_atomic_write_through_a_link_and_to_what_is_no_file(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    write_atomically(tmp_path / "link.csv", b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"
    write_atomically(Path("/dev/null"), b"new")
    assert not Path("/dev/null").is_file()


def test_an_atomic_write_to_nowhere(tmp_path):
    with pytest.raises(OutputError, match="No such file or directory"):
        write_atomically(tmp_path / "none" / "out.csv", b"x")
