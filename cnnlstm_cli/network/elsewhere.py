"""Networks trained in other processes: a checkpoint is sent there, and a later one comes back.

Here the training then goes on from it, and finds that it is at its end. So there is one way to train, and what has
come back before a cluster went away is kept where an interrupted training is.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnlstm_cli.cluster import Tell, Where, arriving
from cnnlstm_cli.network.checkpoint import Epoch
from cnnlstm_cli.network.entry import Entry, Linear
from cnnlstm_cli.network.fit import fit
from cnnlstm_cli.runs.atomic import write_atomically
from cnnlstm_cli.series.windows import Windows


@dataclass(frozen=True)
class Common:
    """What all of them are trained on; `end` by the clock, after which each ends with the epochs it has."""

    windows: Windows
    linear: Linear
    end: float | None = None


@dataclass(frozen=True)
class Parcel:
    """A network to be trained, its files as their content: the weights it begins with, and its checkpoint."""

    entry: Entry
    begun: bytes | None
    kept: bytes | None

    @classmethod
    def of(cls, entry: Entry) -> Parcel:
        """Ready to be sent. Raises OSError."""
        kept = entry.checkpoint.read_bytes() if entry.checkpoint and entry.checkpoint.exists() else None
        begun = entry.begun.read_bytes() if entry.begun else None
        return cls(replace(entry, begun=None, checkpoint=None), begun, kept)

    def unpacked(self, folder: Path) -> Entry:
        """The entry, its files in a folder."""
        begun, kept = folder / "begun.keras", folder / "kept.npz"
        for path, content in ((begun, self.begun), (kept, self.kept)):
            if content is not None:
                path.write_bytes(content)
        return replace(self.entry, begun=begun if self.begun else None, checkpoint=kept)


def train_elsewhere(
    entries: Sequence[Entry],
    windows: Windows,
    linear: Linear,
    where: Where,
    tell: Tell,
    seconds: float | None = None,
) -> None:
    """Train each on a cluster, and keep it in its checkpoint as soon as it is there.

    seconds  after which they end, once they have an epoch; None: when they are done

    Raises as `cluster.arriving` and `fit` do, OutputError when a checkpoint can't be written.
    """
    common = Common(windows, linear, None if seconds is None else time.time() + seconds)
    sent = [entry for entry in entries if entry.train.epochs != 0]
    with contextlib.closing(arriving(_trained, common, [Parcel.of(each) for each in sent], where, tell)) as results:
        for number, kept in results:
            path = sent[number].checkpoint
            if path and kept:
                write_atomically(path, kept)


def _trained(common: Common, parcel: Parcel) -> bytes:
    """The checkpoint at the end of a training; empty where that came before the first was written."""

    def on_step(_: int, __: int, epoch: Epoch | None) -> None:
        if epoch is not None and common.end is not None and time.time() > common.end:
            raise KeyboardInterrupt

    with tempfile.TemporaryDirectory() as folder:
        entry = parcel.unpacked(Path(folder))
        model = entry.network(common.windows, common.linear)
        with contextlib.suppress(KeyboardInterrupt):
            fit(
                model,
                common.windows,
                entry.train,
                on_step=on_step,
                keep_interrupted=lambda: True,
                checkpoint=entry.checkpoint,
            )
        return entry.checkpoint.read_bytes() if entry.checkpoint and entry.checkpoint.exists() else b""
