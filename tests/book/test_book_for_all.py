"""Every page of the book can be read by everybody: nothing is cut off on a phone, no serious
fault that axe-core finds in the light or in the dark, nothing that scrolls out of the keyboard's
reach, and on paper what belongs there."""

import pytest
from opened_book import CUT_OFF, WIDTHS, Visit, missing, pages

SERIOUS = ("serious", "critical")
PHONE, DESK = WIDTHS
# until the theme has seen to a change of width, for which it waits 300 ms
SETTLED = "new Promise(done => requestAnimationFrame(() => setTimeout(done, 350)))"
# until colours that change little by little, where the scheme is another one, have changed
STILL = """Promise.all(document.getAnimations()
  .filter(one => isFinite(one.effect.getComputedTiming().endTime))
  .map(one => one.finished)).then(() => null)"""


@pytest.fixture(scope="module")
def axe():
    """The script of axe-core, which a package brings along."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-playwright-python (dev extra)")
    return Axe().axe_script


@pytest.fixture(scope="module")
def visit(browser, book):
    """A window, as wide as a phone, in which one page after the other is opened."""
    with Visit(browser, book / "index.html", viewport={"width": PHONE, "height": 900}) as made:
        yield made


def show(page, width: int, scheme: str):
    """The page on a screen of another width, or in another scheme."""
    if page.viewport_size["width"] != width:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(SETTLED)
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
    page.evaluate(STILL)


@pytest.fixture(scope="module", params=pages())
def name(visit, book, request):
    """A page's name; it was opened on a phone in the light."""
    visit.page.set_viewport_size({"width": PHONE, "height": 900})
    visit.page.emulate_media(color_scheme="light")
    visit.go(book / f"{request.param}.html")
    return request.param


def asked(name, width, scheme):
    """What axe-core is to look for. Schemes differ in colours alone, and a phone has those of a
    desk but for the theme's buttons, which are the same on every page. The pages of the API, where
    contrast takes long, have the same ones at every width."""
    if scheme == "dark":
        rules = {"runOnly": ["color-contrast"]}
    else:
        colours = not name.startswith("api") or width == DESK
        rules = {"rules": {"color-contrast": {"enabled": colours}}}
    return {"resultTypes": ["violations"], **rules}


def serious_faults(axe, page, options) -> list[str]:
    """What axe-core finds on a page as it is shown."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(axe)
    found = page.evaluate("options => axe.run(options).then(all => all.violations)", options)
    return [f"{fault['id']}: {[node['html'][:120] for node in fault['nodes'][:3]]}"
            for fault in found if fault["impact"] in SERIOUS]  # fmt: skip


@pytest.mark.usefixtures("name")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_on_a_phone_and_pages_do_not_scroll_sideways(visit, scheme):
    show(visit.page, PHONE, scheme)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE
    assert visit.page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (DESK, "light"), (DESK, "dark")])
def test_no_page_has_a_serious_accessibility_fault(visit, name, axe, width, scheme):
    show(visit.page, width, scheme)
    assert serious_faults(axe, visit.page, asked(name, width, scheme)) == []


def test_the_buttons_of_a_phone_are_seen_in_the_dark(visit, book, axe):
    show(visit.page, PHONE, "dark")
    visit.go(book / "index.html")
    assert visit.page.locator(".header-article-item .primary-toggle").first.is_visible()
    assert serious_faults(axe, visit.page, asked("index", PHONE, "dark")) == []


def test_what_scrolls_sideways_is_reached_by_the_keyboard(visit, book):
    show(visit.page, PHONE, "light")
    visit.go(book / "crowded-scenes.html")
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
