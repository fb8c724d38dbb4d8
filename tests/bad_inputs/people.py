"""Annotations in COCO's format that are broken: a record each, or the whole file."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from photos import TRIANGLE, content, write

from sparse_ae.datasets.annotations import ground_truth, read_annotations

from . import Case, with_file


def change(kind, **fields):
    def apply(data):
        data[kind][1].update(fields)

    return apply


NAN = [float("nan"), *[2.0] * 8]
CROWD = {"iscrowd": 1}
RUNS = {"size": [64, 96]}
# records that are told, or left out and listed with skip_broken (test_annotations)
BROKEN = [
    (change("images", file_name="../1.jpg"), "image 2: file_name '../1.jpg' leaves the folder"),
    (change("images", file_name="/etc/passwd"), "image 2: file_name .* leaves the folder"),
    (change("images", file_name="..\\1.jpg"), "image 2: file_name .* leaves the folder"),
    (change("images", file_name="C:1.jpg"), "image 2: file_name .* leaves the folder"),
    (change("images", file_name="2.jpg\0.png"), "image 2: file_name .*: holds what no file's name"),
    (change("images", file_name="\ud800.jpg"), "image 2: file_name .*: holds what no file's name"),
    (change("images", file_name=None), "image 2: file_name: expected a text, got None"),
    (change("images", width=0), r"image 2: width and height: expected pixels, got \[0, 64\]"),
    (change("images", width=10**7), r"image 2: width and height: expected pixels, got \[10000000"),
    (change("images", width=10**30), "image 2: width: expected an integer of 64 bits, got 1000"),
    (change("images", height="64"), "image 2: height: expected an integer, got '64'"),
    (change("images", id=[]), r"image \[\]: id: expected an integer"),
    (change("annotations", image_id=9), "annotation 102: image_id 9 is not among images"),
    (change("annotations", keypoints=[1, 2, 2]), "102: keypoints: expected 9 numbers, got 3 v"),
    (change("annotations", keypoints=None), "102: keypoints: expected 9 numbers, got None"),
    (change("annotations", keypoints=NAN), "annotation 102: keypoints: NaN or infinity"),
    (change("annotations", keypoints=[5] * 9), "102: keypoints: visibility is 0, 1 or 2"),
    (change("annotations", keypoints=["2"] * 9), "102: keypoints: expected numbers, got .'2', '2'"),
    (change("annotations", keypoints=[[2]] * 9), r"102: keypoints: expected numbers, got \[\[2\]"),
    (change("annotations", keypoints=[10**400] * 9), "102: keypoints: expected pixels, no more th"),
    (change("annotations", keypoints=[1e30] * 9), "102: keypoints: expected pixels, no more than"),
    (change("annotations", bbox=[0, 0, -1, 5]), "102: bbox: negative width or height"),
    (change("annotations", bbox=[0, 0, float("nan"), 5]), "102: bbox: NaN or infinity"),
    (change("annotations", bbox="1234"), "102: bbox: expected 4 numbers, got '1234'"),
    (change("annotations", bbox=[True] * 4), "102: bbox: expected numbers, got .True"),
    (change("annotations", category_id=[]), r"102: category_id: expected an integer, got \[\]"),
    (change("annotations", iscrowd="no"), "102: iscrowd: expected 0 or 1, got 'no'"),
    (change("annotations", **CROWD, segmentation=[[1, 2, 3]]), "102: segmentation: expected out"),
    (change("annotations", **CROWD, segmentation=[[1, 2, 3, 1e30]]), "102: segmentation: expected"),
    (change("annotations", **CROWD, segmentation="abc"), "102: segmentation: expected outlines or"),
    (change("annotations", **CROWD, segmentation={"size": [1, 1], "counts": [1]}),
     r"102: segmentation: expected counts and size \[64, 96\]"),
    (change("annotations", **CROWD, segmentation={**RUNS, "counts": [5]}),
     "102: segmentation: run lengths do not cover the picture"),
    (change("annotations", **CROWD, segmentation={**RUNS, "counts": "PPPPPPPPPPPP"}),
     "102: segmentation: counts are no run lengths"),
    (change("annotations", **CROWD, segmentation={**RUNS, "counts": "05P"}),
     "102: segmentation: counts are cut short"),
    (change("annotations", **CROWD, segmentation={**RUNS, "counts": "05"}),
     "102: segmentation: run lengths do not cover the picture"),
    (change("annotations", **CROWD, segmentation={**RUNS, "counts": "é"}),
     "102: segmentation: counts are no run lengths"),
]  # fmt: skip


def broken(damage):
    """An attempt to read annotations with a record that `damage` changes."""

    def attempt(folder: Path) -> None:
        data = content(3)
        damage(data)
        path = folder / "people.json"
        path.write_text(json.dumps(data))
        read_annotations(path, TRIANGLE)

    return attempt


def truth(data_of):
    """An attempt to take the truth for average precision from changed annotations."""

    def attempt(folder: Path) -> None:
        data = content(2)
        data_of(data)
        ground_truth(write(folder, data), TRIANGLE, crowd=True)

    return attempt


def whole(data) -> object:
    """An attempt to read such a file."""
    return with_file("people.json", data, lambda path: read_annotations(path, TRIANGLE))


def categories(**fields) -> dict:
    """Annotations whose category has other fields."""
    data = copy.deepcopy(content())
    data["categories"][0].update(fields)
    return data


TEXT = json.dumps(content())
CASES = [
    *(Case(f"annotations: {number}, {message[:40]}", broken(damage),
           f"people.json: .*{message}.*; mend it, or leave it out with skip_broken=True")
      for number, (damage, message) in enumerate(BROKEN)),
    Case("annotations: an id twice", broken(change("images", id=1)),
         "people.json: image 1: another image has this id too; mend it, or leave it out with skip"),
    Case("annotations: missing", lambda folder: read_annotations(folder / "none.json", TRIANGLE),
         r"none.json: cannot be read \(No such file or directory\); check the path"),
    Case("annotations: a folder", lambda folder: read_annotations(folder, TRIANGLE),
         r"cannot be read \(Is a directory\); check the path"),
    Case("annotations: cut short", whole(TEXT[: len(TEXT) // 2]),
         r"people.json: cut short or no JSON \(.*\); fetch it again"),
    Case("annotations: no text", whole(b"\x80\x04 pickle"), "people.json: no text in UTF-8"),
    Case("annotations: Latin-1", whole(json.dumps(content()).replace("person", "Füße", 1)
                                       .encode("latin-1")),
         r"people.json: no text in UTF-8 \(byte 0xfc at \d+\); save it as UTF-8"),
    Case("annotations: nested without end", whole("[" * 100_000), "people.json: cut short or no J"),
    Case("annotations: a number without end", whole('{"images": ' + "1" * 9999 + "}"),
         "people.json: cut short or no JSON"),
    Case("annotations: a list", whole([]), "people.json: expected COCO's format, with a list of i"),
    Case("annotations: no list of images", whole({**content(), "images": {}}),
         "people.json: expected COCO's format, with a list of images"),
    Case("annotations: an image that is none", whole({**content(), "images": [3]}),
         "people.json: image no. 0: id: expected an integer, got None; mend it"),
    Case("annotations: a person that is none", whole({**content(), "annotations": [None]}),
         "people.json: annotation no. 0: image_id: expected an integer, got None; mend it"),
    Case("annotations: joints in another order", whole(categories(keypoints=["top", "right"])),
         "people.json: no category has the keypoints of skeleton 'triangle', in its order .* but: "
         "top, right; give the skeleton that fits"),
    Case("annotations: a category without id", whole(categories(id=None)),
         "people.json: categories: id: expected an integer, got None; give each a number"),
    Case("truth: an area that is none", truth(change("annotations", area="large")),
         "people.json: annotation 102: area: expected a number from 0 on, got 'large'; mend it"),
    Case("truth: an area below 0", truth(change("annotations", area=-1)),
         "people.json: annotation 102: area: expected a number from 0 on, got -1"),
    Case("truth: a number of joints that is none", truth(change("annotations", num_keypoints=[])),
         r"people.json: annotation 102: num_keypoints: expected a number from 0 on, got \[\]"),
    Case("truth: a crowd index that is none", truth(change("images", crowdIndex="hard")),
         "people.json: image 2: crowdIndex: expected a number from 0 on, got 'hard'"),
]  # fmt: skip
