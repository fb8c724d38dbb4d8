"""The built book in a browser: every page loads by itself, shows its figures and mathematics, and
asks nothing of the network.

Uses `_build/html` where it is newer than all that it is made of, and builds into a temporary folder
otherwise. Without Chromium or playwright these tests are skipped, but fail where CI=true.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "_build" / "html"
SOURCES = ("book/**/*", "_config.yml", "_toc.yml", "sparse_ae/**/*.py", "data/*.md", "data/*.json",
           "data/published/*.csv", "experiments/results/*/*/*.json",
           "experiments/results/*/summary/*.csv")  # fmt: skip
HARMLESS = "THEBE_JS_URL"  # Jupyter Book's own script misses a setting that launch buttons need
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update",
         "--no-first-run", "--disable-sync", "--metrics-recording-only")  # fmt: skip


def pages() -> list[str]:
    """The pages of the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(page["file"] for part in toc["parts"] for page in part["chapters"])]


def missing(what: str) -> None:
    """Skip because something is not installed; fail where everything has to be."""
    message = f"{what} was not found: the book is not opened in a browser"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def browser():
    """Chromium, as the system has it."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright (dev extra)")
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        missing("chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def book(browser, tmp_path_factory) -> Path:  # noqa: ARG001  (no browser, no need to build)
    """The folder of the built pages."""
    made_of = [p for pattern in SOURCES for p in ROOT.glob(pattern) if p.is_file()]
    index = BUILT / "index.html"
    if index.exists() and index.stat().st_mtime > max(p.stat().st_mtime for p in made_of):
        return BUILT
    folder = tmp_path_factory.mktemp("book")
    builder = Path(sys.executable).with_name("jupyter-book")
    command = [builder, "build", "book/", "--path-output", folder, "-W", "-n", "--keep-going"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, "\n".join((run.stdout + run.stderr).splitlines()[-40:])
    return folder / "_build" / "html"


class Visit:
    """A page that was opened: the page, what it asked for, what it complained about."""

    def __init__(self, browser, path: Path, query: str = "", **settings):
        self.context = browser.new_context(**settings)
        self.page = self.context.new_page()
        self.requests, self.errors = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.goto(path.as_uri() + query, wait_until="load")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


@pytest.mark.parametrize("name", pages())
def test_page_loads_by_itself(browser, book, name):
    with Visit(browser, book / f"{name}.html") as visit:
        visit.page.wait_for_function("window.MathJax?.startup?.promise || !window.MathJax")
        visit.page.wait_for_timeout(300)
        assert visit.page.locator("article h1").first.is_visible()
        outside = [url for url in visit.requests if not url.startswith(("file:", "data:", "blob:"))]
        assert outside == []
        assert [error for error in visit.errors if HARMLESS not in error] == []


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


@pytest.mark.parametrize(("name", "least"), [("idea", 1), ("scale-as-an-anchor", 2), ("heatmaps", 3), ("crowds", 3)])
def test_figures_that_need_no_record(browser, book, name, least):
    with Visit(browser, book / f"{name}.html") as visit:
        assert visit.page.locator("article .cell_output img").count() >= least


def test_figures_and_tables_of_the_records(browser, book):
    for name, figures in (("index", 1), ("on-a-line", 2), ("group-margin", 2), ("results", 1),
                          ("where-it-breaks", 3), ("grouping", 3), ("your-run", 3)):  # fmt: skip
        with Visit(browser, book / f"{name}.html") as visit:
            assert visit.page.locator("article .cell_output img").count() >= figures
            assert visit.page.locator("article :is(.wide-table td, .made-of)").count() > 0
            assert "No run yet" not in visit.page.locator("article").inner_text()


@pytest.mark.parametrize("name", ["idea", "scale-as-an-anchor", "heatmaps", "on-a-line"])
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
    assert "The group margin" in found[:3]


def test_knobs_show_the_crowd_that_they_say(browser, book):
    with Visit(browser, book / "crowds.html", viewport={"width": 390, "height": 844}) as visit:
        page, shown = visit.page, "document.querySelector('#crowd-knobs img').%s"
        told = page.locator("#crowd-knobs figcaption")
        assert told.inner_text().startswith("5 persons.")
        page.locator("#knob-persons").focus()
        page.keyboard.press("End")
        persons = int(told.inner_text().split()[0])
        assert 15 <= persons <= 20  # now and then nothing is seen of somebody
        assert page.locator("#knob-persons").get_attribute("aria-valuetext") == "20"
        page.locator("#knob-crowding").fill("0")
        index = float(re.search(r"index ([\d.]+\d)", told.inner_text())[1])
        assert index < 0.4
        page.locator("#knob-keypoints").check()
        page.wait_for_function(shown % "complete")
        assert page.evaluate(shown % "naturalWidth") == 256
        assert page.evaluate(shown % "src").endswith("knobs/3010-0-keypoints.jpg")
        assert page.evaluate(shown % "alt").endswith(told.inner_text())
        assert visit.errors == [] or all(HARMLESS in error for error in visit.errors)


@pytest.mark.parametrize("width", [390, 1440])
def test_the_explorer_ties_joints_to_embeddings(browser, book, width):
    with Visit(browser, book / "explore.html", viewport={"width": width, "height": 900}) as visit:
        page = visit.page
        data = json.loads(page.locator("#explorer-data").inner_text())
        page.locator("#explorer-method").select_option("ae8")
        page.locator("#explorer-scene").select_option("3")
        scene, view = data["scenes"][3], data["scenes"][3]["views"]["ae8"]
        right = view["steps"][data["used"]]["right"]
        panels = [page.locator(f"#explorer svg.explorer-{name}") for name in ("scene", "plot")]
        for panel in panels:
            assert panel.locator(".explorer-dot").count() == len(scene["joint"])
            assert panel.locator(".explorer-ring").count() == right.count("0")
        told = page.locator("#explorer .explorer-told")
        assert f"{right.count('0')} of {len(right)} joints are grouped wrongly" in told.inner_text()
        for place, (panel, other) in enumerate((panels, panels[::-1])):
            panel.focus()
            for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):  # one further than before
                page.keyboard.press(key)
            person, name = scene["person"][place] + 1, data["joints"][scene["joint"][place]]
            assert told.inner_text().startswith(f"Person {person}, {name}: grouped ")
            for one in (panel, other):
                lit = one.locator(".explorer-dot").evaluate_all(
                    "all => all.map((dot, i) => dot.classList.contains('lit') ? i : -1)"
                )
                assert [i for i in lit if i >= 0] == [place]
        last = len(right) - 1
        panels[1].locator(".explorer-dot").nth(last).dispatch_event("pointerenter")
        assert panels[0].locator(".explorer-dot").nth(last).get_attribute("class").endswith("lit")
        before = [panel.inner_html() for panel in panels]
        page.locator("#explorer-space").check()
        page.locator("#explorer-people").check()
        assert panels[0].locator("line").count() > 0
        assert panels[1].inner_html() != before[1]
        assert [error for error in visit.errors if HARMLESS not in error] == []


def test_the_threshold_slider_merges_and_splits(browser, book):
    with Visit(browser, book / "explore.html", viewport={"width": 390, "height": 844}) as visit:
        page = visit.page
        data = json.loads(page.locator("#explorer-data").inner_text())
        groups = []
        page.locator("#threshold-at").focus()
        for key, place in (("Home", 0), ("End", len(data["thresholds"]) - 1)):
            page.keyboard.press(key)
            step = data["scenes"][data["start"]]["views"]["rve"]["steps"][place]
            text = page.locator('#threshold p[data-method="rve"]').inner_text()
            assert text.startswith(f"{step['groups']} groups for ")
            assert f"{step['accuracy']:.1f} % of joints right" in text
            shown = page.locator("#threshold-at").get_attribute("aria-valuetext")
            assert float(shown) == pytest.approx(data["thresholds"][place], abs=0.005)
            rings = page.locator('#threshold svg[data-method="rve"] .explorer-ring').count()
            assert rings == step["right"].count("0")
            groups.append(step["groups"])
        assert groups[0] > groups[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_pages_without_sideways_scrolling(browser, book, scheme):
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": scheme}
    for name in pages():
        with Visit(browser, book / f"{name}.html", **phone) as visit:
            width = visit.page.evaluate("document.documentElement.scrollWidth")
            assert width <= 390, f"{name} is {width} px wide"


def test_pages_name_nothing_of_the_machine(book):
    for name in pages():
        text = (book / f"{name}.html").read_text(encoding="utf-8")
        assert str(ROOT) not in text, name
        assert "Traceback" not in text, name
