"""Curves: each point is that of its images alone, differences are paired, figures draw them."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from synthetic import make_arrays, make_matches, make_record

from sparse_ae.companion.figures import curves as curve_figures
from sparse_ae.companion.knobs import KNOB_SETTINGS
from sparse_ae.companion.statistics import curves
from sparse_ae.companion.statistics.weighted_ap import average_precision, rank_detections
from sparse_ae.companion.tables.differences import growth_table, knobs_sentence

mpl.use("Agg")
IMAGES, EACH = 120, 6
FEW = {"resamples": 60}


def run_of(method, seed):
    """Arrays in which rve finds everybody where crowding is above 1, and turns of a knob."""
    rng = np.random.default_rng([seed, len(method)])
    crowding = np.linspace(0, 2, IMAGES)
    matches = make_matches(IMAGES)
    if method == "rve":
        second = (matches["match_matched"] == 1) & (np.repeat(crowding, 3) > 1)
        matches["match_matched"][second] = 1023
    setting = np.repeat(np.arange(len(KNOB_SETTINGS)), EACH)
    knobs = make_matches(len(setting))
    better = np.repeat([s.knob == "scale_spread" and s.value > 2 for s in KNOB_SETTINGS], EACH)
    if method == "rve":
        knobs["match_matched"][(knobs["match_matched"] == 1) & np.repeat(better, 3)] = 1023
    return make_arrays(
        IMAGES, crowd_index=crowding, accuracy_at=rng.normal(0.8, 0.01, (IMAGES, 9)),
        **matches, knob_setting=setting, knob_grouping_accuracy=0.5 + 0.1 * better,
        **{f"knob_{name}": values for name, values in knobs.items()},
        step=np.array([20, 40]), line_first_component=np.array([0.9, 1.0]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def arrays():
    return {(m, s): run_of(m, s) for m in ("ae8", "rve") for s in (1, 2)}


def test_a_bin_is_the_average_precision_of_its_images(arrays):
    table = curves.average_precision_by_crowding(arrays, ("ae8", "rve"), edges=(0, 1, 3), **FEW)
    assert table["method"].tolist() == ["ae8", "rve"] * 2
    assert table["images"].tolist() == [60] * 4
    run = arrays["rve", 1]
    for (low, high), place in (((0, 1), 1), ((1, 3), 3)):
        inside = (low <= run["crowd_index"]) & (run["crowd_index"] < high)
        wanted = average_precision(rank_detections(run), inside[None].astype(int))[0]
        assert table["value"][place] == pytest.approx(wanted)
        assert table["place"][place] == pytest.approx(run["crowd_index"][inside].mean())
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


def test_gains_are_paired_and_bins_with_few_images_left_out(arrays):
    table = curves.average_precision_by_crowding(arrays, ("ae8", "rve"), "ae8",
                                                 edges=(0, 1, 1.9, 3), **FEW)  # fmt: skip
    assert table["method"].tolist() == ["rve", "rve"]  # the last bin has seven images
    assert table["value"].tolist() == pytest.approx([0, 1 - 0.5554], abs=1e-3)
    assert table["low"][0] == table["high"][0] == 0


def test_both_ends_of_a_knob_and_what_lies_between(arrays):
    found = curves.knob_extremes(arrays, "scale_spread", ("ae8", "rve"), "ae8", **FEW).set_index(
        "at"
    )
    assert found["method"].tolist() == ["rve"] * 3
    assert found.loc["lowest", ["value", "low", "high"]].tolist() == [0, 0, 0]
    assert found.loc["highest", "value"] > 0.3
    assert found.loc["growth", "value"] == found.loc["highest", "value"]
    found = found.reset_index().assign(knob="scale_spread", name="AP")
    page = growth_table(found)
    assert page.columns.tolist() == ["AP"]
    assert page.index.tolist() == [("the spread of sizes, from 1 to 8", "RVE (the paper)")]
    still = found.assign(knob="occlusion", low=-0.1, value=0.0, high=0.1)
    said = knobs_sentence(pd.concat([found, still]))
    assert said.startswith("The gain in average precision grows with the spread of sizes (+")
    assert said.endswith(", and shows no clear change with occlusion "
                         "(+0.0\xa0[−10.0,\xa0+10.0]).")  # fmt: skip
    assert knobs_sentence(found[:0]) == ""


def test_a_knob_has_a_point_for_each_setting(arrays):
    spread = [s.value for s in KNOB_SETTINGS if s.knob == "scale_spread"]
    table = curves.by_knob_setting(arrays, "scale_spread", ("rve",), "ae8", **FEW)
    assert table["place"].tolist() == spread
    assert [value > 0.3 for value in table["value"]] == [value > 2 for value in spread]
    accuracy = curves.by_knob_setting(
        arrays, "scale_spread", ("ae8",), name="grouping_accuracy", **FEW
    )
    assert accuracy["value"].tolist() == pytest.approx([0.5 + 0.1 * (v > 2) for v in spread])
    assert set(accuracy["images"]) == {EACH}
    with pytest.raises(
        ValueError, match=r"knob: expected one of scale_spread, crowding, occlusion, got 'x'"
    ):
        curves.by_knob_setting(arrays, "x", ("rve",))


def test_runs_without_such_crowds_have_no_points(arrays):
    bare = {run: {k: v for k, v in found.items() if not k.startswith("knob_")}
            for run, found in arrays.items()}  # fmt: skip
    assert curves.by_knob_setting(bare, "crowding", ("rve",), **FEW).empty
    assert curves.average_precision_by_crowding(arrays, ("swahr",), **FEW).empty
    assert curves.average_precision_by_crowding({}, ("rve",), "ae8", **FEW).empty


def test_thresholds_and_training(arrays):
    table = curves.accuracy_by_threshold(arrays, ("ae8", "offset"), **FEW)
    assert table["place"].tolist() == list(curves.THRESHOLDS)
    assert table["value"].tolist() == pytest.approx([0.8] * 9, abs=0.01)
    undefined = {("offset", 1): {**arrays["ae8", 1], "accuracy_at": np.full((IMAGES, 9), np.nan)}}
    assert curves.accuracy_by_threshold(undefined, ("offset",), **FEW).empty
    steps = curves.over_training(arrays, ("rve",), "line_first_component")
    assert steps["value"].tolist() == [0.9, 1.0] * 2
    assert curves.over_training(arrays, ("rve",), "line_none").empty


def test_figures_draw_what_the_tables_say(arrays):
    levels = curves.average_precision_by_crowding(arrays, ("ae8", "rve"), edges=(0, 1, 3), **FEW)
    figure = curve_figures.crowding_figure(levels, levels)
    line = figure.axes[0].lines[1]
    assert line.get_label() == "RVE (the paper)"
    assert line.get_ydata() == pytest.approx(100 * levels["value"][levels["method"] == "rve"])
    knobs = {knob: curves.by_knob_setting(arrays, knob, ("rve",), "ae8", **FEW)
             for knob in ("scale_spread", "occlusion")}  # fmt: skip
    figure = curve_figures.knob_figure(knobs, "points")
    assert [axis.get_xlabel() for axis in figure.axes] == [
        curve_figures.KNOB_LABELS[knob] for knob in knobs
    ]
    assert figure.axes[0].get_xscale() == "log"
    both = curves.by_knob_setting(arrays, "crowding", ("ae8", "rve"), **FEW)
    figure = curve_figures.knob_figure({"crowding": both}, "points", apart=("ae8", "swahr"))
    lines = [[line.get_label() for line in axis.lines] for axis in figure.axes]
    assert lines == [["RVE (the paper)"], ["AE, D = 8"]]
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {*lines[0], *lines[1]}
    figure = curve_figures.threshold_figure(curves.accuracy_by_threshold(arrays, ("ae8",), **FEW))
    assert len(figure.axes[0].lines) == 2
    steps = curves.over_training(arrays, ("rve",), "line_first_component")
    figure = curve_figures.over_training_figure([("share", steps)])
    assert len(figure.axes[0].lines) == 2
    assert len(figure.legends[0].get_texts()) == 1
    curve_figures.plt.close("all")


def test_a_method_can_be_switched_off_in_every_panel(arrays):
    levels = curves.average_precision_by_crowding(arrays, ("ae8", "rve"), edges=(0, 1, 3), **FEW)
    drawn = curve_figures.switched(curve_figures.crowding_figure(levels, levels), "AP > 0")
    assert drawn.count('<g data-method="rve">') == 4  # a line and a band in two panels
    assert drawn.count('type="checkbox"') == 2
    assert ':has([value="rve"]:not(:checked)) [data-method="rve"]' in drawn
    assert 'aria-label="AP &gt; 0"' in drawn
    assert "<g id=" not in drawn


def test_figures_of_nothing_are_empty():
    none = curves.average_precision_by_crowding({}, ("rve",))
    for figure in (curve_figures.crowding_figure(none, none),
                   curve_figures.knob_figure({"crowding": none}, "points"),
                   curve_figures.threshold_figure(none)):  # fmt: skip
        figure.canvas.draw()
    curve_figures.plt.close("all")


def test_the_ladder_joins_the_runs_of_a_seed():
    records = [
        make_record(method, seed, AP=0.1 * seed + 0.05 * place, AP75=0.2)
        for place, method in enumerate(("ae8", "ae8_scale", "rve"))
        for seed in (1, 2)
    ]
    axes = curve_figures.ladder_figure(records).axes
    lines = [line.get_ydata() for line in axes[0].lines]
    assert lines[0] == pytest.approx([10, 15, np.nan, 20], nan_ok=True)  # seed 1, in percent
    assert [float(line) for line in map(np.squeeze, lines[2:])] == pytest.approx([15, 20, 25])
    assert [axis.get_ylabel() for axis in axes] == ["AP, %", "AP75, %", "grouping accuracy, %"]
    assert not curve_figures.ladder_figure([]).axes[0].lines


def test_validation_is_shown_over_the_steps():
    arrays = {
        ("ae8", 1): {"validation_step": np.r_[5, 10], "validation_value": np.r_[0.1, 0.2]},
        ("ae8", 2): {"validation_step": np.array([5]), "validation_value": np.array([0.3])},
        ("rve", 1): {},
    }  # fmt: skip
    (axis,) = curve_figures.validation_figure(arrays, ("ae8", "rve")).axes
    assert [line.get_ydata().tolist() for line in axis.lines] == [[10, 20], [30]]
    assert axis.lines[0].get_xdata().tolist() == [5, 10]
    assert not curve_figures.validation_figure({}, ("ae8",)).axes[0].lines
