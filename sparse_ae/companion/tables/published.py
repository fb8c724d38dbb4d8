"""Results that others published, as their repositories state them; kept apart from ours."""

from __future__ import annotations

import pandas as pd

from sparse_ae.companion.tables.formatting import number
from sparse_ae.runtime.provenance import REPOSITORY

FOLDER = REPOSITORY / "data" / "published"
SETS = ("crowdpose_test", "coco_test_dev")
PAPER = "Coupled Embedding (the paper)"
WORDS = ("method", "backbone", "test", "source", "note")
LABELS = {"AP_easy": "AP easy", "AP_medium": "AP medium", "AP_hard": "AP hard",
          "AP_medium_size": "AP medium size", "AP_large_size": "AP large size"}  # fmt: skip


def published(name: str) -> pd.DataFrame:
    """Read the published results on one test set.

    Args:
        name: One of SETS.

    Returns:
        A row per result, AP in percent, nan where it is not stated. `data/published/README.md`
        explains the columns.

    Raises:
        ValueError: For another name.
    """
    if name not in SETS:
        raise ValueError(f"unknown set {name!r}: expected one of {', '.join(SETS)}")
    table = pd.read_csv(FOLDER / f"{name}.csv", dtype=dict.fromkeys(WORDS, str))
    return table.fillna(dict.fromkeys(WORDS, ""))


def published_table(name: str) -> pd.DataFrame:
    """Make a table of `published` AP, as text for a page, by source and method."""
    table = published(name)
    scores = [column for column in table.columns if column == "AP" or column in LABELS]
    text = table.assign(**{score: table[score].map(number) for score in scores})
    text = text.set_index(["source", "method", "backbone", "test"])[[*scores, "note"]]
    return text.rename(columns=LABELS)


def published_gains(
    method: str = PAPER, backbone: str = "ce_hrhrnet W48", base: str = "HigherHRNet",
    base_backbone: str = "W48",
) -> pd.DataFrame:  # fmt: skip
    """Subtract one method's published results on CrowdPose from another's.

    Rows with a note, such as other training data, are left out.

    Args:
        method: Method whose results are compared.
        backbone: Backbone of the method.
        base: Method that is subtracted.
        base_backbone: Backbone of the base.

    Returns:
        A row per kind of test, "single" or "multi" scale, in points: AP, easy, medium, hard, and
        hard minus easy.

    Raises:
        ValueError: If the two share no test.
    """
    table = published("crowdpose_test")
    table = table[table["note"] == ""].set_index(["method", "backbone", "test"])
    levels = ["AP", "AP_easy", "AP_medium", "AP_hard"]
    rows = {}
    for test in ("single", "multi"):
        pair = [(method, backbone, test), (base, base_backbone, test)]
        if all(key in table.index for key in pair):
            rows[test] = table.loc[pair[0], levels] - table.loc[pair[1], levels]
    if not rows:
        raise ValueError(f"no test that both {method} ({backbone}) and {base} have")
    gains = pd.DataFrame(rows).T.astype(float)
    gains["hard minus easy"] = gains["AP_hard"] - gains["AP_easy"]
    return gains.rename(columns=LABELS)
