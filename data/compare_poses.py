"""Compare the joint angles of the bank's persons with those of real persons.

    SPARSE_AE_DATA=... python data/compare_poses.py

SPARSE_AE_DATA holds layouts/person_keypoints_train2017_recovered.json.gz (COCO's train2017
persons) and crowdpose/json/crowdpose_val.json. The script prints the distance per joint and writes
pose_angles.json beside this file; the book draws its histograms from there. Half a minute.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from pathlib import Path

import numpy as np

from sparse_ae.crowds.people.angles import ANGLES, angle_distance, joint_angles
from sparse_ae.crowds.people.bodies import CROWDPOSE_JOINTS, bodies_path, load_bodies

FILES = {"coco": "layouts/person_keypoints_train2017_recovered.json.gz",
         "crowdpose": "crowdpose/json/crowdpose_val.json"}  # fmt: skip
TITLES = {"coco": "COCO train2017", "crowdpose": "CrowdPose val"}
SMALLEST_BOX = 64  # pixels; the joints in smaller boxes are too coarse to measure angles
BINS = np.arange(-180, 181, 10)
VIEWS = 20  # per body
FRONTAL = 0.4  # share of persons who face the camera
SPREAD = 0.6  # standard deviation of their yaw, radians
PITCH = (0.0, 0.4)  # radians that the camera looks downwards
DISTANCE = (3.0, 12.0)  # metres from the camera
SEED = 0


def real_angles(folder: Path, skeleton: str) -> dict[str, np.ndarray]:
    """Measure the real persons of a data set whose boxes are at least SMALLEST_BOX pixels high."""
    path = folder / FILES[skeleton]
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SystemExit(f"{path}: no such file; SPARSE_AE_DATA names its folder") from None
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    persons = [person for person in json.loads(text)["annotations"]
               if not person.get("iscrowd") and person["bbox"][3] >= SMALLEST_BOX]  # fmt: skip
    keypoints = np.array([person["keypoints"] for person in persons], float)
    return joint_angles(keypoints.reshape(len(persons), -1, 3), skeleton)


def bank_angles(skeleton: str, split: str = "train") -> dict[str, np.ndarray]:
    """Measure the bank's bodies, each seen by VIEWS cameras, all joints labelled."""
    bodies, rng = load_bodies(), np.random.default_rng(SEED)
    index = np.repeat(bodies.of_split(split), VIEWS)
    joints = bodies.joints[index][:, CROWDPOSE_JOINTS if skeleton == "crowdpose" else range(17)]
    count, any_direction = len(index), rng.uniform(-np.pi, np.pi, len(index))
    yaw = np.where(rng.random(count) < FRONTAL, rng.normal(0, SPREAD, count), any_direction)
    pitch, distance = rng.uniform(*PITCH, count), rng.uniform(*DISTANCE, count)
    pixels = project(joints.astype(float), yaw[:, None], pitch[:, None], distance[:, None])
    return joint_angles(np.concatenate((pixels, np.ones_like(pixels[..., :1])), 2), skeleton)


def project(points: np.ndarray, yaw, pitch, distance) -> np.ndarray:
    """Project points (P, K, 3), turned by `yaw`, to (P, K, 2) pixels.

    The camera is `distance` metres away, is inclined by `pitch` and looks at a point 0.8 m above
    the ground.
    """
    x = points[..., 0] * np.cos(yaw) - points[..., 1] * np.sin(yaw)
    y = points[..., 0] * np.sin(yaw) + points[..., 1] * np.cos(yaw)
    z = points[..., 2] - 0.8
    depth = distance + y * np.cos(pitch) - z * np.sin(pitch)
    return 500 * np.stack((x, -(z * np.cos(pitch) + y * np.sin(pitch))), -1) / depth[..., None]


def histogram(angles: np.ndarray) -> list[float]:
    """Return the share of the angles per bin; 180 belongs to the last one."""
    counts = np.histogram(angles, BINS)[0]
    return np.round(counts / counts.sum(), 5).tolist()


def rounded(distance: float) -> float:
    """Round a distance to two decimals."""
    return round(distance, 2)


def compare(folder: Path) -> dict:
    """Return histograms, counts and distances per joint, ready for JSON."""
    real = {name: real_angles(folder, name) for name in FILES}
    bank = {name: bank_angles(name) for name in FILES}
    joints = {}
    for name in ANGLES:
        samples = {"coco": real["coco"], "crowdpose": real["crowdpose"], "bank": bank["crowdpose"]}
        samples = {key: angles[name] for key, angles in samples.items() if name in angles}
        distances = {f"bank to {key}": rounded(angle_distance(bank[key][name], real[key][name]))
                     for key in FILES if key in samples}  # fmt: skip
        if "coco" in samples:
            floor = angle_distance(samples["coco"], samples["crowdpose"])
            distances["coco to crowdpose"] = rounded(floor)
        joints[name] = {
            "persons": {key: len(angles) for key, angles in samples.items()},
            "distances": distances,
            "shares": {key: histogram(angles) for key, angles in samples.items()},
        }
    means = {pair: rounded(np.mean([joint["distances"][pair] for joint in joints.values()
                                    if len(joint["distances"]) == 3]))
             for pair in joints["trunk"]["distances"]}  # fmt: skip
    return {
        "about": "signed angles in the image, degrees, of sparse_ae.crowds.joint_angles; "
        "distances are circular Wasserstein-1 in degrees; data/compare_poses.py wrote this",
        "real": {key: {"title": TITLES[key], "file": FILES[key], "lowest_box": SMALLEST_BOX}
                 for key in FILES},
        "bank": {"digest": load_bodies().digest, "split": "train", "views": VIEWS, "seed": SEED,
                 "frontal": FRONTAL, "spread": SPREAD, "pitch": PITCH, "away": DISTANCE},
        "bins": BINS.tolist(),
        "mean_distances_without_head": means,
        "joints": joints,
    }  # fmt: skip


def print_distances(found: dict):
    """Print a table of the distances."""
    pairs = list(found["mean_distances_without_head"])
    print(f"{'':16}" + "".join(f"{pair:>20}" for pair in pairs))
    rows = {name: joint["distances"] for name, joint in found["joints"].items()}
    for name, row in {**rows, "mean": found["mean_distances_without_head"]}.items():
        print(f"{name:16}" + "".join(f"{row.get(pair, ''):>20}" for pair in pairs))


def main():
    """Compare the poses and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("pose_angles.json"))
    arguments = parser.parse_args()
    if "SPARSE_AE_DATA" not in os.environ:
        parser.error("set SPARSE_AE_DATA to the folder of the real data sets")
    found = compare(Path(os.environ["SPARSE_AE_DATA"]))
    print_distances(found)
    text = json.dumps(found, separators=(",", ":"))
    arguments.out.write_text(text + "\n", encoding="utf-8")
    print(f"{arguments.out}: {len(text) / 1000:.0f} kB, bank {bodies_path()}")


if __name__ == "__main__":
    main()
