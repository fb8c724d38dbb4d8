"""Verdicts: the rule, the bootstrap against known answers, and each claim's direction."""

import math

import numpy as np
import pytest
from synthetic import make_arrays, make_record

from sparse_ae import verdicts
from sparse_ae.verdicts import CONTRADICTED, NO_RUN, NOT_RESOLVED, NOT_TESTED, REPRODUCED

IMAGES = 200


def make_runs(shift: dict, seeds=(1, 2, 3), noise=0.01):
    """Records and arrays of ae8 and rve; rve's arrays and metrics are moved by `shift`."""
    records, arrays = [], {}
    crowding = np.linspace(0, 1.6, IMAGES)
    for method in ("ae8", "rve"):
        for seed in seeds:
            draw = np.random.default_rng([seed, method == "rve"])
            move = {name: value * (method == "rve") for name, value in shift.items()}
            images = {
                name: level + draw.normal(0, noise, IMAGES) + move.get(name, 0)
                for name, level in (
                    ("first_component", 0.95), ("sparsity", 0.2), ("group_margin", -0.1)
                )
            }  # fmt: skip
            arrays[method, seed] = make_arrays(IMAGES, crowd_index=crowding, **images)
            jitter = draw.normal(0, noise, 2)
            level = {"AP_easy": 0.6 + jitter[0], "AP_hard": 0.3 + jitter[1]}
            metrics = {name: value + move.get(name, 0) for name, value in level.items()}
            records.append(make_record(method, seed, **metrics))
    return records, arrays


def verdict_of(runs, claim) -> str:
    """The verdict of one claim."""
    return verdicts.verdicts(*runs, (claim,)).index.get_level_values("verdict")[0]


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
    gains = {"first_component": -0.2, "sparsity": 0.3, "group_margin": 0.4, "AP_hard": 0.2}
    runs = make_runs(gains)
    assert [verdict_of(runs, claim) for claim in ("C1", "C3", "C4", "C5")] == [REPRODUCED] * 4
    assert verdict_of(runs, "C2") == verdict_of(runs, "C6") == NOT_TESTED


def test_claims_fail_where_the_runs_were_made_so():
    losses = {"first_component": 0.04, "sparsity": -0.1, "group_margin": -0.4, "AP_hard": -0.2}
    runs = make_runs(losses)
    assert [verdict_of(runs, claim) for claim in ("C3", "C4", "C5")] == [CONTRADICTED] * 3


def test_half_a_claim_is_not_resolved():
    same = make_runs({"AP_hard": 0.2, "AP_easy": 0.2})  # better, but not in crowds above all
    assert verdict_of(same, "C4") == NOT_RESOLVED


def test_average_precision_needs_three_seeds():
    table = verdicts.measurements(*make_runs({"AP_hard": 0.2}, seeds=(1, 2))).set_index("measured")
    row = table.loc["AP on hard crowds, higher"]
    assert math.isnan(row["low"])
    assert row["verdict"] == NOT_RESOLVED
    assert row["difference"] == pytest.approx(0.2, abs=0.05)


def test_the_margin_is_judged_on_hard_images_alone():
    records, arrays = make_runs({})
    for seed in (1, 2, 3):
        hard = arrays["rve", seed]["crowd_index"] >= 0.8
        arrays["rve", seed]["group_margin"] += np.where(hard, 0.5, -5.0)
    assert verdict_of((records, arrays), "C5") == REPRODUCED


def test_images_without_a_value_do_not_count():
    records, arrays = make_runs({"group_margin": 0.4})
    for run in arrays.values():
        run["group_margin"][::2] = np.nan
    row = verdicts.measurements(records, arrays).iloc[-1]
    assert row["difference"] == pytest.approx(0.4, abs=0.01)
    assert row["verdict"] == REPRODUCED


def test_no_run_and_half_a_pair():
    assert verdict_of(([], {}), "C1") == NO_RUN
    records, arrays = make_runs({})
    alone = [r for r in records if r["method"] == "ae8"]
    arrays = {run: value for run, value in arrays.items() if run[0] == "ae8"}
    assert verdict_of((alone, arrays), "C1") == REPRODUCED
    assert verdict_of((alone, arrays), "C3") == NO_RUN


def test_runs_on_other_scenes_are_refused():
    records, arrays = make_runs({})
    arrays["rve", 2]["crowd_index"] = arrays["rve", 2]["crowd_index"] + 1
    with pytest.raises(ValueError, match="rve/seed-2 was evaluated on other test scenes"):
        verdicts.verdicts(records, arrays)


def test_bootstrap_of_a_constant_is_the_constant():
    values = np.full((3, 50), 0.25)
    values[:, ::3] = np.nan
    assert np.allclose(verdicts.bootstrap(values), 0.25)
    assert np.isnan(verdicts.bootstrap(np.full((2, 5), np.nan))).all()


def test_bootstrap_of_one_seed_has_the_standard_error_of_the_mean():
    values = np.random.default_rng(0).normal(size=(1, 400))
    means = verdicts.bootstrap(values, 20000)
    assert means.mean() == pytest.approx(values.mean(), abs=0.002)
    assert means.std() == pytest.approx(values.std() / 20, rel=0.03)


def test_bootstrap_draws_seeds_too():
    values = np.repeat([[0.0], [1.0]], 100, axis=1)  # two seeds that disagree, images that do not
    means = verdicts.bootstrap(values, 20000)
    assert set(np.round(means, 6)) == {0.0, 0.5, 1.0}
    assert np.mean(means == 0.5) == pytest.approx(0.5, abs=0.02)


def test_gains_by_hand():
    gain = {"AP": 0.01, "AP_hard": 0.05, "AP_medium": 0.0, "AP_easy": -0.02}
    records = [
        make_record(method, seed, **{name: 0.5 + better * (value + 0.01 * (seed - 2))
                                     for name, value in gain.items()})
        for method, better in (("ae8", 0), ("rve", 1)) for seed in (1, 2, 3)
    ]  # fmt: skip
    # differences of the mean less 1, the mean, the mean plus 1: half width 4.303 / √3 = 2.48
    assert verdicts.gains(records) == (
        "In points of average precision the difference is +1.0 [−1.5, +3.5] in all, "
        "+5.0 [+2.5, +7.5] on hard crowds, +0.0 [−2.5, +2.5] on medium ones, "
        "−2.0 [−4.5, +0.5] on easy ones."
    )
    assert verdicts.gains(records[:1] + records[3:4]).endswith(
        "+0.0 in all, +4.0 on hard crowds, −1.0 on medium ones, −3.0 on easy ones."
    )
    assert verdicts.gains([]) == ""
