"""`python -m tests.readme` writes the README's --help sections and table of settings anew; a test compares them."""

from __future__ import annotations

import re
from pathlib import Path

from cnnlstm_cli.config import all_settings
from tests.command import command

README = Path(__file__).parent.parent / "README.md"


def with_help(text: str) -> str:
    """`text` with what each `<!-- help COMMAND -->` block and the `<!-- settings -->` table should hold."""

    def filled(found: re.Match[str]) -> str:
        shown = command(*found[1].split(), "--help").stdout
        return f"<!-- help {found[1]} -->\n```\n{shown.rstrip()}\n```"

    text = re.sub(r"<!-- help (.*?) -->\n```\n.*?\n```", filled, text, flags=re.DOTALL)
    return re.sub(r"(<!-- settings -->\n).*?(?=\n\n)", lambda found: found[1] + settings(), text, flags=re.DOTALL)


def settings() -> str:
    """Every setting, a row each."""
    rows = ["| key | values | default | what it does | source |", "| --- | --- | --- | --- | --- |"]
    for setting in all_settings():
        values = setting["values"].replace(" | ", ", ")
        rows.append(
            f"| `{setting['key']}` | {values} | {setting['default']} | {setting['help']} | {setting['source']} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    README.write_text(with_help(README.read_text()))
