"""What this machine has to give: cores, memory, software."""

from __future__ import annotations

import importlib.metadata
import os
import re
from pathlib import Path

from cnnlstm_cli import __version__
from cnnlstm_cli.errors import needing

# What the numbers of a training depend on.
PACKAGES = ("keras", "numpy", "onnx", "onnxruntime", "pandas", "tensorflow", "tf2onnx")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int | None:
    """Bytes that programs can still take without swapping, as Linux tells it; None elsewhere."""
    try:
        told = re.search(r"^MemAvailable:\s*(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(told[1]) * 1024 if told else None


def packages() -> dict[str, str]:
    """What a training is made with, {package: version}. Raises UsageError where one of them is not installed."""
    with needing("training"):
        return {"cnnlstm": __version__, **{name: importlib.metadata.version(name) for name in PACKAGES}}
