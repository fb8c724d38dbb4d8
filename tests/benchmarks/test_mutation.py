"""What became of faults put in on purpose: read from the tool's output, counted, and kept."""

import json
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import mutation

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "benchmarks" / "results" / "mutation.json"
PRINTED = """
    sparse_ae.losses.tags.x_unit__mutmut_1: killed
    sparse_ae.losses.tags.x_unit__mutmut_2: survived
    sparse_ae.losses.tags.xǁ_Readǁbackward__mutmut_3: timeout
    sparse_ae.metrics.embeddings.x_unit__mutmut_2: survived
    sparse_ae.targets.x_group_margin__mutmut_16: no tests
"""
DIFF = """--- sparse_ae/metrics/embeddings.py
+++ sparse_ae/metrics/embeddings.py
@@ -1,4 +1,4 @@
     if len(tags) < 2:
-        return float("nan")
+        return float("NAN")
"""


def test_results_are_read_and_counted(monkeypatch, tmp_path):
    results = mutation.read_results(PRINTED)
    assert [(module, state) for module, _, state in results] == [
        ("losses.tags", "killed"), ("losses.tags", "survived"), ("losses.tags", "timeout"),
        ("metrics.embeddings", "survived"), ("targets", "no tests")]  # fmt: skip
    assert mutation.change(DIFF) == ('return float("nan")', 'return float("NAN")')
    reasons = tmp_path / "equivalent.yaml"
    reasons.write_text(
        "- {module: metrics.embeddings, line: a, instead: b, why: c}\n- {module: targets, line: y, "
        "instead: x, why: z}\n"
    )
    monkeypatch.setattr(mutation, "REASONS", reasons)
    found = mutation.summary(results, {
        ("losses.tags", "x_unit__mutmut_2"): ("a", "b"),
        ("metrics.embeddings", "x_unit__mutmut_2"): ("a", "b"),
        ("targets", "x_group_margin__mutmut_16"): ("x", "y"),
    })  # fmt: skip
    assert found["modules"] == {
        "losses.tags": {"found": 2, "survived": 1},
        "metrics.embeddings": {"equivalent": 1},
        "targets": {"survived": 1},
    }
    assert found["share_found"] == 0.4
    assert found["equivalent"] == 1
    assert found["unexplained"] == [
        {"module": "losses.tags", "line": "a", "instead": "b"},
        {"module": "targets", "line": "x", "instead": "y"},
    ]


def test_every_reason_is_whole_and_said_once():
    reasons = yaml.safe_load(mutation.REASONS.read_text(encoding="utf-8"))
    assert all(set(one) == {"module", "line", "instead", "why"} for one in reasons)
    assert all(len(one["why"]) > 8 and one["line"] != one["instead"] for one in reasons)
    keys = {(one["module"], one["line"], one["instead"]) for one in reasons}
    assert len(keys) == len(reasons)


def test_the_line_of_a_reason_is_in_the_code():
    """Where this fails the code has changed: see whether the fault is still one that cannot be
    seen."""
    for one in yaml.safe_load(mutation.REASONS.read_text(encoding="utf-8")):
        path = ROOT.joinpath("sparse_ae", *one["module"].split(".")).with_suffix(".py")
        text = path.read_text(encoding="utf-8")
        lines = {line.strip() for line in text.splitlines()}
        assert one["line"] in lines, one


def test_the_files_and_tests_that_the_tool_is_told_of_are_there():
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    tests = told["pytest_add_cli_args_test_selection"]
    assert all((ROOT / path).is_file() for path in (*told["only_mutate"], *tests))
    changed = {Path(path).relative_to("sparse_ae").with_suffix("") for path in told["only_mutate"]}
    reasons = yaml.safe_load(mutation.REASONS.read_text(encoding="utf-8"))
    assert {one["module"] for one in reasons} <= {".".join(path.parts) for path in changed}


def test_the_committed_record():
    record = json.loads(COMMITTED.read_text(encoding="utf-8"))
    counts = record["modules"].values()
    found, total = (
        sum(sum(v for k, v in one.items() if k in kinds) for one in counts)
        for kinds in (("found",), ("found", "survived", "equivalent"))
    )
    assert set(record["modules"]) >= {"losses", "grouping", "metrics", "targets", "results"}
    assert record["share_found"] == pytest.approx(found / total, abs=1e-4)
    assert record["share_found"] >= 0.85
    assert len(record["unexplained"]) == sum(one.get("survived", 0) for one in counts)
