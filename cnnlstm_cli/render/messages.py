"""What is said beside the answer: one line a fact, on stderr, never read as markup.

In a log file, which is what a regular file as stderr is, a line is time, level and words:

    2026-01-31T03:00:07Z info: published: /srv/runs/demand, version 20260131T030006Z-0a1b2c3d
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

MOST = 10  # groups that are named


@dataclass(frozen=True)
class Messages:
    """Says facts and details on stderr, as far as the user wants to hear them."""

    quiet: bool = False
    verbose: bool = False

    def say(self, *lines: str) -> None:
        """What a user should know. Silent with --quiet."""
        if not self.quiet:
            _write(lines)

    def insist(self, *lines: str) -> None:
        """What is missing from the answer. Not silenced with --quiet."""
        _write(lines)

    def detail(self, *lines: str) -> None:
        """What a user who asked for more wants to know: only with --verbose."""
        if self.verbose and not self.quiet:
            _write(lines)


def complain(kind: str, message: str) -> None:
    """`kind: message` on stderr, the kind in red on a terminal that has colours. Never silenced."""
    if sys.stderr is None:
        return
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    shown = f"\033[1;31m{kind}:\033[0m" if colour else f"{kind}:"
    print(f"{_moment()}{shown}", printable(message), file=sys.stderr)  # noqa: T201


def failures(failed: Mapping[str, str], count: int) -> Iterator[str]:
    """What was wrong with which of `count` groups, the first of them."""
    if failed:
        yield f"failed: {len(failed):,} of {count:,} groups"
    for name, why in list(failed.items())[:MOST]:
        yield f"  {name}: {why}"
    if len(failed) > MOST:
        yield f"  and {len(failed) - MOST:,} more"


def _write(lines: Iterable[str]) -> None:
    if sys.stderr is None:  # closed from the start; print() would turn to standard output
        return
    moment = _moment()
    for line in lines:
        level = "info: " if moment and not line.startswith("warning: ") else ""
        print(f"{moment}{level}{printable(line)}", file=sys.stderr)  # noqa: T201


def _moment() -> str:
    """The time, before a line of a log file; nothing where a person reads, or a program."""
    try:
        logged = stat.S_ISREG(os.fstat(sys.stderr.fileno()).st_mode)
    except (OSError, ValueError):  # it has no descriptor, as under a test runner
        return ""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ} " if logged else ""


def printable(text: str) -> str:
    """Control characters from a user's file are shown, not obeyed; what the terminal can't encode is escaped."""
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    encoding = sys.stderr.encoding or "utf-8"
    return shown.encode(encoding, errors="backslashreplace").decode(encoding)


def simpler(name: str) -> str:
    """A forecast that is averaged with networks, as a sentence names it."""
    return "the linear model" if name == "linear" else f"the {name}"


def enumerated(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
