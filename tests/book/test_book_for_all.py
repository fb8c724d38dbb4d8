"""Every page of the book can be read by everybody: no serious fault that axe-core finds, nothing
that scrolls out of the keyboard's reach, and on paper what belongs there."""

import pytest
from opened_book import WIDTHS, Visit, missing, pages

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def axe():
    """axe-core, which a package brings along."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-playwright-python (dev extra)")
    return Axe()


def asked(name, scheme, width):
    """What axe-core is to look for; None for nothing. Schemes differ in colours alone. The pages
    of the API, where contrast takes long, have the same ones at every width."""
    colours = not name.startswith("api") or width == max(WIDTHS)
    if scheme == "dark":
        rules = {"runOnly": ["color-contrast"]} if colours else None
    else:
        rules = {"rules": {"color-contrast": {"enabled": colours}}}
    return rules and {"resultTypes": ["violations"], **rules}


def serious_faults(browser, book, axe, scheme) -> list[str]:
    """What axe-core finds on all pages, at all widths."""
    found = []
    for name in pages():
        with Visit(browser, book / f"{name}.html", color_scheme=scheme) as visit:
            page = visit.page
            page.wait_for_function("window.MathJax?.startup?.promise || !window.MathJax")
            assert page.evaluate("document.documentElement.dataset.theme") == scheme
            for width in WIDTHS:
                options = asked(name, scheme, width)
                if options is None:
                    continue
                page.set_viewport_size({"width": width, "height": 900})
                page.wait_for_timeout(500)  # the theme waits 0.3 s after a change of width
                for fault in axe.run(page, options=options).response["violations"]:
                    if fault["impact"] in SERIOUS:
                        nodes = [node["html"][:120] for node in fault["nodes"][:3]]
                        told = f"{name}, {width} px: {fault['id']}, {len(fault['nodes'])} × {nodes}"
                        found.append(told)
    return found


def test_no_page_has_a_serious_accessibility_fault(browser, book, axe):
    assert serious_faults(browser, book, axe, "light") == []


def test_what_scrolls_sideways_is_reached_by_the_keyboard(browser, book):
    phone = {"viewport": {"width": 390, "height": 844}}
    with Visit(browser, book / "crowded-scenes.html", **phone) as visit:
        visit.page.wait_for_selector(".wide-table[tabindex='0']")
        table = visit.page.locator(".wide-table[tabindex='0']").first
        table.focus()
        visit.page.keyboard.press("ArrowRight")
        visit.page.wait_for_function("table => table.scrollLeft > 0", arg=table.element_handle())


def test_paper_shows_pages_without_what_needs_a_hand(browser, book):
    with Visit(browser, book / "grouping.html", viewport={"width": 800, "height": 1100}) as visit:
        controls = visit.page.locator(".explorer-set, .bd-sidebar-primary")
        assert controls.first.count() == 1
        visit.page.emulate_media(media="print")
        assert [one.is_visible() for one in controls.all()] == [False] * controls.count()
        assert visit.page.locator("#explorer svg.explorer-scene").is_visible()
        assert visit.page.locator("h1:visible").count() == 1  # the theme's own, for paper
