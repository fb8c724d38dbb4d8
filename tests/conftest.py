"""Where the tests find data that is not in the repository."""

import os
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from opened_book import QUIET, built_book, find_chromium, missing
from synthetic import make_record


def pytest_ignore_collect(collection_path, config):
    """The soak takes its time: it is run where it is named, as `make soak` does."""
    asked = any("soak" in str(argument) for argument in config.args)
    return True if collection_path.name == "soak" and not asked else None


def pytest_collection_modifyitems(items):
    """Tests of the built book need a browser, those of workflows other programs."""
    for item in items:
        if {"book", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")
        if "tests/workflow/" in item.path.as_posix():
            item.add_marker("workflow")


DECODE_CASES = [
    *("e05_128_d1", "e05_128_d8", "h30_128_d1", "h30_128_d8", "h30_256_d8", "h45_128_d2"),
    *("m12_256_d1", "m12_256_d8", "m20_512_d8", "m30_512_d1", "none_128_d8", "one_128_d1"),
    "rect_m08_d4",
]


def _folder(variable: str, what: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is not set: {what}")
    if not Path(folder).is_dir():
        pytest.fail(f"{variable}: expected a folder, {folder!r} is none")
    return Path(folder)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of golden data: inputs, and what the peers' own code makes of them."""
    return _folder("SPARSE_AE_GOLDEN", "the peers' outputs to compare with")


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real samples, COCO and CrowdPose in their official layout."""
    return _folder("SPARSE_AE_DATA", "real annotations to compare with")


@pytest.fixture(scope="session", params=DECODE_CASES)
def decode_case(golden, request):
    """The arrays of one decoding case: what the maps are made of, and what the peers find."""
    return np.load(golden / "decode" / f"{request.param}.npz")


@pytest.fixture
def records(monkeypatch):
    """ae8 and rve with seeds 0 (the reader's own) to 3; rve is better by 1, 2, 3, 4 points."""
    monkeypatch.setenv("SPARSE_AE_PRESET", "smoke")  # that of make_record
    return [
        make_record(method, seed, AP=0.5 + 0.1 * seed + (0.01 * (seed + 1)) * (method == "rve"))
        for method in ("ae8", "rve")
        for seed in range(4)
    ]


@pytest.fixture(scope="session")
def browser():
    """Chromium, as the system has it."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright (dev extra)")
    path = find_chromium()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def book(browser, tmp_path_factory) -> Path:  # noqa: ARG001  (no browser, no need to build)
    """The folder of the built pages, which are built once for all processes that test."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # the run's; without workers it would be that of all runs ever
    with FileLock(shared / "book.lock"):
        known = shared / "book.txt"
        if not known.is_file():
            known.write_text(str(built_book(lambda: tmp_path_factory.mktemp("book"))))
        return Path(known.read_text())
