"""The tests, and the files that they and the benchmarks share."""

from pathlib import Path

SAMPLES = Path(__file__).parent.parent / "sample_data"
