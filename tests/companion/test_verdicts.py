"""Verdicts: the rule, and each claim's direction on runs that were made so."""

import math

import numpy as np
import pytest
from synthetic import make_arrays, make_matches, make_record

from sparse_ae.companion.statistics import verdicts
from sparse_ae.companion.statistics.verdicts import (
    CLAIMS,
    CONTRADICTED,
    NO_RUN,
    NOT_RESOLVED,
    NOT_TESTED,
    REPRODUCED,
    combine_verdicts,
)
from sparse_ae.companion.tables.claims import NO_BREAK, claims_table, gains_sentence

IMAGES = 60
CROWDING = np.linspace(0, 1.6, IMAGES)
LEVELS = {"first_component": 0.95, "sparsity": 0.2, "group_margin": -0.1, "group_spread": 0.5}
METHODS = ("ae8", "ae8_scale", "rve")


def make_runs(shift=(), found=(), seeds=(1, 2, 3), noise=0.01, methods=METHODS):
    """Records and arrays. shift: of all methods but ae8, by the array's name; found: (method,
    lowest, highest crowd index) of the images in which a method finds everybody."""
    records, arrays = [], {}
    for method in methods:
        for seed in seeds:
            draw = np.random.default_rng([seed, METHODS.index(method)])
            moved = dict(shift) if method != "ae8" else {}
            images = {name: level + draw.normal(0, noise, IMAGES) + moved.get(name, 0)
                      for name, level in LEVELS.items()}  # fmt: skip
            images["persons"] = draw.integers(2, 9, IMAGES).astype(float)
            matches = make_matches(IMAGES)
            for name, low, high in found:
                all_found = np.repeat((low <= CROWDING) & (high >= CROWDING), 3)
                all_found &= matches["match_matched"] == 1
                if name == method:
                    matches["match_matched"][all_found] = 1023
            chance = draw.random(3 * IMAGES) < 0.1
            matches["match_matched"][chance] = 0
            arrays[method, seed] = make_arrays(IMAGES, crowd_index=CROWDING, **images, **matches)
            records.append(make_record(method, seed))
    return records, arrays


def measured(runs, claim):
    """One claim's measures, with few resamples."""
    return verdicts.measure_claims(*runs, claims=(claim,), resamples=400)


def verdict_of(runs, claim) -> str:
    return combine_verdicts(measured(runs, claim)["verdict"])


@pytest.mark.parametrize(
    ("low", "high", "bound", "sign", "expected"),
    [
        (0.1, 0.3, 0.0, 1, REPRODUCED),
        (-0.1, 0.3, 0.0, 1, NOT_RESOLVED),
        (-0.3, -0.1, 0.0, 1, CONTRADICTED),
        (-0.3, -0.1, 0.0, -1, REPRODUCED),
        (0.1, 0.3, 0.0, -1, CONTRADICTED),
        (0.91, 0.99, 0.9, 1, REPRODUCED),
        (0.85, 0.99, 0.9, 1, NOT_RESOLVED),
        (0.5, 0.6, 0.9, 1, CONTRADICTED),
        (math.nan, math.nan, 0.0, 1, NOT_RESOLVED),
    ],
)
def test_the_rule(low, high, bound, sign, expected):
    assert verdicts.judge(low, high, bound, sign) == expected


def test_claims_hold_where_the_runs_were_made_so():
    gains = {"first_component": -0.2, "sparsity": 0.3, "group_margin": 0.4}
    runs = make_runs(gains, found=[("rve", 0.8, 2.0)])
    assert [verdict_of(runs, claim) for claim in ("C1", "C3", "C4", "C5")] == [REPRODUCED] * 4
    assert verdict_of(runs, "C6") == REPRODUCED


def test_claims_fail_where_the_runs_were_made_so():
    losses = {"first_component": 0.04, "sparsity": -0.1, "group_margin": -0.4}
    runs = make_runs(losses, found=[("ae8", 0.8, 2.0), ("ae8_scale", 0.0, 2.0)])
    assert [verdict_of(runs, claim) for claim in ("C3", "C4", "C5", "C6")] == [CONTRADICTED] * 4
    for (method, _), run in runs[1].items():
        if method == "ae8":
            run["first_component"] -= 0.3
    assert verdict_of(runs, "C1") == CONTRADICTED


def test_half_a_claim_is_not_resolved_and_says_how_many_seeds_it_takes():
    runs = make_runs(found=[("rve", 0.0, 2.0)])  # better, but not in crowds above all
    table = measured(runs, "C4").set_index("measured")
    assert table["verdict"].tolist() == [REPRODUCED, NOT_RESOLVED]
    needed = table.loc["AP on hard minus AP on easy crowds, higher", "seeds"]
    assert needed > 3
    assert math.isnan(table.loc["AP on hard crowds, higher", "seeds"])


def test_the_second_claim_is_about_images_of_one_run():
    """Accuracy that falls with linearity and rises with the margin, beside one that only follows
    the number of persons, to which linearity is tied."""
    records, arrays = make_runs()
    tied, causal = {}, {}
    for run, values in arrays.items():
        line = values["first_component"] + 0.01 * values["persons"]
        accuracy = 0.9 - 0.05 * values["persons"]
        noise = np.random.default_rng([run[1], 5]).normal(0, 0.01, IMAGES)
        tied[run] = {**values, "first_component": line, "grouping_accuracy": accuracy + noise}
        causal[run] = {**values, "first_component": line, "grouping_accuracy":
                       accuracy + noise - 2 * line + 2 * values["group_margin"]}  # fmt: skip
    assert verdict_of((records, causal), "C2") == REPRODUCED
    assert verdict_of((records, tied), "C2") == NOT_RESOLVED
    slope = measured((records, causal), "C2").iloc[0]
    spread = np.mean([values["first_component"].std() for (m, _), values in causal.items()
                      if m == "ae8"])  # fmt: skip
    assert slope["method"] == pytest.approx(-200 * spread, rel=0.15)


def test_a_difference_is_of_the_two_values_shown():
    row = measured(make_runs({"sparsity": 0.3}), "C3").iloc[1]
    assert row["difference"] == pytest.approx(0.3, abs=0.01)
    assert row["method"] - row["base"] == pytest.approx(row["difference"])
    assert row["low"] < row["difference"] < row["high"]
    assert row["compared"] == "AE, D = 8, with Lₛ − AE, D = 8"


def test_the_margin_is_judged_on_hard_images_alone():
    records, arrays = make_runs({})
    for seed in (1, 2, 3):
        hard = arrays["rve", seed]["crowd_index"] >= 0.8
        arrays["rve", seed]["group_margin"] += np.where(hard, 0.5, -5.0)
    assert verdict_of((records, arrays), "C5") == REPRODUCED


def test_a_margin_that_is_only_stretched_is_not_larger():
    records, arrays = make_runs({"group_margin": 0.2})  # from −0.1 to 0.1
    for (method, _), run in arrays.items():
        if method == "rve":
            run["group_spread"] *= -1 / 1e9  # undefined
    relative = measured((records, arrays), "C5").iloc[1]
    assert math.isnan(relative["difference"])
    stretched = make_runs({})
    for (method, _), run in stretched[1].items():
        run["group_margin"] += 0.6
        if method == "rve":
            run["group_margin"], run["group_spread"] = (
                3 * run["group_margin"],
                3 * run["group_spread"],
            )
    table = measured(stretched, "C5")
    assert table["verdict"].tolist() == [REPRODUCED, NOT_RESOLVED]


def test_images_without_a_value_do_not_count():
    records, arrays = make_runs({"group_margin": 0.4})
    for run in arrays.values():
        run["group_margin"][::2] = np.nan
    row = measured((records, arrays), "C5").iloc[0]
    assert row["difference"] == pytest.approx(0.4, abs=0.01)
    assert row["verdict"] == REPRODUCED


def test_no_run_and_half_a_pair():
    assert verdict_of(([], {}), "C1") == NO_RUN
    alone = make_runs(methods=("ae8",))
    assert verdict_of(alone, "C1") == REPRODUCED
    assert verdict_of(alone, "C3") == NOT_TESTED
    single = make_runs(methods=("ae8",), seeds=(1,))
    table = claims_table(verdicts.measure_claims(*single, resamples=400), ("C1", "C6"))
    assert table["found"].tolist()[-1] == "no runs"
    assert table.index.get_level_values("verdict").tolist() == [REPRODUCED, NOT_TESTED]


def test_the_table_shows_estimate_interval_and_both_values():
    runs = make_runs({"sparsity": 0.3}, noise=0.0)
    found = verdicts.measure_claims(*runs, resamples=400)
    row = claims_table(found, ("C3",)).iloc[1]
    assert row["found"].replace(NO_BREAK, " ") == "+0.300 [+0.300, +0.300]"
    both = row["of"].replace(NO_BREAK, " ")
    assert both == "0.500 AE, D = 8, with Lₛ; 0.200 AE, D = 8"
    assert claims_table(found, ("C1",)).iloc[0]["of"] == "AE, D = 8"


def test_every_claim_has_measures_and_every_measure_its_place():
    assert {measure.claim for measure in verdicts.MEASURES} == set(CLAIMS)
    table = claims_table(verdicts.measure_claims([], {}))
    assert len(table) == len(verdicts.MEASURES)
    assert set(table.index.get_level_values("verdict")) == {NO_RUN}


def test_runs_on_other_scenes_are_refused():
    records, arrays = make_runs({})
    arrays["rve", 2]["crowd_index"] = arrays["rve", 2]["crowd_index"] + 1
    with pytest.raises(ValueError, match="rve/seed-2 was evaluated on other test scenes"):
        verdicts.measure_claims(records, arrays)


def test_gains_by_hand():
    gain = {"AP": 0.01, "AP_hard": 0.05, "AP_medium": 0.0, "AP_easy": -0.02}
    records = [
        make_record(method, seed, **{name: 0.5 + better * (value + 0.01 * (seed - 2))
                                     for name, value in gain.items()})
        for method, better in (("ae8", 0), ("rve", 1)) for seed in (1, 2, 3)
    ]  # fmt: skip
    # differences of the mean less 1, the mean, the mean plus 1: half width 4.303 / √3 = 2.48
    assert gains_sentence(records) == (
        "In points of average precision the difference is +1.0 [−1.5, +3.5] in all, "
        "+5.0 [+2.5, +7.5] on hard crowds, +0.0 [−2.5, +2.5] on medium ones, "
        "−2.0 [−4.5, +0.5] on easy ones."
    )
    assert gains_sentence(records[:1] + records[3:4]).endswith(
        "+0.0 in all, +4.0 on hard crowds, −1.0 on medium ones, −3.0 on easy ones."
    )
    assert gains_sentence([]) == ""
