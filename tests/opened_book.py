"""The built book in a browser: its pages, and a page that was opened."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "_build" / "html"
SOURCES = ("book/**/*", "_config.yml", "_toc.yml", "sparse_ae/**/*.py", "data/*.md", "data/*.json",
           "data/published/*.csv", "experiments/results/*/*/*.json",
           "experiments/results/*/summary/*.csv")  # fmt: skip
NOT_SHOWN = ROOT / "experiments" / "results" / "smoke"  # but by PRESET=smoke; tests write there
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update",
         "--no-first-run", "--disable-sync", "--metrics-recording-only")  # fmt: skip
WIDTHS = (390, 1440)
TYPESET = "window.MathJax?.startup?.promise || !window.MathJax"
# tables and code that do not fit, and do not scroll inside a frame whose edge is seen
CUT_OFF = """() => [...document.querySelectorAll(".wide-table, .bd-article pre")]
.filter(element => {
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  if (box.right > innerWidth + 1) return !element.closest(".cell_output, .wide-table");
  if (element.scrollWidth <= element.clientWidth + 1) return false;
  return !["auto", "scroll"].includes(style.overflowX) || style.boxShadow === "none";
}).map(element => element.innerText.slice(0, 60))"""
IDLE = "new Promise(done => requestIdleCallback(done))"


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


def find_chromium() -> str:
    """The path of Chromium, as the system has it."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        missing("chromium")
    return found


def built_book(temporary) -> Path:
    """The folder of the built pages: `_build/html` where it is newer than all that it is made of,
    else built into the folder that `temporary()` makes."""
    made_of = [p for pattern in SOURCES for p in ROOT.glob(pattern)
               if p.is_file() and NOT_SHOWN not in p.parents]  # fmt: skip
    index = BUILT / "index.html"
    if index.exists() and index.stat().st_mtime > max(p.stat().st_mtime for p in made_of):
        return BUILT
    folder = temporary()
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
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.go(path, query)

    def go(self, path: Path, query: str = ""):
        """Turn to another page, which takes half as long as a window of its own."""
        self.requests, self.errors = [], []
        self.page.goto(path.as_uri() + query, wait_until="load")
        self.page.wait_for_function(TYPESET)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()
