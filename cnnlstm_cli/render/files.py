"""Facts about a run -> the files that `inspect` writes: a page, a card, arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnlstm_cli.errors import needing


def made(kind: str, facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> bytes:
    """The content of a file: `html` or `card` of facts as `inspection.looked` has them, or `npz` of its arrays.

    Raises UsageError where what draws a page is not installed.
    """
    if kind == "npz":
        from cnnlstm_cli.render.output import npz_of

        return npz_of(arrays)
    if kind == "card":
        from cnnlstm_cli.render.card import card

        return card(facts, facts.get("diagnosis")).encode()
    from cnnlstm_cli.render.page import page

    with needing("--html"):
        return page(facts, facts.get("diagnosis"), facts.get("explanation")).encode()
