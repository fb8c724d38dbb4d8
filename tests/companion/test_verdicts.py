"""Verdicts: the rule, and each claim's direction on runs that were made so."""

import math

import numpy as np
import pandas as pd
import pytest
from synthetic import make_arrays, make_matches, make_record

from sparse_ae.companion.statistics import comparisons, verdicts
from sparse_ae.companion.statistics.claim_verdicts import IN_PART, combine_verdicts
from sparse_ae.companion.statistics.verdicts import (
    CLAIMS,
    CONTRADICTED,
    NO_RUN,
    NOT_RESOLVED,
    NOT_TESTED,
    REPRODUCED,
)
from sparse_ae.companion.tables.claims import (
    NO_BREAK,
    claims_table,
    finding_sentence,
    gains_sentence,
    verdict_cards,
)
from sparse_ae.evaluation.evaluation import THRESHOLDS

IMAGES = 60
CROWDING = np.concatenate(  # as many easy, medium and hard ones
    [np.linspace(low, high, IMAGES // 3) for low, high in ((0, 0.19), (0.2, 0.79), (0.8, 1.6))]
)
HARD = CROWDING >= 0.8
# of ae8, on a line: a share of .99 where chance gives .4 is an excess of .983
LEVELS = {"first_component": 0.99, "isotropic_share": 0.4, "correlation": 0.9, "sparsity": 0.2,
          "grouping_accuracy": 0.7, "projected_accuracy": 0.7, "group_margin": -0.1,
          "closest_gap": 1.0}  # fmt: skip
METHODS = ("ae8", "ae8_scale", "rve_gamma", "rve")


def make_runs(shift=(), found=(), seeds=(1, 2, 3), noise=0.001, methods=METHODS):
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
    return combine_verdicts(measured(runs, claim))


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


def rows(claim, *verdicts_of, small=(), beside=()):
    """Measures of a claim with these verdicts; small and beside: which, by their place."""
    return pd.DataFrame({
        "claim": claim, "verdict": verdicts_of,
        "small": [i in small for i in range(len(verdicts_of))],
        "decides": [i not in beside for i in range(len(verdicts_of))],
    })  # fmt: skip


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (rows("C3", REPRODUCED, REPRODUCED), "reproduced"),
        (rows("C3", REPRODUCED, NOT_RESOLVED), "in part"),
        (rows("C3", NOT_RESOLVED, NOT_RESOLVED), "not resolved"),
        (rows("C3", REPRODUCED, CONTRADICTED), "contradicted"),
        (rows("C3", NOT_RESOLVED, CONTRADICTED), "contradicted"),
        (rows("C4", REPRODUCED, CONTRADICTED, NOT_RESOLVED), "depends on the unit"),
        (rows("C4", CONTRADICTED, NOT_RESOLVED), "contradicted"),
        (rows("C3", REPRODUCED, REPRODUCED, small=[0]), "reproduced"),
        (rows("C3", REPRODUCED, REPRODUCED, small=[0, 1]), "reproduced, by little"),
        (rows("C3", REPRODUCED, NOT_RESOLVED, small=[0]), "in part, by little"),
        (rows("C6", CONTRADICTED, REPRODUCED, small=[0], beside=[1]), "contradicted, by little"),
        (rows("C2", REPRODUCED, NOT_TESTED), "in part"),
        (rows("C2", NOT_RESOLVED, NOT_TESTED), "not resolved"),
        (rows("C2", NOT_TESTED, NOT_TESTED), NOT_TESTED),
        (rows("C1", NO_RUN, NO_RUN), NO_RUN),
        (rows("C1"), NOT_TESTED),
    ],
)
def test_measures_make_a_verdict(found, expected):
    assert combine_verdicts(found) == expected


def test_claims_hold_where_the_runs_were_made_so():
    gains = {"first_component": -0.3, "correlation": -0.3, "sparsity": 0.3, "closest_gap": 0.4,
             "grouping_accuracy": 0.1, "projected_accuracy": 0.05}  # fmt: skip
    runs = make_runs(gains, found=[("rve", 0.8, 2.0), ("rve_gamma", 0.0, 2.0)])
    for seed in (1, 2, 3):  # the gain in grouping is larger on hard crowds
        runs[1]["rve", seed]["grouping_accuracy"] += np.where(HARD, 0.1, 0)
    expected = dict.fromkeys(CLAIMS, REPRODUCED) | {"C2": IN_PART}  # no run of ae8 is off the line
    assert {claim: verdict_of(runs, claim) for claim in CLAIMS} == expected


def test_claims_fail_where_the_runs_were_made_so():
    losses = {"first_component": -0.1, "correlation": 0.05, "sparsity": 0.0, "closest_gap": -0.4,
              "projected_accuracy": 0.05}  # fmt: skip
    runs = make_runs(losses, found=[("ae8", 0.8, 2.0), ("ae8_scale", 0.0, 2.0)])
    for seed in (1, 2, 3):
        runs[1]["rve", seed]["grouping_accuracy"] -= np.where(HARD, 0.1, 0)
    found = {claim: verdict_of(runs, claim) for claim in ("C2", "C3", "C4", "C5", "C6")}
    assert found == dict.fromkeys(found, CONTRADICTED)
    for (method, _), run in runs[1].items():
        if method == "ae8":
            run["first_component"] -= 0.4
    assert measured(runs, "C1")["verdict"].tolist() == [REPRODUCED, CONTRADICTED]


def test_half_a_claim_holds_in_part_and_says_how_many_seeds_the_rest_takes():
    runs = make_runs({"correlation": -0.3, "sparsity": 0.3})
    for seed, moved in ((1, 0.3), (2, -0.3), (3, 0.02)):  # the share by seed this way or that
        runs[1]["ae8_scale", seed]["first_component"] += moved
    table = measured(runs, "C3")
    assert table["verdict"].tolist() == [REPRODUCED, NOT_RESOLVED, REPRODUCED]
    assert combine_verdicts(table) == IN_PART
    assert table["seeds"].isna().tolist() == [True, False, True]
    assert table["seeds"].iloc[1] > 3


def test_the_excess_is_that_of_the_means():
    table = measured(make_runs({"first_component": -0.25, "isotropic_share": -0.1}, noise=0), "C3")
    excess = table.iloc[1]
    assert excess["base"] == pytest.approx((0.99 - 0.4) / 0.6)
    assert excess["method"] == pytest.approx((0.74 - 0.3) / 0.7)


def test_a_gain_in_points_and_in_proportion_may_differ():
    """rve finds everybody exactly on easy crowds and on hard ones, where the base finds less."""
    runs = make_runs(found=[("rve", 0.0, 2.0), ("ae8", 0.0, 0.2)])
    points, ratio, accuracy = measured(runs, "C4").itertuples()
    assert points.verdict == ratio.verdict == REPRODUCED
    assert accuracy.verdict == NOT_RESOLVED
    table = comparisons.differences(runs[1], ["rve"], resamples=3).set_index("quantity")
    gains = table.loc[["AP hard", "AP easy"], "difference"]
    assert points.difference == pytest.approx(gains["AP hard"] - gains["AP easy"])
    before = table["value"] - table["difference"]
    growth = np.log(table["value"] / before)
    assert ratio.difference == pytest.approx(growth["AP hard"] - growth["AP easy"])


def test_what_the_projection_costs_is_asked_of_runs_off_the_line():
    records, arrays = make_runs({"first_component": -0.3})
    for seed, cost in ((1, 0.05), (2, 0.05), (3, 0.5)):
        arrays["ae8_scale", seed]["projected_accuracy"] -= cost
    arrays["ae8_scale", 3]["first_component"] += 0.3  # back on the line
    cost = measured((records, arrays), "C2").iloc[0]
    assert cost["method"] == pytest.approx(0.05, abs=0.001)
    assert cost["verdict"] == REPRODUCED
    on = make_runs()
    assert measured(on, "C2")["verdict"].tolist() == [NOT_TESTED, NOT_TESTED]


def test_runs_on_and_off_the_line_are_compared_within_the_method():
    records, arrays = make_runs(seeds=(1, 2, 3, 4, 5), methods=("ae8",))
    for seed in (2, 4):
        arrays["ae8", seed]["first_component"] -= 0.2
        arrays["ae8", seed]["grouping_accuracy"] += 0.1 + 0.01 * seed
    row = measured((records, arrays), "C2").iloc[1]
    assert row["difference"] == pytest.approx(0.13, abs=0.001)
    assert row["low"] > 0.11  # one of the two, drawn alone, less 0.7
    assert row["verdict"] == REPRODUCED
    assert not row["small"]


def test_a_resolved_difference_may_be_too_small_to_matter():
    runs = make_runs({"closest_gap": 0.05})
    table = measured(runs, "C5")
    assert table.iloc[0]["small"]
    assert combine_verdicts(table) == "reproduced, by little"
    assert "less than would matter" in claims_table(table, ("C5",)).iloc[0]["found"]


def test_the_own_margin_is_at_the_threshold_that_validation_chose():
    records, arrays = make_runs({})
    best = {"ae8": 4, "rve": 1}  # 1.0 and 0.35
    for (method, _), run in arrays.items():
        accuracy = np.full(len(THRESHOLDS), 0.5)
        accuracy[best.get(method, 0)] = 0.9
        run["val_accuracy_at"] = accuracy
    row = measured((records, arrays), "C5").iloc[1]
    assert row["difference"] == pytest.approx(0.65, abs=0.001)
    assert not row["decides"]


def test_a_difference_is_of_the_two_values_shown():
    row = measured(make_runs({"correlation": -0.3}), "C3").iloc[0]
    assert row["difference"] == pytest.approx(-0.3, abs=0.01)
    assert row["method"] - row["base"] == pytest.approx(row["difference"])
    assert row["low"] < row["difference"] < row["high"]
    assert row["compared"] == "AE, D = 8, with Lₛ − AE, D = 8"


def test_the_gap_is_judged_on_hard_images_alone():
    records, arrays = make_runs({})
    for seed in (1, 2, 3):
        arrays["rve", seed]["closest_gap"] += np.where(HARD, 0.5, -5.0)
    assert verdict_of((records, arrays), "C5") == REPRODUCED


def test_images_without_a_value_do_not_count():
    records, arrays = make_runs({"closest_gap": 0.4})
    for run in arrays.values():
        run["closest_gap"][::2] = np.nan
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
    assert table["found"].tolist()[-1] == "not tested"
    verdict = table.index.get_level_values("verdict").tolist()
    assert verdict == [REPRODUCED] * 2 + [NOT_TESTED] * 3


def test_the_table_shows_estimate_interval_and_both_values():
    runs = make_runs({"correlation": -0.3}, noise=0.0)
    found = verdicts.measure_claims(*runs, resamples=400)
    table = claims_table(found, ("C3", "C6"))
    row = table.iloc[0]
    assert row["found"].replace(NO_BREAK, " ") == "−0.300 [−0.300, −0.300]"
    both = row["of"].replace(NO_BREAK, " ")
    assert both == "0.600 AE, D = 8, with Lₛ; 0.900 AE, D = 8"
    assert list(table.index.get_level_values("measured by"))[-2:] == [
        "beside: AP50",
        "beside: AP75",
    ]
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


def test_verdicts_at_a_glance():
    runs = make_runs({"correlation": -0.3}, methods=("ae8", "ae8_scale"))
    table = verdicts.measure_claims(*runs, claims=("C1", "C6"), resamples=200)
    cards = verdict_cards(table, ("C1", "C6"))
    assert '<div class="verdict for"><dt>C1: the dimensions correlate</dt>' in cards
    assert "<dd>reproduced</dd>" in cards
    assert '<div class="verdict open"><dt>C6: adaptive widths help</dt>' in cards
    assert "<dd>not tested by this preset</dd>" in cards


def test_the_finding_in_a_sentence():
    records = [make_record("ae8", 1, AP=0.25, grouping_accuracy=0.5, first_component=1.0),
               make_record("ae8", 2, AP=0.35, grouping_accuracy=0.7, first_component=1.0),
               make_record("rve", 1, AP=0.3, grouping_accuracy=0.7),
               make_record("rve", 2, AP=0.5, grouping_accuracy=0.9),
               make_record("rve", 3, AP=0.9, grouping_accuracy=0.9)]  # fmt: skip
    said = finding_sentence(records)
    assert "the embeddings that tell people apart end on a line. " in said
    assert "80.0 % of joints are grouped rightly instead of 60.0 %" in said
    assert "average precision on rendered crowds is 40.0 % instead of 30.0 %" in said
    records[0]["metrics"]["first_component"] = 0.8
    assert "end with 90.0 % on one line" in finding_sentence(records)
    assert finding_sentence(records[:2]) == ""
