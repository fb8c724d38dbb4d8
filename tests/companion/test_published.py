"""The published tables: whole, sourced, and what is computed from them."""

import pytest

from sparse_ae.companion.tables.published import (
    PAPER,
    SETS,
    published,
    published_gains,
    published_table,
)


@pytest.mark.parametrize("name", SETS)
def test_every_row_has_a_source_and_possible_values(name):
    table = published(name)
    assert len(table) > 20
    assert (table["source"] != "").all()
    scores = table[[column for column in table if column.startswith("AP")]].to_numpy()
    assert ((scores > 20) & (scores < 100) | (scores != scores)).all()
    known = table.dropna(subset=["AP", "AP50", "AP75"])
    assert (known["AP50"] > known["AP75"]).all()
    assert (known["AP75"] > known["AP"]).all()
    assert not table.duplicated(["method", "backbone", "test", "note"]).any()


def test_the_papers_headline_is_there():
    best = {"crowdpose_test": 74.5, "coco_test_dev": 72.8}  # the paper's abstract
    for name, expected in best.items():
        table = published(name)
        assert table[table["method"] == PAPER]["AP"].max() == expected


def test_a_page_shows_dashes_where_nothing_is_stated():
    table = published_table("crowdpose_test")
    assert table.loc[("PINet README", "PINet", "", "single"), "AP hard"] == "–"
    assert table.loc[("PINet README", "PINet", "", "single"), "AP"] == "68.9"


def test_gains_by_hand():
    gains = published_gains()
    assert gains.index.tolist() == ["single", "multi"]
    assert gains.loc["single"].round(1).tolist() == [4.6, 4.4, 4.6, 4.5, 0.1]
    assert gains.loc["multi", "hard minus easy"] == pytest.approx(63.3 - 58.9 - (79.0 - 75.8))
    with pytest.raises(ValueError, match="no test that both"):
        published_gains(base="nobody")
    with pytest.raises(ValueError, match="unknown set 'mpii'"):
        published("mpii")
