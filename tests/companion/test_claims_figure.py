"""The claims at one look."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from test_verdicts import make_runs

from sparse_ae.companion.figures.claims import COLOURS, claims_figure
from sparse_ae.companion.statistics.verdicts import (
    CLAIMS,
    CONTRADICTED,
    NOT_TESTED,
    REPRODUCED,
    measure_claims,
)
from sparse_ae.companion.tables.claims import verdict_rows


@pytest.fixture(scope="module")
def measured():
    """Correlations fall as claimed, the closest persons come closer."""
    runs = make_runs({"correlation": -0.3, "closest_gap": -0.4, "first_component": -0.3},
                     methods=("ae8", "ae8_scale", "rve"))  # fmt: skip
    return measure_claims(*runs, resamples=200)


def test_rows_lie_on_the_side_that_their_verdict_says(measured):
    axis = claims_figure(measured).axes[0]
    names = [label.get_text().replace("\n", " ") for label in axis.get_yticklabels()]
    shown = measured[measured["decides"] & np.isfinite(measured["low"])]
    assert len(names) == len(shown)
    assert not any(name.startswith("C6") for name in names)  # without runs
    middles = {line.get_ydata()[0]: line for line in axis.lines if line.get_marker() == "o"}
    for place, row in enumerate(shown.itertuples()):
        middle = middles[place].get_xdata()[0]
        if row.verdict == REPRODUCED:
            assert middle > 0
            assert middles[place].get_color() == COLOURS[REPRODUCED]
        if row.verdict == CONTRADICTED:
            assert middle < 0
    gap = names.index("C5  distance of the closest persons over the spread within persons")
    assert middles[gap].get_xdata()[0] < 0
    plt.close("all")


def test_without_runs_there_is_an_empty_panel():
    axis = claims_figure(measure_claims([], {})).axes[0]
    assert len(axis.get_yticklabels()) == 0
    plt.close("all")


def test_six_rows(measured):
    table = verdict_rows(measured)
    assert list(table["claim"].str[:2]) == list(CLAIMS)
    assert table.iloc[5]["verdict"] == NOT_TESTED
    assert table.iloc[4]["verdict"] == CONTRADICTED
