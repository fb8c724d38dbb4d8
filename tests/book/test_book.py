"""The built book in a browser: every page loads by itself, shows its figures and mathematics, and
asks nothing of the network.

Without Chromium or playwright these tests are skipped, but fail where CI=true.
"""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from opened_book import CUT_OFF, IDLE, ROOT, Visit, pages

WIDTH = 1280  # of a small desk
# what a page shows, counted and read where it is open
LOOK = """() => {
  const all = (what) => [...document.querySelectorAll(what)];
  return {
    heading: document.querySelector("article h1").checkVisibility(),
    images: all("article img").map(i => [i.src, i.naturalWidth * i.naturalHeight, i.alt]),
    drawn: all("article .cell_output :is(img, .switched > svg)").length,
    tables: all("article :is(.wide-table td, .made-of)").length,
    text: document.querySelector("article").innerText,
    prose: all("article p").map(p => p.innerText).join(" "),
    formulas: all("article .math").length,
    typeset: all("article .math mjx-container svg").length,
    faulty: all("article [data-mml-node=merror]").length,
    anchors: all("[id]").map(e => e.id),
    links: all("a[href]").map(e => e.href),
    wide: document.documentElement.scrollWidth,
  };
}"""


@pytest.fixture(scope="module")
def look(browser, book):
    """A function of a page's name: what the page shows, asked for and complained about. Each is
    opened once."""
    found = {}
    with Visit(browser, book / "index.html", viewport={"width": WIDTH, "height": 844}) as visit:

        def seen(name: str) -> dict:
            if name not in found:
                visit.go(book / f"{name}.html")
                shown = visit.page.evaluate(LOOK)
                cut_off = visit.page.evaluate(CUT_OFF)
                visit.page.evaluate(IDLE)
                found[name] = {
                    **shown,
                    "cut_off": cut_off,
                    "requests": visit.requests,
                    "errors": visit.errors,
                }
            return found[name]

        yield seen


@pytest.mark.parametrize("name", pages())
def test_page_loads_by_itself(look, name):
    seen = look(name)
    assert seen["heading"]
    outside = [url for url in seen["requests"] if not url.startswith(("file:", "data:", "blob:"))]
    assert outside == []
    assert seen["errors"] == []


@pytest.mark.parametrize("name", pages())
def test_figures_are_there_and_described(look, name):
    for source, size, alt in look(name)["images"]:
        assert size > 1000, f"{source} is empty"
        assert len(alt) > 20, f"{source} has no description"
        assert not alt.startswith(("_images", "../"))


def test_figures_are_numbered_through_the_book_and_referred_to(book):
    numbers = []
    for name in pages():
        html = (book / f"{name}.html").read_text(encoding="utf-8")
        labels = re.findall(r'<figure class="[^"]*" id="(fig-[^"]+)">', html)
        shown = re.findall(r'<span class="caption-number">Figure (\d+)', html)
        assert len(shown) == len(labels) == len(set(labels)), name
        for label, number in zip(labels, shown, strict=True):
            link = rf'href="#{label}"><span class="std std-numref">Figure {number}</span>'
            assert re.search(link, html), f"{name} does not speak of figure {number}, {label}"
        numbers += map(int, shown)
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(("name", "least"), [("idea", 1), ("method", 3), ("crowds", 3)])
def test_figures_that_need_no_record(look, name, least):
    assert look(name)["drawn"] >= least


def test_figures_and_tables_of_the_records(look):
    least = {"index": 2, "on-a-line": 2, "crowded-scenes": 2, "heatmap-widths": 1, "failures": 1,
             "knobs": 2, "grouping": 1, "your-run": 3}  # fmt: skip
    for name, figures in least.items():
        assert look(name)["drawn"] >= figures
        assert look(name)["tables"] > 0
        assert "No run yet" not in look(name)["text"]


@pytest.mark.parametrize("name", ["idea", "method", "crowded-scenes", "on-a-line"])
def test_mathematics_is_typeset(look, name):
    seen = look(name)
    assert seen["typeset"] >= seen["formulas"] > 0
    assert seen["faulty"] == 0
    assert not re.search(r"\\\(|\\\[|\$\$", seen["prose"])


def test_links_and_anchors_resolve(look, book):
    anchors = {book / f"{name}.html": set(look(name)["anchors"]) for name in pages()}
    links = {link for name in pages() for link in look(name)["links"]}
    for link in {link for link in links if link.startswith("file:")}:
        parts = urlsplit(link)
        path = Path(unquote(parts.path))
        assert path.exists(), f"{link}: no such file"
        if parts.fragment and path in anchors:
            assert unquote(parts.fragment) in anchors[path], f"{link}: no such anchor"


@pytest.mark.parametrize("name", pages())
def test_nothing_is_cut_off_and_pages_do_not_scroll_sideways(look, name):
    """On a desk; on a phone: test_book_for_all.py."""
    assert look(name)["wide"] <= WIDTH
    assert look(name)["cut_off"] == []


def test_search_finds_the_group_margin(browser, book):
    with Visit(browser, book / "search.html", "?q=group+margin") as visit:
        visit.page.wait_for_selector("#search-results li a")
        found = visit.page.locator("#search-results li a").all_inner_texts()
    assert any("roup margin" in title for title in found[:3])


def test_the_book_is_light(book):
    size = sum(path.stat().st_size for path in book.rglob("*") if path.is_file())
    assert size <= 40e6, f"{size / 1e6:.1f} MB"
    heavy = {path.name: path.stat().st_size for path in book.glob("*.html")}
    assert max(heavy.values()) < 1.5e6, max(heavy, key=heavy.get)


def test_pages_name_nothing_of_the_machine(book):
    for name in pages():
        text = (book / f"{name}.html").read_text(encoding="utf-8")
        assert str(ROOT) not in text, name
        if not name.startswith("api"):  # whose examples show errors; they have no cells
            assert "Traceback" not in text, name
