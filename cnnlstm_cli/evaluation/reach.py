"""How far back a forecast hangs on its past: what a curve of gradients over steps or rows, oldest first, says."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]]
Flow = Literal["vanishes", "fades", "carries", "explodes", "none"]

SHARE = 0.9  # of the gradient, that counts as where it comes from
FADED, VANISHED = 0.1, 0.002  # see `flow`


def reach(curve: Numbers, share: float = SHARE) -> int:
    """How many of the newest of (n,) carry a share of their sum; 0 where there is nothing."""
    carried = np.cumsum(curve[::-1])
    if not carried[-1] > 0:
        return 0
    return int(np.searchsorted(carried, share * carried[-1] * (1 - 1e-12))) + 1


def decay(curve: Numbers) -> float:
    """The oldest of (n,) over the newest; NaN where the newest is 0."""
    return float(curve[0] / curve[-1]) if curve[-1] > 0 else float("nan")


def flow(curve: Numbers) -> Flow:
    """Whether the gradient vanishes on its way back from the newest of (n,), or explodes (Pascanu et al. 2013).

    It vanishes where the oldest is below a five-hundredth of the newest. Training follows the mean of the windows'
    gradients, which differ from each other by about as much as they are large. An epoch has at most a quarter of a
    million windows, and so the error of their mean is at best one over the square root of that, a five-hundredth: what
    the oldest step could teach is then lost in what chance does to the newest. It explodes where it is the other way
    round. Between, it fades where the oldest is below a tenth. "none" where nothing comes from the newest at all.
    """
    ratio = decay(curve)
    if np.isnan(ratio):
        return "none"
    if ratio < FADED:
        return "vanishes" if ratio < VANISHED else "fades"
    return "explodes" if ratio > 1 / VANISHED else "carries"


def by_segment(curve: Numbers, segments: NDArray[np.int64]) -> Numbers:
    """Sums of (n,) over segments (S, 2), each its first place and the one after its last: (S,)."""
    return np.array([curve[first:end].sum() for first, end in segments])


def agreement(one: Numbers, other: Numbers) -> float:
    """Spearman's rank correlation of (n,) and (n,), ties sharing their rank; NaN of fewer than three, or of equals."""
    if len(one) < 3:
        return float("nan")
    ranks = np.stack([pd.Series(each).rank().to_numpy() for each in (one, other)])
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    size = float(np.sqrt((centred**2).sum(axis=1).prod()))
    return float(centred.prod(axis=0).sum() / size) if size > 0 else float("nan")
