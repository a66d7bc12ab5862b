"""The page: well-formed, alone, told to everyone, and what it says is what the facts are."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cnnlstm_cli.explanation import explain
from cnnlstm_cli.inspection import inspect_run
from cnnlstm_cli.render.markup import number, text
from cnnlstm_cli.render.page import page
from tests.page.conftest import NAMES, SHOPS, shops

VOID = {"meta", "br", "hr", "img", "input", "link", "wbr"}
CSS = (Path(__file__).parents[2] / "cnnlstm_cli" / "render" / "page.css").read_text(encoding="utf-8")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Reader(HTMLParser):
    """Refuses markup that is not closed, and keeps the elements: (tag, attributes), and the text that is seen."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice: {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert "svg" in self.open, f"<{tag}/> closes itself in SVG only"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def pages(load, sales, judged, sold) -> dict[str, str]:
    """A page of each kind: of a run alone, of one that was judged, and of hostile names and an explanation."""
    hostile = inspect_run(sales)
    hostile |= {"covariates": {NAMES[0]: {"mae": 1.0, "shuffled": 1.5}, "calm": {"mae": 1.0, "shuffled": 0.9}}}
    entry = {"created": "2026", "version": "v", "published": False, "why": "<i>worse</i>", "mae": 0.5}
    hostile |= {"history": [*hostile["history"], entry], "command": "train '<script>' --id \"'"}
    return {
        "alone": page(inspect_run(load)),
        "judged": page(inspect_run(load), judged.facts()),
        "hostile": page(hostile, sold.facts(), {**explain(sales, shops(), windows=16).facts(), "data": "<b>no</b>"}),
    }


KINDS = pytest.mark.parametrize("kind", ["alone", "judged", "hostile"])


@KINDS
def test_it_is_well_formed_and_its_ids_are_unique_and_led_to(kind, pages):
    read = Reader(pages[kind])
    ids = Counter(attributes["id"] for _, attributes in read.elements if "id" in attributes)
    assert set(ids.values()) == {1}
    anchors = [attributes["href"] for attributes in (*read.all("a"), *read.all("use"))]
    assert anchors
    assert {anchor[1:] for anchor in anchors} <= set(ids)
    assert {name for _, a in read.elements for name in (a.get("aria-labelledby") or "").split()} <= set(ids)


@KINDS
def test_it_asks_for_nothing_and_runs_nothing(kind, pages):
    read = Reader(pages[kind])
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed"}
    for tag, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset")]
        assert (attributes.get("href") or "#").startswith("data:image/png;base64," if tag == "image" else "#")
    assert not re.search(r"https?://|@import|url\((?!#)", pages[kind])
    policy = [a["content"] for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_text_of_the_users_is_shown_as_it_is(pages):
    words = "".join(Reader(pages["hostile"]).words)
    for name in (*NAMES, *SHOPS, "<i>worse</i>", "train '<script>' --id \"'", "<b>no</b>"):
        assert name in words
        assert html.escape(name) in pages["hostile"]
    assert text("a\u202eb\x00\ud800") == "a\\u202eb\\x00\\ud800"


@KINDS
def test_tables_and_figures_are_told_to_who_cannot_see_them(kind, pages):
    markup = pages[kind]
    for table in re.findall(r"<table>.*?</table>", markup):
        assert re.match(r"<table><caption[^>]*>[^<]+</caption><thead><tr><th scope=\"col\"", table)
        rows = re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2])
        assert rows
        assert all(row.startswith('<th scope="row"') for row in rows)
        assert len({row.count("</td>") + row.count("</th>") for row in rows} | {table.count('scope="col"')}) == 1
    drawings = re.findall(r"<svg ([^>]*)><title>([^<]+)</title>", markup)
    assert len(drawings) == markup.count("<svg")
    for attributes, title in drawings:
        assert 'role="img"' in attributes
        assert f'aria-label="{title}"' in attributes.replace("&quot;", '"') or html.unescape(title) in html.unescape(
            attributes
        )
    for drawn in re.findall(r"<figure>.*?</figure>", markup):
        assert ("<svg" in drawn) == ("<details>" in drawn), "each drawing has its numbers"


def test_the_numbers_are_those_of_the_facts(pages, judged):
    words, facts = " ".join(Reader(pages["judged"]).words), judged.facts()
    for name, scores in facts["scores"].items():
        assert f"{name} {number(scores['mae'])} {number(scores['rmse'])} {number(scores['mase'])}" in words
    steps = zip(*facts["steps"]["mae"].values(), facts["steps"]["count"], strict=True)
    for place, row in enumerate(steps):
        assert " ".join([str(place + 1), *(number(cell) for cell in row[:-1]), f"{row[-1]:,}"]) in words
    ahead = facts["newest"]["stamps"][-1]
    assert f"{ahead} {number(facts['newest']['actual'][-1])} {number(facts['newest']['forecast'][-1])}" in words
    for note in (*facts["notes"], *facts["remarks"], *facts["read"]):
        assert note in words


def test_each_kind_has_the_sections_it_can_have(pages):
    names = {kind: re.findall(r'<section id="([^"]+)"', markup) for kind, markup in pages.items()}
    assert names["alone"] == ["summary", "training", "data", "provenance"]
    found = ["summary", "forecast", "errors", "residuals", "intervals", "worst"]
    assert names["judged"] == [*found, "training", "data", "provenance"]
    assert names["hostile"] == [*found, "covariates", "explanation", "training", "data", "provenance"]


def test_what_is_needed_to_make_it_again_is_there(pages, load):
    words, facts = " ".join(Reader(pages["alone"]).words), inspect_run(load)
    for told in (facts["version"], facts["command"], facts["data"]["sha256"], facts["packages"]["tensorflow"]):
        assert told in words
    assert "model.filters 4 " in words
    assert "train.seed 0 " in words


def test_the_same_facts_make_the_same_bytes_in_any_process(load, judged, pages, tmp_path):
    (tmp_path / "facts.json").write_text(json.dumps([inspect_run(load), judged.facts()]))
    script = (
        "import json, sys; from cnnlstm_cli.render.page import page;"
        "sys.stdout.buffer.write(page(*json.load(open(sys.argv[1]))).encode())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "facts.json")], capture_output=True, check=True, env=environment
    )
    assert done.stdout.decode() == pages["judged"]


def themes() -> list[dict[str, str]]:
    """What the roles are in the light, in the dark and in print."""
    return [
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    ]


@KINDS
def test_every_colour_of_a_figure_is_one_of_both_themes(kind, pages):
    used = set(re.findall(r"var\(--([\w-]+)\)", pages[kind]))
    light, dark, _ = themes()
    assert used <= set(light)
    assert set(light) == set(dark)
    assert all(light[role] != dark[role] for role in used)
    drawings = "".join(re.findall(r"<svg.*?</svg>", pages[kind]))
    assert not re.findall(r"#[0-9a-fA-F]{6}", drawings)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_its_paper(theme):
    """A contrast of 4.5 at least, as WCAG 2.2 has it."""
    colours = themes()[theme]

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    pairs = [(role, "paper") for role in ("ink", "quiet", "model", "first", "second")] + [("ink", "warn-paper")]
    for role, paper in pairs:
        low, high = sorted([luminance(colours[role]), luminance(colours[paper])])
        assert (high + 0.05) / (low + 0.05) >= 4.5, (role, paper)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.123456, "0.1235"),
        (12.3456, "12.35"),
        (123456.0, "123,456"),
        (0.0, "0"),
        (1234.0, "1,234"),
        (-2.5, "-2.500"),
        (1e-7, "1.000e-07"),
        (3.2e12, "3.200e+12"),
        (float("nan"), "-"),
        (None, "-"),
    ],
)
def test_numbers_have_four_digits(value, shown):
    assert number(value) == shown


MEASURE = """<script>
const drawings = [...document.querySelectorAll("svg")];
const of = name => document.querySelector(name).getBoundingClientRect();
const font = name => getComputedStyle(document.querySelector(name)).fontFamily;
parent.postMessage(JSON.stringify({
  window: innerWidth, page: document.documentElement.scrollWidth, wide: of(".wide svg").width,
  narrow: of(".narrow svg").width, shown: drawings.filter(e => e.getBoundingClientRect().height > 40).length,
  drawings: drawings.length, font: font("svg text") === font("body"), closed: !document.querySelector("details[open]"),
}), "*");
</script></body>"""
FRAME = """<!DOCTYPE html><body><iframe src="page.html" style="border: 0; width: {width}px; height: 900px"></iframe>
<script>onmessage = event => {{ document.body.dataset.measured = event.data; }};</script></body>"""
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
OPTIONS += ["--disable-background-networking", "--disable-component-update", "--virtual-time-budget=3000", "--dump-dom"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to open the page in")
@pytest.mark.parametrize(("width", "drawn"), [(360, "narrow"), (1280, "wide")])
@pytest.mark.parametrize("kind", ["judged", "hostile"])
def test_a_browser_shows_it_without_scrolling_sideways(width, drawn, kind, pages, tmp_path):
    """The page runs no script, so a copy of it without its policy measures itself, in a frame that is so wide."""
    copy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", pages[kind]).replace("</body>", MEASURE)
    (tmp_path / "page.html").write_text(copy, encoding="utf-8")
    (tmp_path / "frame.html").write_text(FRAME.format(width=width), encoding="utf-8")
    place = [f"--user-data-dir={tmp_path / 'profile'}", f"file://{tmp_path / 'frame.html'}"]
    done = subprocess.run([CHROMIUM, *OPTIONS, *place], capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(html.unescape(re.search(r'data-measured="([^"]*)"', done.stdout)[1]))
    assert found["window"] == width
    assert found["page"] <= width
    assert found[drawn] > 300
    assert found["wide"] * found["narrow"] == 0, "one of the two is shown"
    assert found["drawings"] - found["shown"] == 2
    assert found["shown"] > 10
    assert found["font"]
    assert found["closed"]
