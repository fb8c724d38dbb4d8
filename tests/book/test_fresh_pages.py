"""Pages show records, so that a build must read every page anew, changed or not."""

import sys
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).resolve().parents[2] / "book" / "_ext"


@pytest.mark.slow
@pytest.mark.parametrize(("extensions", "again"), [(["fresh_pages"], ["index"]), ([], [])])
def test_a_second_build_reads_the_pages_again(tmp_path, monkeypatch, extensions, again):
    application = pytest.importorskip("sphinx.application", reason="part of the book extra")
    monkeypatch.setattr(sys, "path", [str(EXTENSIONS), *sys.path])
    (tmp_path / "index.rst").write_text("A page\n======\n")
    (tmp_path / "conf.py").write_text(f"extensions = {extensions}\n")
    read = []
    for _ in range(2):
        app = application.Sphinx(
            tmp_path, tmp_path, tmp_path / "out", tmp_path / "trees", "html", status=None
        )
        app.connect("source-read", lambda _app, name, _text: read.append(name))
        app.build()
    assert read == ["index", *again]


def test_the_book_reads_and_runs_every_page_at_every_build():
    """Without either a page would go on showing records that are no longer there."""
    yaml = pytest.importorskip("yaml")
    config = yaml.safe_load((EXTENSIONS.parents[1] / "_config.yml").read_text(encoding="utf-8"))
    assert config["execute"]["execute_notebooks"] == "force"
    assert config["sphinx"]["local_extensions"]["fresh_pages"] == "book/_ext"
