"""The same work in other processes: the same numbers, and none of it lost when a process is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time

import distributed
import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli import machine
from cnnlstm_cli.candidate import Watcher
from cnnlstm_cli.cluster import Standing, arriving, dask, processes
from cnnlstm_cli.cluster.processes import processes as processes_for
from cnnlstm_cli.errors import BusyError, DataError, OutputError, UsageError
from cnnlstm_cli.groups_training import train_groups
from cnnlstm_cli.render.messages import Messages
from cnnlstm_cli.render.progress import TerminalWatcher
from cnnlstm_cli.runs.directory import RunDirectory
from tests import SAMPLES
from tests.clusters import cluster, computing
from tests.command import called
from tests.pieces import killed_always, killed_once, lingering, refused, squared
from tests.test_groups import shop
from tests.test_resume import weights

AIR = SAMPLES / "air_passengers.csv"
SMALL = {"train": {"epochs": 2, "members": 1, "linear": False, "refit": False}, "model": {"filters": 4, "units": 4}}


class Follower(Watcher):
    """Remembers how far the work was, and does something once some of it is done."""

    def __init__(self, at: int = 0, act=lambda: None) -> None:
        self.told: list[Standing] = []
        self.at, self.act = at, act

    def stands(self, standing: Standing) -> None:
        self.told.append(standing)
        if standing.done == self.at:
            self.at = -1
            self.act()


def carried_out(work, shared, pieces, where, tell) -> list:
    """What arrives, in the order of the pieces."""
    with contextlib.closing(arriving(work, shared, pieces, where, tell)) as results:
        found = dict(results)
    return [found[number] for number in range(len(pieces))]


def test_pieces_come_in_their_order_from_other_processes():
    follower = Follower()
    found = carried_out(squared, 100, range(10), "local", follower.stands)
    assert [value for value, _ in found] == [100 + k**2 for k in range(10)]
    assert os.getpid() not in {process for _, process in found}
    assert [standing.done for standing in follower.told] == list(range(11))
    assert {standing.total for standing in follower.told} == {10}


def test_what_a_killed_process_was_at_is_done_again(tmp_path):
    follower = Follower()
    assert carried_out(killed_once, tmp_path, range(5), "local", follower.stands) == list(range(5))
    assert follower.told[-1].lost == 1
    assert follower.told[-1].done == 5


def test_what_processes_that_are_ended_leave_behind_is_cleared_away(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def interrupted(standing: Standing) -> None:
        if standing.done:
            assert list(tmp_path.glob("*/*")), "the other is at work in a folder of its own"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carried_out(lingering, None, range(4), "local", interrupted)
    assert not list(tmp_path.iterdir())


def test_who_follows_is_told_of_processes_that_are_lost_and_of_those_that_join(capsys):
    watcher = TerminalWatcher(Messages())
    for done, at_once, lost in ((0, 2, 0), (1, 2, 0), (1, 0, 1), (1, 1, 1), (2, 3, 1), (4, 0, 1)):
        watcher.stands(Standing(done, 4, at_once, 2**30, lost))
    watcher.stands(Standing(0, 8, 3, 2**30))  # the next trainings, of the same workers
    assert capsys.readouterr().err.splitlines() == [
        "4 trainings, 2 at a time, about 1.0 GiB each",
        "a process was lost: what it was at is done again",
        "0 at a time now",
        "1 at a time now",
        "3 at a time now",
    ]


def test_processes_that_are_always_killed_are_given_up():
    with pytest.raises(BusyError, match=r"processes were killed 3 times, for want of memory perhaps: about 0\.9 GiB"):
        carried_out(killed_always, None, range(2), "local", lambda _: None)


def test_a_mistake_in_one_piece_ends_all_of_them():
    begun = time.monotonic()
    with pytest.raises(DataError, match="row 7 is none"):
        carried_out(refused, None, range(6), "local", lambda _: None)
    assert time.monotonic() - begun < 30, "the others were not waited for"


def test_no_more_processes_than_cores_pieces_and_memory_allow(monkeypatch):
    monkeypatch.setattr(processes, "cores", lambda: 8)
    monkeypatch.setattr(processes, "memory", lambda: 4 * 2**30)
    assert processes_for(20, 2**30) == 4
    assert processes_for(3, 2**30) == 3
    assert processes_for(20, 2**33) == 1, "one there is at least"
    monkeypatch.setattr(processes, "memory", lambda: None)
    assert processes_for(20, 2**40) == 8
    assert machine.memory() is None or machine.memory() > 2**20


def test_a_place_that_is_none_is_refused(air, monkeypatch):
    monkeypatch.setattr(dask, "PATIENCE", 1)
    assert called("backtest", AIR, "--cluster", "here").returncode == 2
    done = called("backtest", AIR, "--cluster", "tcp://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (75, "")
    assert "no scheduler answers" in done.stderr
    done = called("backtest", AIR, "--cluster", "tls://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "tls://127.0.0.1:9 needs certificates: DASK_DISTRIBUTED__COMM__TLS__CA_FILE" in done.stderr
    with pytest.raises(UsageError, match="with --run"):
        c.backtest(AIR, air, cluster="local")


def same_weights(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_the_only_worker_of_a_cluster_may_be_killed_and_come_again(tmp_path):
    """And with it what was sent to it."""
    follower = Follower()
    with cluster(workers=1) as there:
        assert carried_out(killed_once, tmp_path, range(5), there.address, follower.stands) == list(range(5))
    assert follower.told[-1].lost == 1


@pytest.mark.slow
def test_twelve_series_are_trained_the_same_to_the_bit_in_processes_and_on_a_cluster_whose_worker_is_killed(tmp_path):
    data = pd.concat([shop(f"s{k}", rows=60) for k in range(12)], ignore_index=True)
    local = train_groups(data, tmp_path / "local", "shop", horizon=7, settings=SMALL, cluster="local")
    with cluster(workers=2) as there:

        def kill() -> None:
            for number in computing(there.workers[0]):
                os.kill(number, signal.SIGKILL)

        follower = Follower(at=6, act=kill)
        with distributed.Client(there.address, set_as_default=False) as client:
            options = {"horizon": 7, "settings": SMALL, "cluster": client, "watcher": follower}
            spread = train_groups(data, tmp_path / "spread", "shop", **options)
    assert (follower.told[-1].done, follower.told[-1].lost) == (12, 1)
    assert not local.failed
    assert not spread.failed
    for name in data["shop"].unique():
        same_weights(weights(local.run(name).path), weights(spread.run(name).path))


@pytest.mark.slow
def test_a_backtest_is_the_same_to_the_bit_here_in_processes_and_from_folds_that_were_kept(tmp_path):
    options = {"folds": 2, "lookback": 14, "settings": SMALL}
    here, local = c.backtest(AIR, **options), c.backtest(AIR, cluster="local", work=tmp_path / "work", **options)
    with pytest.raises(OutputError, match="other folds"):
        c.backtest(AIR, work=tmp_path / "work", **options | {"folds": 3})
    with pytest.raises(OutputError, match="other files"):
        c.backtest(AIR, work=tmp_path, **options)
    shutil.rmtree(tmp_path / "work" / "fold-2")
    before = RunDirectory(tmp_path / "work" / "fold-1").versions()
    follower = Follower()
    again = c.backtest(AIR, cluster="local", work=tmp_path / "work", watcher=follower, **options)
    assert follower.told[-1].total == 1, "the other is there"
    assert RunDirectory(tmp_path / "work" / "fold-1").versions() == before
    for other in (local, again):
        assert other.notes == here.notes
        for name, forecast in here.forecasts.items():
            np.testing.assert_array_equal(other.forecasts[name], forecast, err_msg=name)
        for level, pair in here.ends["model"].items():
            np.testing.assert_array_equal(other.ends["model"][level], pair)


@pytest.mark.slow
def test_members_trained_on_a_cluster_are_those_trained_here_also_when_the_scheduler_goes_away(tmp_path):
    """What has come back before it went is kept, and gone on from without a cluster."""
    settings = {"model": {"filters": 8, "units": 8}, "train": {"epochs": 6, "patience": 9}}
    options = {"lookback": 14, "settings": settings, "members": 2}
    here = weights(c.train(AIR, tmp_path / "here", **options).path)
    with cluster(workers=1) as there:
        follower = Follower(at=1, act=there.scheduler.kill)
        with pytest.raises(BusyError, match="the scheduler went away"):
            c.train(AIR, tmp_path / "gone", cluster=there.address, watcher=follower, **options)
    assert len(list((tmp_path / "gone" / "checkpoint").glob("race-*.npz"))) == 1
    same_weights(here, weights(c.train(AIR, tmp_path / "gone", resume=True, **options).path))
