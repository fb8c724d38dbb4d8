"""A run on photos: one record of the schema of all records, with its detections beside it."""

import json

import numpy as np
import pytest
from flat import flat_settings
from photos import custom_preset

from sparse_ae.cli import main
from sparse_ae.companion.experiment import evaluate_weights, identity, is_made, run
from sparse_ae.companion.records import (
    FIELDS,
    METRICS,
    PER_IMAGE,
    SCHEMA,
    read_arrays,
    read_record,
    read_records,
    record_files,
    record_path,
)
from sparse_ae.companion.statistics.weighted_ap import average_precision, rank_detections
from sparse_ae.companion.verify import differences_from_arrays
from sparse_ae.metrics import keypoint_ap
from sparse_ae.models import load_checkpoint
from sparse_ae.runtime.launch import Options
from sparse_ae.skeleton import get_skeleton

pytestmark = pytest.mark.slow

BROKEN = 4  # the photo that cannot be read


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The preset, the results' folder and the record of a run that leaves one photo out."""
    folder = tmp_path_factory.mktemp("photos")
    preset = custom_preset(folder, steps=40, min_score=0.01)
    (folder / "images" / f"{BROKEN:03d}.jpg").write_bytes(b"no photo")
    settings = flat_settings(str(preset), "ae8", 1)
    options = Options(skip_broken=True, workers=0)
    return preset, folder / "results", run(settings, folder / "results", options=options,
                                           progress=False)  # fmt: skip


def test_it_is_a_record_as_that_of_crowds(made, tmp_path):
    preset, root, record = made
    (read,) = read_records("custom", root)
    assert read["schema"] == SCHEMA
    assert list(read) == list(FIELDS)
    assert set(read["metrics"]) == set(METRICS)
    assert repr(read["metrics"]) == repr({name: record["metrics"][name] for name in METRICS})
    crowds = run(flat_settings("smoke", "ae8", 1, steps=1), tmp_path, progress=False)
    assert list(crowds) == list(read)
    arrays = read_arrays(record_path("custom", "ae8", 1, root))
    beside = read_arrays(record_path("smoke", "ae8", 1, tmp_path))
    without_curve = {name for name in beside if not name.startswith(("loss_", "line_", "step"))}
    assert set(arrays) >= without_curve
    assert differences_from_arrays(read, arrays) == []  # its figures follow from its arrays
    digests = {"train_digest", "test_digest", "val_digest", "skeleton_digest"}
    assert set(read["data"]) == digests
    assert str(preset.parent) not in json.dumps(read)


def test_files_that_it_leaves(made):
    _, root, _ = made
    path = record_path("custom", "ae8", 1, root)
    log = path.with_suffix(".csv")
    assert set(path.parent.iterdir()) == {*record_files(path), log}
    assert load_checkpoint(record_files(path)[0]).keypoints == 3


def test_the_detections_are_those_that_were_counted(made):
    """In COCO's results format, of the photos that could be read; they give the record's AP."""
    preset, root, record = made
    path = record_path("custom", "ae8", 1, root)
    arrays = read_arrays(path)
    assert arrays["image_id"].tolist() == [1, 2, 3, 5, 6]
    detections = json.loads(record_files(path)[1].read_text(encoding="utf-8"))
    assert len(detections) == len(arrays["match_score"])
    assert len(detections) > 0
    for one in detections:
        assert set(one) == {"image_id", "category_id", "keypoints", "score"}
        assert len(one["keypoints"]) == 9
        assert one["image_id"] in arrays["image_id"]
    truth = json.loads((preset.parent / "people.json").read_text(encoding="utf-8"))
    for part, key in (("images", "id"), ("annotations", "image_id")):
        truth[part] = [one for one in truth[part] if one[key] != BROKEN]
    settings = flat_settings(str(preset), "ae8", 1)
    found = keypoint_ap(truth, detections, get_skeleton(settings.data.skeleton))
    for name in ("AP", "AP50", "AP75", "AR", "APM", "APL"):
        assert record["metrics"][name] == pytest.approx(found[name], nan_ok=True), name
    everything = np.ones((1, len(arrays["image_id"])), int)
    assert average_precision(rank_detections(arrays), everything)[0] == pytest.approx(
        found["AP"], abs=1e-6
    )


def test_its_weights_are_those_that_were_evaluated(made):
    preset, root, record = made
    settings = flat_settings(str(preset), "ae8", 1)
    weights = record_files(record_path("custom", "ae8", 1, root))[0]
    again = evaluate_weights(settings, weights, progress=False, skip_broken=True)
    assert again.metrics["AP"] == record["metrics"]["AP"]
    assert set(again.per_image) >= set(PER_IMAGE)


def test_what_a_photo_run_keeps_and_tells(tmp_path, caplog):
    """The weights that are best in validation; what was left out is listed; no folder of the
    machine is named; and it is made once."""
    preset = custom_preset(tmp_path, steps=3, validate_every=2)
    (tmp_path / "images" / "004.jpg").write_bytes(b"no photo")
    settings, root = flat_settings(str(preset), "ae8", 1), tmp_path / "results"
    assert not is_made(settings, root)
    metrics = run(settings, root, options=Options(skip_broken=True, workers=1),
                  progress=False)["metrics"]  # fmt: skip
    assert 0 <= metrics["AP"] <= 1
    path = record_path("custom", "ae8", 1, root)
    record = read_record(path)
    assert record["metrics"]["AP"] == metrics["AP"]
    assert record["settings"]["decode"]["flip"] is False  # as the preset has it
    assert record["settings"]["data"]["train_set"] == ["people.json", "images"]
    assert record["data"]["test_digest"] == record["data"]["train_digest"]
    assert read_arrays(path)["validation_step"].tolist() == [2, 3]
    assert is_made(settings, root)
    assert not is_made(flat_settings(str(preset), "ae8", 1, steps=4), root)
    path.write_text("[]")
    assert not is_made(settings, root)
    assert "left out, 1 in all:" in caplog.text
    assert "004.jpg" in caplog.text


def test_the_digests_follow_photos_annotations_and_skeleton(tmp_path):
    """A run on other data is another run, also where its settings read the same."""
    presets = [custom_preset(tmp_path / name) for name in ("one", "other")]
    skeleton = tmp_path / "other" / "triangle.yaml"
    skeleton.write_text(skeleton.read_text(encoding="utf-8").replace("0.05", "0.06", 1))
    before, after = (flat_settings(str(preset), "ae8", 1) for preset in presets)
    first, second = identity(before), identity(after)
    assert first["settings"] == second["settings"]  # wherever the files lie
    differ = {name for name in first["data"] if first["data"][name] != second["data"][name]}
    assert differ == {"skeleton_digest"}
    (tmp_path / "one" / "images" / "002.jpg").unlink()
    with pytest.raises(ValueError, match=r"002\.jpg"):
        identity(before, skip_broken=False)
    left_out = identity(before)["data"]
    assert left_out["skeleton_digest"] == first["data"]["skeleton_digest"]
    assert all(left_out[f"{split}_digest"] != first["data"][f"{split}_digest"]
               for split in ("train", "val", "test"))  # fmt: skip


def test_missing_photos_end_a_run_at_once_or_are_left_out(tmp_path):
    preset = custom_preset(tmp_path, steps=1)
    (tmp_path / "images" / "002.jpg").unlink()
    settings, root = flat_settings(str(preset), "ae8", 1), tmp_path / "results"
    with pytest.raises(ValueError, match=r"002\.jpg.*; mend it, or leave it out with skip_broken"):
        run(settings, root, progress=False)
    assert not root.exists()
    run(settings, root, options=Options(skip_broken=True, workers=0), progress=False)
    assert is_made(settings, root)
    assert read_arrays(record_path("custom", "ae8", 1, root))["image_id"].tolist() == [
        1,
        3,
        4,
        5,
        6,
    ]


def test_a_run_without_validation_photos(tmp_path):
    """The accuracies on validation photos are left out, and nothing else."""
    preset = custom_preset(tmp_path, steps=1, val_set=[])
    settings, root = flat_settings(str(preset), "ae8", 1), tmp_path / "results"
    run(settings, root, options=Options(workers=0), progress=False)
    arrays = read_arrays(record_path("custom", "ae8", 1, root))
    assert "val_accuracy_at" not in arrays
    assert "val_digest" not in identity(settings)["data"]
    settings = settings.override({"data": {"val_set": ("people.json", "nowhere")}})
    with pytest.raises(
        ValueError, match=r"^people\.json: cannot be read \(No such file"
    ):  # named, and not there
        run(settings, root, options=Options(workers=0), progress=False)


def test_a_photo_run_is_made_again_where_its_photos_are(tmp_path, monkeypatch, capsys):
    """A record names files alone: in the folder that has them it is verified, and nowhere else."""
    preset = custom_preset(tmp_path / "data", steps=2)
    settings, root = flat_settings(str(preset), "ae8", 1), tmp_path / "results"
    run(settings, root, options=Options(workers=0), progress=False)
    path = record_path("custom", "ae8", 1, root)
    monkeypatch.chdir(tmp_path)
    assert main(["verify", str(path), "--workers", "0"]) == 2
    assert f"cannot verify: {path}: settings: " in capsys.readouterr().err
    monkeypatch.chdir(tmp_path / "data")
    for option in ((), ("--evaluation",)):
        assert main(["verify", str(path), "--workers", "0", *option]) == 0, option
        assert "to the bit" in capsys.readouterr().out
