"""Any input gives a valid result or the documented error: some seconds of fuzzing, always the same
inputs, and what longer runs (tests/soak) found. What is valid, the checks of `fuzzing` say."""

from __future__ import annotations

import fuzzing
import pytest

EXAMPLES = {"annotations": 150, "checkpoints": 60, "records": 120, "group": 150, "decode": 100,
            "pictures": 100, "settings": 60}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", fuzzing.TARGETS)
def test_a_made_up_input_gives_a_valid_result_or_an_error(name):
    tried, valid = fuzzing.run(name, EXAMPLES[name])
    assert tried >= EXAMPLES[name] // 2
    assert tried // 20 <= valid <= tried - tried // 20, "too easy, or too hard: nothing is tried"


@pytest.mark.parametrize(
    ("name", "file"), [(name, file) for name in fuzzing.TARGETS for file in fuzzing.kept(name)]
)
def test_what_was_found_once_is_found_no_more(name, file):
    with fuzzing.patience():
        fuzzing.TARGETS[name].check(fuzzing.kept(name)[file])


def test_a_target_that_fails_is_told_and_kept(tmp_path, monkeypatch):
    """The fuzzer itself: it finds, makes small, keeps, and replays."""

    def wrong(case):
        assert len(case["xy"]) < 4

    target = fuzzing.TARGETS["group"]._replace(check=wrong)
    monkeypatch.setitem(fuzzing.TARGETS, "group", target)
    monkeypatch.setattr(fuzzing, "CORPUS", tmp_path)
    with pytest.raises(AssertionError):
        fuzzing.run("group", 200)
    (case,) = fuzzing.kept("group").values()
    assert len(case["xy"]) in (4, 6)


def test_what_hangs_is_stopped():
    with pytest.raises(TimeoutError, match="no answer in"), fuzzing.patience(0.05):
        for _ in iter(int, 1):  # no end
            pass
