"""Bad input is named: file, record or field, and what to do. The table is in `bad_inputs`."""

from __future__ import annotations

from collections import Counter

import pytest
from bad_inputs import arrays, commands, crowds, people, pictures, records, settings, weights

PARTS = (arrays, commands, crowds, people, pictures, records, settings, weights)
CASES = [case for part in PARTS for case in part.CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_named(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, OSError), match=case.message) as told:
        case.attempt(tmp_path)
    text = str(told.value)
    assert "\n" not in text
    assert len(text) < 1200, "nobody reads on"
    assert not list(tmp_path.rglob("*.part")), "something is left"


def test_no_case_is_there_twice():
    assert max(Counter(case.name for case in CASES).values()) == 1
