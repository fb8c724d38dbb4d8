"""The committed counts of COCO and CrowdPose are complete and agree with the published numbers.

They are counted again where the annotations are present.
"""

import importlib.util
import json
from pathlib import Path

import pytest

from sparse_ae.crowds.statistics import HISTOGRAMS
from sparse_ae.skeleton import get_skeleton

PATH = Path(__file__).resolve().parents[2] / "data" / "real_statistics.json"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("real_statistics", PATH.with_suffix(".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def committed() -> dict:
    assert PATH.stat().st_size < 60_000
    return json.loads(PATH.read_text(encoding="utf-8"))


def test_every_source_says_where_it_is_from(committed, script):
    assert committed["command"] == script.COMMAND
    assert set(committed["sources"]) == set(committed["statistics"]) == set(script.SOURCES)
    for source in committed["sources"].values():
        assert {"title", "paper", "site", "licence", "notes", "file"} <= set(source)


@pytest.mark.parametrize("name", ["coco", "crowdpose"])
def test_counts_are_whole(committed, name):
    found = committed["statistics"][name]
    assert tuple(found["joints"]) == get_skeleton(name).keypoints
    assert {sum(states) for states in found["joints"].values()} == {found["persons"]}
    assert sum(found["difficulty"].values()) == found["images"]
    for kind, histogram in found["histograms"].items():
        assert histogram["what"] == HISTOGRAMS[kind][0]
        assert len(histogram["edges"]) == len(histogram["counts"]) + 1
        if kind != "scale_spread":  # of images with two persons
            of_persons = kind in ("scale", "hidden", "unlabelled")
            assert sum(histogram["counts"]) == found["persons" if of_persons else "images"]
    alone = found["histograms"]["persons"]["counts"][0]
    assert sum(found["histograms"]["scale_spread"]["counts"]) == found["images"] - alone


def test_agreement_with_what_is_published(committed):
    """COCO's persons with keypoints in train2017; CrowdPose's images are 20, 60 and 20 % easy,
    medium and hard, and its own crowd indices have the mean of ours."""
    coco, crowdpose = (committed["statistics"][name] for name in ("coco", "crowdpose"))
    assert (coco["images"], coco["persons"]) == (56_599, 149_813)
    shares = [count / crowdpose["images"] for count in crowdpose["difficulty"].values()]
    assert shares == pytest.approx([0.2, 0.6, 0.2], abs=0.035)
    ours, theirs = (
        crowdpose["histograms"][name]["mean"] for name in ("crowd_index", "crowd_index_given")
    )
    assert ours == pytest.approx(theirs, abs=0.005)


def test_counted_again(committed, script, real):
    source = script.SOURCES["crowdpose"]
    _, content = script.read(real, source["files"])
    assert (
        json.loads(json.dumps(script.statistics(content))) == committed["statistics"]["crowdpose"]
    )


def test_a_part_of_a_source_is_refused(script, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="no such file; SPARSE_AE_DATA names its folder"):
        script.count_sources(tmp_path)
    names = {"coco": "a", "crowdpose": "b"}
    persons = {"categories": [{"keypoints": ["nose"]}], "images": [], "annotations": []}
    for name, file in names.items():
        (tmp_path / file).write_text(json.dumps(persons))
        monkeypatch.setitem(script.SOURCES, name, {**script.SOURCES[name], "files": [file]})
    with pytest.raises(SystemExit, match="a: 0 persons, expected 149813: not COCO train2017"):
        script.count_sources(tmp_path)
