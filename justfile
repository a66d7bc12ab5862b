# What a developer types. `just` alone lists it.

python := ".venv/bin/python"

_list:
    @just --list

# Make the environment with everything the tests need.
setup:
    python3 -m venv .venv
    {{python}} -m pip install --quiet --editable '.[dev]'

# All tests, style and types, as CI runs them.
test *arguments:
    {{python}} -m pytest {{arguments}}

# All tests but the slow ones.
fast *arguments:
    {{python}} -m pytest -m "not slow" {{arguments}}

# Five hundred trainings killed while a reader forecasts; half an hour.
chaos:
    {{python}} -m pytest tests/test_chaos.py --chaos 500

# Two thousand damaged files, read and forecast.
fuzz:
    {{python}} -m pytest tests/test_fuzz.py --fuzz 2000

# Style, types, and known vulnerabilities of what is installed.
check:
    .venv/bin/ruff format --check .
    .venv/bin/ruff check .
    .venv/bin/mypy
    .venv/bin/pip-audit --skip-editable --progress-spinner off

# Write the README's --help sections anew.
docs:
    {{python}} -m tests.readme

# What the README measures, on the sample files: accuracy, the time of a forecast, the pace of a training.
bench:
    {{python}} -m tests.benchmarks.accuracy sample_data
    {{python}} -m tests.benchmarks.prediction --rows 1000000
    {{python}} -m tests.benchmarks.speed
