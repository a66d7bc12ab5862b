"""Which room may import which, and what a command may load before it answers."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlstm_cli.__main__ import run
from tests import SAMPLES

PACKAGE = Path(__file__).parent.parent / "cnnlstm_cli"

# From the top down: a room imports rooms of its own line or of lines below it, never above; rooms that share a line
# of use cases or renderers do not import one another.
FLOORS = [
    {"__main__"},
    {"cli"},
    {"options", "looking", "predicting"},
    {"render"},
    {"comparison"},
    {"inspection"},
    {"contest", "diagnosis"},
    {"origins"},
    {"backtesting"},
    {"groups_training", "tuning", "folds"},
    {"training", "scoring"},
    {"explanation", "gate", "warm"},
    {"candidate"},
    {"bands", "intervals", "occlusion", "sampling", "worth"},
    {"groups_forecast"},
    {"study"},
    {"network"},
    {"planning", "forecast", "reasons"},
    {"runs", "evaluation"},
    {"series"},
    {"spaces"},
    {"config", "cluster"},
    {"specs", "machine"},
    {"errors"},
]
TENSORFLOW = {"tensorflow", "keras", "tf2onnx", "onnx"}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor(name: str) -> int:
    return next(k for k, rooms in enumerate(FLOORS) if name in rooms)


def imports(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{name.name}" for name in node.names]
    return found


MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    here = room(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "cnnlstm_cli" and parts[1] not in ("__version__", here):
            assert floor(parts[1]) > floor(here), f"{here} imports {name}"
        if parts[0] in TENSORFLOW:
            assert here == "network", f"{here} imports {name}"


LOADED = """
import sys
before = set(sys.modules)
for name in ("tensorflow", "keras"):
    sys.modules[name] = None  # as in an environment where they are not installed
from cnnlstm_cli.__main__ import run
code = run(sys.argv[1:])
import json
loaded = {name.split(".")[0] for name, module in sys.modules.items() if module and name not in before}
print(json.dumps(sorted(loaded - set(sys.stdlib_module_names))), file=sys.stderr)
sys.exit(code)
"""
START = {"cnnlstm_cli", "typer", "typing_extensions", "annotated_doc", "shellingham", "pydantic", "pydantic_core"}
START |= {"annotated_types", "typing_inspection", "tomli"}
DATA = START | {"numpy", "pandas", "dateutil", "pytz", "tzdata", "six", "onnxruntime", "pyarrow", "_distutils_hack"}
DATA |= {"backports", "flatbuffers", "google", "packaging", "cython_runtime"}
REPORT = DATA | {"rich", "pygments", "markdown_it", "mdurl"}


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--help"], START),
        (["--version"], START),
        (["train", "--help"], START),
        (["predict", "DATA", "--run", "RUN"], DATA),
        (["inspect", "RUN", "--json"], REPORT),
        (["inspect", "DATA", "--json"], REPORT),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_loads_what_is_on_its_list_and_no_more(air, arguments, allowed):
    """Also the proof that predict and inspect work where TensorFlow is not installed: importing it would fail."""
    places = {"DATA": str(SAMPLES / "air_passengers.csv"), "RUN": str(air)}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *(places.get(argument, argument) for argument in arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert {name for name in loaded if not name.startswith("_")} <= allowed


def test_importing_the_package_loads_nothing():
    script = "import sys, cnnlstm_cli; print(any(m.startswith('numpy') or m.startswith('pandas') for m in sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )


PICTURES = {
    "matplotlib": ["inspect", "RUN", "--html", "-"],
    "plotext": ["predict", str(SAMPLES / "air_passengers.csv"), "--run", "RUN", "--plot"],
}


@pytest.mark.parametrize("package", PICTURES)
def test_what_a_picture_needs_is_named_where_it_is_not_installed(package, air, monkeypatch, capfd):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert run([str(air) if each == "RUN" else each for each in PICTURES[package]]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.endswith(f" needs {package}, which is not installed here. pip install {package}\n")
