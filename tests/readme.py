"""`python -m tests.readme` writes the README's --help sections anew; a test compares them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.command import command

README = Path(__file__).parent.parent / "README.md"


def with_help(text: str) -> str:
    """`text` with what each `<!-- help COMMAND -->` block should hold."""

    def filled(found: re.Match[str]) -> str:
        shown = command(*found[1].split(), "--help").stdout
        return f"<!-- help {found[1]} -->\n```\n{shown.rstrip()}\n```"

    return re.sub(r"<!-- help (.*?) -->\n```\n.*?\n```", filled, text, flags=re.DOTALL)


if __name__ == "__main__":
    README.write_text(with_help(README.read_text()))
