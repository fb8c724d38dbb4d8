"""What can be played with in the book shows what its data say, by mouse and by keyboard."""

import json
import math
import re

import pytest
from opened_book import WIDTHS, Visit

WIDE = 100  # of the explorer's panels, in their own units
TURN, TILT, STEP = 0.6, 0.4, 0.15  # of the explorer's cloud at the start, and a key's step


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
        assert visit.errors == []


def dots(panel) -> list[tuple[float, float]]:
    """Where the joints of one of the explorer's panels are drawn."""
    return panel.locator(".explorer-point").evaluate_all(
        "all => all.map(dot => [+dot.getAttribute('cx'), +dot.getAttribute('cy')])"
    )


def lit(panel) -> list[int]:
    """Which joints of a panel are lit."""
    found = panel.locator(".explorer-dot").evaluate_all(
        "all => all.map((dot, i) => dot.classList.contains('lit') ? i : -1)"
    )
    return [index for index in found if index >= 0]


def projected(points, turn=None, tilt=TILT) -> list[tuple[float, float]]:
    """Where embeddings on three components belong: on the first two, or turned and tilted."""
    reach = 1.1 * max(abs(value) for point in points for value in point)
    places = []
    for x, y, z in points:
        if turn is not None:
            x, deep = (x * math.cos(turn) + z * math.sin(turn),
                       z * math.cos(turn) - x * math.sin(turn))  # fmt: skip
            y = y * math.cos(tilt) - deep * math.sin(tilt)
        places.append((WIDE / 2 * (1 + x / reach), WIDE / 2 * (1 - y / reach)))
    return places


def near(found, wanted) -> bool:
    """Whether places are the same, to the digits that a page keeps."""
    return len(found) == len(wanted) and all(
        one == pytest.approx(two, abs=1e-3) for one, two in zip(found, wanted, strict=True)
    )


@pytest.fixture(scope="module", params=WIDTHS)
def window(browser, book, request):
    """A window, in which one page after the other is opened."""
    viewport = {"width": request.param, "height": 900}
    with Visit(browser, book / "grouping.html", viewport=viewport) as visit:
        yield visit


@pytest.fixture
def visit(window, book, request):
    """The page `grouping`, or that which the test names, opened anew."""
    window.go(book / f"{getattr(request, 'param', 'grouping')}.html")
    yield window
    assert window.errors == []


@pytest.fixture
def explorer(visit):
    """The explorer: its page, its data, the scene's panel and the embeddings' panel."""
    page = visit.page
    data = json.loads(page.locator("#explorer-data").inner_text())
    panels = [page.locator(f"#explorer svg.explorer-{n}").first for n in ("scene", "plot")]
    return page, data, *panels


def test_the_explorer_shows_the_scene_and_method_that_are_chosen(explorer):
    page, data, scene_panel, plot = explorer
    told = page.locator("#explorer .explorer-told")
    for index, method in ((3, "ae8"), (5, "rve"), (5, "ae8_scale")):
        page.locator("#explorer-method").select_option(method)
        page.locator("#explorer-scene").select_option(str(index))
        scene = data["scenes"][index]
        view = scene["views"][method]
        right = view["steps"][data["used"]]["right"]
        share = f"{view['share']:g} % of the variance on the first component"
        wrong = f"{right.count('0')} of {len(right)} joints are grouped wrongly and ringed"
        assert told.inner_text().startswith(f"{data['methods'][method]}: {share}; {wrong}.")
        picture = scene_panel.locator("image").get_attribute("href")
        assert picture == f"_static/explorer/{index}.jpg"
        place = WIDE / data["size"]
        assert near(dots(scene_panel), [[(v + 0.5) * place for v in at] for at in scene["at"]])
        assert near(dots(plot), projected(view["points"]))
        for panel in (scene_panel, plot):
            inks = panel.locator(".explorer-point").evaluate_all(
                "all => all.map(dot => dot.getAttribute('fill'))"
            )
            colours = data["colours"]
            assert inks == [colours[person % len(colours)] for person in scene["person"]]
            ringed = panel.locator(".explorer-dot").evaluate_all(
                "all => all.map(dot => dot.querySelector('.explorer-ring') ? '0' : '1')"
            )
            assert "".join(ringed) == right


def test_the_explorer_has_another_method_beside_it(explorer):
    page, data, scene_panel, plot = explorer
    beside = page.locator("#explorer svg.explorer-plot").nth(1)
    page.locator("#explorer-method").select_option("rve")
    for method in ("ae8", "ae8_scale"):
        page.locator("#explorer-beside").select_option(method)
        views = data["scenes"][data["start"]]["views"]
        assert near(dots(plot), projected(views["rve"]["points"]))
        assert near(dots(beside), projected(views[method]["points"]))
        right = views[method]["steps"][data["used"]]["right"]
        assert beside.locator(".explorer-ring").count() == right.count("0")
    beside.focus()
    page.keyboard.press("ArrowRight")
    assert lit(scene_panel) == lit(plot) == lit(beside) == [0]


def test_the_explorer_turns_three_components(explorer):
    page, data, scene_panel, plot = explorer
    page.locator("#explorer-method").select_option("rve")
    view = data["scenes"][data["start"]]["views"]["rve"]
    page.locator("#explorer-space").check()
    assert near(dots(plot), projected(view["points"], TURN))
    plot.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    assert near(dots(plot), projected(view["points"], TURN + STEP, TILT + STEP))
    page.locator("#explorer-space").uncheck()
    assert near(dots(plot), projected(view["points"]))
    page.locator("#explorer-people").check()
    told = page.locator("#explorer .explorer-told")
    for index in (data["start"], 3):
        page.locator("#explorer-scene").select_option(str(index))
        people = data["scenes"][index]["views"]["rve"]["people"]
        limbs = sum(bool(joints[one] and joints[two]) for joints in people
                    for one, two in data["limbs"])  # fmt: skip
        assert scene_panel.locator("line").count() == 2 * limbs  # a white and a coloured one each
        assert f"Drawn: {len(people) or 'no'} decoded person" in told.inner_text()
    assert limbs > 0


def test_the_explorer_ties_joints_to_embeddings(explorer):
    page, data, scene_panel, plot = explorer
    page.locator("#explorer-method").select_option("ae8")
    page.locator("#explorer-scene").select_option("3")
    scene = data["scenes"][3]
    step = scene["views"]["ae8"]["steps"][data["used"]]
    told = page.locator("#explorer .explorer-told")

    def expect(index: int) -> None:
        assert lit(scene_panel) == lit(plot) == [index]
        state = "rightly" if step["right"][index] == "1" else "wrongly"
        name = data["joints"][scene["joint"][index]]
        assert told.inner_text() == (
            f"Person {scene['person'][index] + 1}, {name}: "
            f"{data['methods']['ae8']} has it grouped {state}, "
            f"in group {step['group'][index] + 1} of {step['groups']}."
        )

    for place, panel in enumerate((scene_panel, plot)):
        panel.focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):  # one further than before
            page.keyboard.press(key)
        expect(place)
    last = len(step["right"]) - 1  # drawn above all others, so that the pointer meets it
    for panel in (plot, scene_panel):
        panel.scroll_into_view_if_needed()
        page.mouse.move(0, 0)
        panel.locator(".explorer-point").nth(last).hover(force=True)
        expect(last)
    page.mouse.move(0, 0)
    assert lit(plot) == lit(scene_panel) == []


def test_the_threshold_slider_merges_and_splits(visit):
    page = visit.page
    data = json.loads(page.locator("#explorer-data").inner_text())
    colours, last = data["colours"], len(data["thresholds"]) - 1
    groups = {}
    for scene in (data["start"], 0):
        page.locator("#threshold-scene").select_option(str(scene))
        page.locator("#threshold-at").focus()
        for key, place in (("Home", 0), ("ArrowRight", 1), ("End", last)):
            page.keyboard.press(key)
            shown = page.locator("#threshold-at").get_attribute("aria-valuetext")
            assert float(shown) == pytest.approx(data["thresholds"][place], abs=0.005)
            for method in ("ae8", "rve"):
                step = data["scenes"][scene]["views"][method]["steps"][place]
                persons = len(set(data["scenes"][scene]["person"]))
                text = page.locator(f'#threshold p[data-method="{method}"]').inner_text()
                assert text.startswith(f"{step['groups']} groups for {persons} persons, ")
                assert f"{step['accuracy']:.1f} % of joints right" in text
                panel = page.locator(f'#threshold svg[data-method="{method}"]')
                rings = panel.locator(".explorer-ring").count()
                assert rings == step["right"].count("0")
                inks = panel.locator(".explorer-point").evaluate_all(
                    "all => all.map(dot => dot.getAttribute('fill'))"
                )
                assert inks == [colours[group % len(colours)] for group in step["group"]]
                assert len(set(step["group"])) == step["groups"]
                groups[scene, method, place] = step["groups"]
    assert groups[data["start"], "rve", 0] > groups[data["start"], "rve", last]


@pytest.mark.parametrize("visit", ["knobs"], indirect=True)
def test_turned_knobs_show_the_numbers_of_the_table(visit):
    page, seen = visit.page, set()
    data = json.loads(page.locator("#result-data").inner_text())
    page.locator("#result-knobs details:not(.made-of) summary").click()
    cells = page.locator("#result-knobs table tbody tr").evaluate_all(
        "all => all.map(row => [...row.querySelectorAll('td')].map(cell => cell.innerText))"
    )
    row = 0
    for name, knob in data["knobs"].items():
        section = page.locator(f'#result-knobs [data-knob="{name}"]')
        page.locator(f"#result-{name}").focus()
        page.keyboard.press("Home")
        for place, value in enumerate(knob["values"]):
            levels = section.locator(".result-knob-value").all_inner_texts()
            assert [level.split()[0] for level in levels] == cells[row][: len(levels)]
            told = section.locator(".result-knob-told").inner_text()
            assert told.startswith(f"At {value:g}, ")
            assert all(gain in told for gain in cells[row][len(levels) :])
            shown = page.locator(f"#result-{name}").get_attribute("aria-valuetext")
            assert float(shown) == value
            image = section.locator("img")
            page.wait_for_function("i => i.complete && i.naturalWidth > 0",
                                   arg=image.element_handle())  # fmt: skip
            assert image.get_attribute("src") == f"_static/turned/{name}-{place}.jpg"
            assert image.get_attribute("alt").endswith(knob["told"][place])
            at = [float(v) for v in section.locator("circle").evaluate_all(
                "all => all.map(dot => dot.getAttribute('cx'))")]  # fmt: skip
            found = [knob["levels"][method][place][0] for method in data["methods"]]
            assert sorted(at) == [at[found.index(v)] for v in sorted(found)]
            seen.add((name, tuple(levels)))
            page.keyboard.press("ArrowRight")
            row += 1
    assert row == len(cells) == len(seen)


@pytest.mark.parametrize(("name", "count"), [("knobs", 2), ("crowded-scenes", 1)])
def test_a_methods_lines_are_switched_off_and_on(browser, book, name, count):
    with Visit(browser, book / f"{name}.html", java_script_enabled=False) as visit:
        figures = visit.page.locator(".switched")
        assert figures.count() == count
        for figure in figures.all():
            boxes = figure.locator("input")
            methods = boxes.evaluate_all("all => all.map(box => box.value)")
            assert len(methods) > 1
            lines = {method: figure.locator(f'svg [data-method="{method}"]') for method in methods}
            shown = {method: [line.is_visible() for line in found.all()]
                     for method, found in lines.items()}  # fmt: skip
            assert all(all(found) and len(found) >= 2 for found in shown.values())  # line and band
            boxes.last.focus()
            visit.page.keyboard.press("Space")
            for method, found in lines.items():
                assert {line.is_visible() for line in found.all()} == {method != methods[-1]}
            visit.page.keyboard.press("Space")
            assert all(line.is_visible() for line in lines[methods[-1]].all())
        assert visit.errors == []
