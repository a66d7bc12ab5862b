"""The pictures of the README: `python -m tests.pictures` trains on two samples and writes tests/pictures/ anew.

Of the terminal as SVG, drawn by rich out of what the real commands print; of the page as PNG, by Chromium.
"""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests import SAMPLES

CNNLSTM = (sys.executable, "-m", "cnnlstm_cli")
COLUMNS = 80
PICTURES = Path(__file__).parent / "pictures"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
)


def shown(arguments: list[str], folder: str) -> str:
    """What a command shows on a terminal, colours included."""
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    with subprocess.Popen(
        [*CNNLSTM, *arguments], stdout=theirs, stderr=theirs, stdin=theirs, env=environment, cwd=folder
    ) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the terminal is gone when the command is
                break
            parts.append(part)
        process.wait()
    return b"".join(parts).decode().replace("\r\n", "\n")


def draw(name: str, folder: str, arguments: list[str]) -> None:
    """A command's screen as SVG."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(shown(arguments, folder)))
    console.save_svg(str(PICTURES / f"{name}.svg"), title=f"cnnlstm {' '.join(arguments)}")


def photograph(page: Path, name: str, size: str) -> None:
    """The top of a page as PNG."""
    if BROWSER is None:
        raise SystemExit("a page is photographed by Chromium, which is not installed")
    with tempfile.TemporaryDirectory() as folder:
        where = (f"--user-data-dir={folder}", f"--window-size={size}", f"--screenshot={PICTURES / f'{name}.png'}")
        subprocess.run([BROWSER, *FLAGS, *where, str(page)], check=True, capture_output=True)


def main() -> None:
    """Everything, in five minutes."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        whole = (SAMPLES / "bike_hour.csv").read_text()
        Path(folder, "bike_hour.csv").write_text(whole)
        december = whole.index("2012-12-01")
        Path(folder, "until_november.csv").write_text(whole[: 1 + whole.rindex("\n", 0, december)])

        def run(*arguments: str) -> None:
            subprocess.run([*CNNLSTM, *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL)

        run("train", "until_november.csv", "--target", "cnt", "--run", "bike", "-q")
        run("inspect", "bike", "--data", "bike_hour.csv", "--gradients", "--html", "bike.html")
        draw("plot", folder, ["predict", "bike_hour.csv", "--run", "bike", "--plot", "-o", "forecast.csv", "-q"])
        draw("inspect", folder, ["inspect", "bike"])
        draw("gradients", folder, ["inspect", "bike", "--data", "bike_hour.csv", "--gradients"])
        photograph(Path(folder, "bike.html"), "page", "1280,2300")


if __name__ == "__main__":
    main()
