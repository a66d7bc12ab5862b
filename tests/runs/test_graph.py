"""Nodes are counted as the package `onnx` counts them, and of bytes that are no network nothing is made."""

from __future__ import annotations

import contextlib
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.runs.graph import nodes


def test_as_many_as_onnx_counts(air: Path) -> None:
    path = RunDirectory(air).folder() / "model.onnx"
    assert nodes(path.read_bytes()) == len(onnx.load(path).graph.node) > 10


@given(st.binary(max_size=200))
def test_any_bytes_are_counted_or_refused(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert nodes(content) >= 0


def test_a_network_cut_short_is_refused(air: Path) -> None:
    content = (RunDirectory(air).folder() / "model.onnx").read_bytes()
    with pytest.raises(ValueError, match=r"cut short|not the bytes"):
        nodes(content[:-5])
