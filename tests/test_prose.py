"""Numbers bound to records: how they are read and rewritten, and that those of the book are true."""

import json
import os
from pathlib import Path

import nbformat
import pytest

from tools import prose

RESULTS = Path(__file__).parents[1] / "results"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for seed, accuracy in enumerate((41.0, 42.5)):
        record = {"results": {"test": {"overall": accuracy, "exp-0.01": [1, 2]}}}
        (tmp_path / f"run-s{seed}.json").write_text(json.dumps(record))
    (tmp_path / "table.csv").write_text(
        "procedure,target,accuracy,change\nP0,balance,52,-0.04\nP1,exp-0.01,42.37,47.9\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("run-s0.json results/test/overall .1f", "41.0"),
        ("mean run-s*.json results/test/overall .2f", "41.75"),
        ("sd run-s*.json results/test/overall .2f", "1.06"),
        ("count run-s*.json results/test/overall d", "2"),
        ("run-s1.json results/test/exp-0.01/1 d", "2"),
        ("table.csv P1,exp-0.01/accuracy .1f", "42.4"),
        ("table.csv P0/accuracy +.0f", "+52"),
        ("table.csv P1,exp-0.01/change d", "48"),
        ("table.csv P0/change .1f", "0.0"),
        ("table.csv P0/change .2f", "−0.04"),
        ("table.csv P1,exp-0.01/change ,.1f", "47.9"),
    ],
)
def test_reads(results: Path, source: str, shown: str) -> None:
    assert prose.number(source, results) == shown


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("run-s7.json results/test/overall .1f", "holds no run-s7.json"),
        ("run-s0.json results/test/tail .1f", "no number at results/test/tail"),
        ("run-s*.json results/test/overall .1f", "need one of mean"),
        ("mode run-s*.json results/test/overall .1f", "need one of mean"),
        ("table.csv P3/accuracy .1f", "no number at P3/accuracy"),
    ],
)
def test_says_what_is_missing(results: Path, source: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        prose.number(source, results)


def test_rewrites_a_notebook_and_leaves_the_rest(results: Path, tmp_path: Path) -> None:
    text = "P1 reaches 12.3<!-- run-s1.json results/test/overall .1f --> % in 2 runs."
    cells = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell("x = 12.3")]
    page = tmp_path / "page.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), page)
    assert [entry[:2] for entry in prose.bound(text, results)] == [("12.3", "42.5")]
    prose.rewrite(page, results)
    assert prose.prose(page) == [text.replace("12.3", "42.5")]
    assert nbformat.read(page, as_version=4).cells[1].source == "x = 12.3"


@pytest.fixture
def page(results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only document of a project of its own, with one number that is out of date."""
    (results / "results").mkdir()
    (results / "run-s1.json").rename(results / "results" / "run-s1.json")
    page = results / "README.md"
    page.write_text("P1 reaches 12.3<!-- run-s1.json results/test/overall .1f --> %.")
    monkeypatch.setattr(prose, "ROOT", results)
    return page


def test_a_misspelt_option_rewrites_nothing(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = page.read_text()
    for words, status in ((["--chek"], 2), (["README.md"], 2)):
        monkeypatch.setattr("sys.argv", ["prose.py", *words])
        with pytest.raises(SystemExit) as ended:
            prose.main()
        assert ended.value.code == status and page.read_text() == before
    monkeypatch.setattr("sys.argv", ["prose.py", "--check"])
    assert prose.main() == 1 and page.read_text() == before
    assert "README.md: 12.3 should be 42.5" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["prose.py"])
    assert prose.main() == 0 and "42.5<!--" in page.read_text()


@pytest.mark.parametrize("option", [[], ["--check"]], ids=["rewrite", "check"])
@pytest.mark.parametrize("before", ["in one", "in 12.3 ", "in 12.3\n", ""], ids=["word", "blank", "line", "nothing"])
def test_a_comment_that_binds_no_number_is_named(
    page: Path, before: str, option: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page.write_text(f"7 <!-- a remark on run.json -->\n{before}<!-- mean nowhere-*.json results/test .1f --> run")
    whole = page.read_text()
    monkeypatch.setattr("sys.argv", ["prose.py", *option])
    assert prose.main() == 1 and page.read_text() == whole
    last = before.rpartition("\n")[2]
    said = f"README.md: '{last}<!-- mean nowhere-*.json results/test .1f -->' binds no number: write one right before"
    assert capsys.readouterr().err.startswith(said)


def test_a_page_is_rewritten_whole_or_not_at_all(page: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError("No space left on device")

    before, beside = page.read_text(), sorted(results.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        prose.rewrite(page, results / "results")
    assert page.read_text() == before and sorted(results.iterdir()) == beside


@pytest.mark.parametrize("page", prose.documents(), ids=lambda path: path.name)
def test_the_book_says_what_the_records_hold(page: Path) -> None:
    for text in prose.prose(page):
        assert [entry for entry in prose.bound(text, RESULTS) if entry[0] != entry[1]] == []
        assert list(prose.loose(text)) == []


@pytest.mark.parametrize("path", sorted((prose.ROOT / "book").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_page_shows_a_warning(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    shown = [output.text for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    assert not shown
