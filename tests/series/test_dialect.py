"""How a CSV is written is found out: the same table comes out, whatever its writing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import threading
import zipfile

import pytest

from cnnlstm_cli.errors import DataError, InputError
from cnnlstm_cli.series.dialect import Source, find_dialect
from cnnlstm_cli.series.sheet import CsvReader

PLAIN = "date,load,temp\n" + "".join(f"2024-01-{day:02d},{day + 0.5},{day / 8}\n" for day in range(1, 29))
COMMA = PLAIN.replace(",", ";").replace(".", ",")


def zipped(data: bytes, *names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(PLAIN.encode(), id="plain"),
        pytest.param(PLAIN.replace(",", ";").encode(), id="semicolon"),
        pytest.param(PLAIN.replace(",", "\t").encode(), id="tab"),
        pytest.param(PLAIN.replace(",", "|").encode(), id="bar"),
        pytest.param(COMMA.encode(), id="decimal comma"),
        pytest.param(COMMA.replace(";", "\t").encode(), id="decimal comma and tab"),
        pytest.param(PLAIN.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + PLAIN.encode(), id="BOM"),
        pytest.param(PLAIN.encode("utf-16"), id="UTF-16"),
        pytest.param(PLAIN.strip().encode(), id="no final newline"),
        pytest.param(("\n\n" + PLAIN).encode(), id="blank lines first"),
        pytest.param(PLAIN.replace(",", ", ").encode(), id="blanks after the delimiter"),
        pytest.param(PLAIN.replace("\n", ",\n").encode(), id="a delimiter at the end of every line"),
        pytest.param(
            "\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in PLAIN.split()).encode(), id="quotes"
        ),
        pytest.param(gzip.compress(PLAIN.encode()), id="gzip"),
        pytest.param(bz2.compress(PLAIN.encode()), id="bzip2"),
        pytest.param(lzma.compress(PLAIN.encode()), id="xz"),
        pytest.param(zipped(PLAIN.encode(), "data.csv"), id="zip"),
    ],
)
def test_one_table_in_many_writings(write, content):
    frame = CsvReader.open(Source(write(content))).read(["date"]).frame
    assert list(frame.columns) == ["date", "load", "temp"]
    assert frame["date"].tolist() == [f"2024-01-{day:02d}" for day in range(1, 29)]
    assert frame["load"].tolist() == [day + 0.5 for day in range(1, 29)]
    assert frame["temp"].tolist() == [day / 8 for day in range(1, 29)]


def test_a_single_column_with_decimal_commas(write):
    frame = CsvReader.open(Source(write("y\n1,5\n2,25\n"))).read().frame
    assert frame["y"].tolist() == [1.5, 2.25]


def test_a_quoted_cell_may_hold_delimiters_quotes_and_newlines(write):
    sheet = CsvReader.open(Source(write('y,note\n1,"a, ""b""\nc"\n2,d\nx,e\n'))).read()
    assert sheet.frame["note"].tolist() == ['a, "b"\nc', "d", "e"]
    assert sheet.place(2).endswith("line 5")


def test_windows_code_page_is_read_and_said(write):
    dialect = find_dialect(Source(write("größe\n1\n".encode("cp1252"))))
    assert dialect.header == ("größe",)
    assert dialect.unusual() == "encoding cp1252"


def test_the_usual_writing_is_not_worth_a_word(write):
    assert find_dialect(Source(write(PLAIN))).unusual() is None


def test_a_semicolon_and_a_decimal_comma_are_said(write):
    assert find_dialect(Source(write(COMMA))).unusual() == "delimiter semicolon, decimal comma"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param(" \n\n", "is empty", id="blank"),
        pytest.param("a,b\n", "header line and no rows", id="header only"),
        pytest.param("a,b,a\n1,2,3\n", r"2 columns are named 'a' \(columns 1, 3\)", id="two columns of one name"),
        pytest.param("1.5,2.5\n2.5,3.5\n", "values, not column names", id="no header"),
        pytest.param("a,b\n1,2\n3,4,5\n", "line 3: 3 cells under a header of 2", id="a long row"),
        pytest.param("a,b\n1,2,9\n3,4,8\n", "line 2: 3 cells under a header of 2", id="only long rows"),
        pytest.param('a,b\n1,2\n3,"4\n5,6\n', "line 3: a quote is opened and never closed", id="unclosed quote"),
        pytest.param("a,b\n1,\0\n", "NUL bytes", id="NUL"),
        pytest.param(gzip.compress(PLAIN.encode() * 9)[:60], "damaged gzip file", id="cut gzip"),
        pytest.param(zipped(b"a\n1\n", "a.csv", "b.csv"), "holds 2 files", id="zip of two files"),
    ],
)
def test_what_is_no_table_is_refused_in_words(write, content, words):
    with pytest.raises(DataError, match=words):
        CsvReader.open(Source(write(content))).read()


def test_a_header_of_0_1_2_is_one(write):
    """pandas writes it for columns without names; exchange rates are published so."""
    assert find_dialect(Source(write("0,1,2\n0.5,1.5,2.5\n"))).header == ("0", "1", "2")


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        Source(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a directory"):
        Source(tmp_path)


def test_the_fingerprint_is_of_the_bytes(write):
    first = Source(write(PLAIN)).fingerprint()
    assert first == Source(write(PLAIN, "again.csv")).fingerprint()
    assert first != Source(write(PLAIN + "\n", "other.csv")).fingerprint()


def test_a_pipe_is_read_once_and_kept(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text(PLAIN))
    writer.start()
    source = Source(tmp_path / "pipe")
    writer.join()
    assert len(CsvReader.open(source).read().frame) == 28
