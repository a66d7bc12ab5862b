"""What pieces of work are, and how far they are; and where it is simplest to do them: here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from distributed import Client

Shared = TypeVar("Shared")
Piece = TypeVar("Piece")
Result = TypeVar("Result")
Where: TypeAlias = "str | Client"

TASK = 900 * 2**20  # bytes: TensorFlow, a network, and its gradients
COPIES = 4  # of what is shared, that a training holds at its peak
AHEAD = 3  # pieces that a scheduler is given for each of its threads, so that none waits for another


@dataclass(frozen=True)
class Standing:
    """How far the work is.

    done, total  pieces
    at_once      how many are worked on at a time
    memory       bytes that each may take, as estimated
    lost         how many times processes were killed, or workers went away, so far
    failed       how many pieces that are done came to nothing
    """

    done: int
    total: int
    at_once: int
    memory: int
    lost: int = 0
    failed: int = 0

    @property
    def running(self) -> int:
        """How many are worked on."""
        return min(self.at_once, self.total - self.done)


Tell: TypeAlias = Callable[[Standing], None]


class Workers(Protocol):
    """Where pieces are worked on, several times after each other."""

    def arriving(
        self, work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], tell: Tell
    ) -> Generator[tuple[int, Result]]:
        """`work(shared, piece)` of every piece with its number, as soon as it is there, in any order.

        work   a function of a module, as it is found by its name; its arguments and results can be pickled
        tell   is called at the beginning, after every piece, once its result was taken, and when workers come or go

        To be closed, where it is not followed to its end: what waits is given up then. Raises what a piece raises, once
        those that wait are given up; UsageError where the workers' software differs from ours; BusyError when processes
        were killed too often, or a scheduler went away.
        """


class Here:
    """This process, one piece after the other."""

    def arriving(
        self, work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], tell: Tell
    ) -> Generator[tuple[int, Result]]:
        """See `Workers.arriving`."""
        for number, piece in enumerate(pieces):
            tell(Standing(number, len(pieces), 1, 0))
            yield number, work(shared, piece)
        tell(Standing(len(pieces), len(pieces), 1, 0))
