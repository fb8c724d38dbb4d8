"""The built book in a browser: every page loads by itself, shows its figures and mathematics, and
asks nothing of the network.

Without Chromium or playwright these tests are skipped, but fail where CI=true.
"""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from opened_book import ROOT, Visit, pages


@pytest.mark.parametrize("name", pages())
def test_page_loads_by_itself(browser, book, name):
    with Visit(browser, book / f"{name}.html") as visit:
        visit.page.wait_for_function("window.MathJax?.startup?.promise || !window.MathJax")
        visit.page.wait_for_timeout(300)
        assert visit.page.locator("article h1").first.is_visible()
        outside = [url for url in visit.requests if not url.startswith(("file:", "data:", "blob:"))]
        assert outside == []
        assert visit.errors == []


@pytest.mark.parametrize("name", pages())
def test_figures_are_there_and_described(browser, book, name):
    with Visit(browser, book / f"{name}.html") as visit:
        images = visit.page.locator("article img").evaluate_all(
            "all => all.map(i => [i.src, i.naturalWidth * i.naturalHeight, i.alt])"
        )
    for source, size, alt in images:
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
def test_figures_that_need_no_record(browser, book, name, least):
    with Visit(browser, book / f"{name}.html") as visit:
        assert visit.page.locator("article .cell_output img").count() >= least


def test_figures_and_tables_of_the_records(browser, book):
    least = {"index": 2, "on-a-line": 2, "crowded-scenes": 2, "heatmap-widths": 1, "failures": 1,
             "knobs": 2, "grouping": 1, "your-run": 3}  # fmt: skip
    for name, figures in least.items():
        with Visit(browser, book / f"{name}.html") as visit:
            drawn = visit.page.locator("article .cell_output :is(img, .switched > svg)")
            assert drawn.count() >= figures
            assert visit.page.locator("article :is(.wide-table td, .made-of)").count() > 0
            assert "No run yet" not in visit.page.locator("article").inner_text()


@pytest.mark.parametrize("name", ["idea", "method", "crowded-scenes", "on-a-line"])
def test_mathematics_is_typeset(browser, book, name):
    with Visit(browser, book / f"{name}.html") as visit:
        visit.page.wait_for_selector("mjx-container svg")
        wanted = visit.page.locator("article .math").count()
        assert wanted > 0
        assert visit.page.locator("article .math mjx-container svg").count() >= wanted
        assert visit.page.locator("article [data-mml-node=merror]").count() == 0
        prose = visit.page.evaluate(
            "[...document.querySelectorAll('article p')].map(p => p.innerText).join(' ')"
        )
        assert not re.search(r"\\\(|\\\[|\$\$", prose)


def test_links_and_anchors_resolve(browser, book):
    anchors, links = {}, []
    for name in pages():
        with Visit(browser, book / f"{name}.html") as visit:
            path = book / f"{name}.html"
            anchors[path] = set(visit.page.locator("[id]").evaluate_all("a => a.map(e => e.id)"))
            links += visit.page.locator("a[href]").evaluate_all("a => a.map(e => e.href)")
    for link in {link for link in links if link.startswith("file:")}:
        parts = urlsplit(link)
        path = Path(unquote(parts.path))
        assert path.exists(), f"{link}: no such file"
        if parts.fragment and path in anchors:
            assert unquote(parts.fragment) in anchors[path], f"{link}: no such anchor"


def test_search_finds_the_group_margin(browser, book):
    with Visit(browser, book / "search.html", "?q=group+margin") as visit:
        visit.page.wait_for_selector("#search-results li a")
        found = visit.page.locator("#search-results li a").all_inner_texts()
    assert any("roup margin" in title for title in found[:3])


# tables and code that do not fit, and do not scroll inside a frame whose edge is seen
CUT_OFF = """() => [...document.querySelectorAll(".wide-table, .bd-article pre")]
.filter(element => {
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  if (box.right > innerWidth + 1) return !element.closest(".cell_output, .wide-table");
  if (element.scrollWidth <= element.clientWidth + 1) return false;
  return !["auto", "scroll"].includes(style.overflowX) || style.boxShadow === "none";
}).map(element => element.innerText.slice(0, 60))"""


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light")])
def test_nothing_is_cut_off_and_pages_do_not_scroll_sideways(browser, book, width, scheme):
    screen = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
    for name in pages():
        with Visit(browser, book / f"{name}.html", **screen) as visit:
            wide = visit.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} px wide"
            assert visit.page.evaluate(CUT_OFF) == [], name


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
