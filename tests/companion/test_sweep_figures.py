"""The sweep of the scale loss: its runs read, its table by hand, its figure, what it refuses."""

import json

import matplotlib.pyplot as plt
import pytest

from sparse_ae.companion.figures.sweep import (
    FORMS,
    QUANTITIES,
    read_sweep,
    sweep_figure,
    sweep_source,
    sweep_table,
)


def write(root, method, trials):
    folder = root / "sweep" / method
    folder.mkdir(parents=True)
    content = []
    for settings, values in trials:
        made = {"commit": "c0ffee1234", "data_digest": "d16e57"}
        figures = ("AP_hard", *QUANTITIES)
        runs = [{"seed": 100 * i, "metrics": dict.fromkeys(figures, value), "provenance": made,
                 "settings_digest": str(i)} for i, value in enumerate(values)]  # fmt: skip
        content.append({"settings": {"optim": {"steps": 10}, **settings}, "runs": runs,
                        "metrics": dict.fromkeys(figures, sum(values) / len(values))})  # fmt: skip
    (folder / "search.json").write_text(json.dumps({"trials": content}))


@pytest.fixture
def root(tmp_path):
    write(tmp_path, "ae8", [({}, (0.25, 0.75))])
    write(tmp_path, "ae8_scale", [
        ({"loss": {"scale_form": form, "scale_weight": weight}}, (weight, 3 * weight))
        for form in FORMS for weight in (0.01, 0.1)
    ])  # fmt: skip
    return tmp_path


def test_the_table_by_hand(root):
    runs = read_sweep(root)
    assert len(runs) == 2 + 4 * 2 * 2
    table = sweep_table(runs).reset_index()
    assert table.columns[2:].tolist() == [
        "first component", "Hoyer sparsity", "grouping accuracy, %", "AP, %"]  # fmt: skip
    without = table[table["form"] == "without Lₛ"].iloc[0]
    assert without["AP, %"] == "50.0 (25.0 to 75.0)"
    signed = table[(table["form"] == "poster, signed") & (table["weight"] == "0.1")].iloc[0]
    assert signed["Hoyer sparsity"] == "0.200 (0.100 to 0.300)"
    assert "18 short runs" in sweep_source(runs)
    assert "seeds 0, 100; commit c0ffee1; validation crowds d16e57" in sweep_source(runs)


def test_the_figure_shows_every_run_and_the_means(root):
    figure = sweep_figure(read_sweep(root))
    for axis in figure.axes:
        factor = 100 if "%" in axis.get_ylabel() else 1
        lines = {line.get_label(): line for line in axis.lines if line.get_label()[0] != "_"}
        assert set(lines) == {"without $L_s$", *(label for label, *_ in FORMS.values())}
        assert lines["released, signed"].get_ydata().tolist() == pytest.approx(
            [0.02 * factor, 0.2 * factor]
        )
        assert lines["without $L_s$"].get_ydata()[0] == pytest.approx(0.5 * factor)
        points = [line for line in axis.lines if line.get_linestyle() == "None"]
        assert sum(len(line.get_xdata()) for line in points) == 16
    assert [axis.get_xlabel() for axis in figure.axes] == ["", "", *["weight of $L_s$"] * 2]
    plt.close(figure)


def test_no_runs_and_no_record(tmp_path):
    runs = read_sweep(tmp_path)
    assert runs.empty
    assert sweep_table(runs).empty
    assert "No run yet" in sweep_source(runs)
    plt.close(sweep_figure(runs))
    write(tmp_path, "ae8", [({}, (0.5,))])
    path = tmp_path / "sweep" / "ae8" / "search.json"
    whole = path.read_text()
    for broken in (whole[:-20], whole.replace("data_digest", "digest")):
        path.write_text(broken)
        with pytest.raises(ValueError, match=r"search\.json: no record of a search"):
            read_sweep(tmp_path)
