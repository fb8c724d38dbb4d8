"""Measure what data/README.md says of the bank: python data/measure_bodies.py

The script measures limbs inside bodies and the height of the feet, per family and over all. It
takes a minute.
"""

from __future__ import annotations

import numpy as np
from body_checks import FEET, Anatomy
from tqdm import tqdm

from sparse_ae.crowds import load_bodies


def main():
    """Print the measurements."""
    bodies = load_bodies()
    anatomy = Anatomy(bodies.triangles, bodies.parts, bodies.along, bodies.template)
    deepest, inside, feet = [], [], []
    for body in tqdm(bodies.vertices, desc="bodies"):
        deep = np.concatenate(list(anatomy.depths(body).values()))
        deepest.append(deep.max())
        inside.append((deep > 0).mean())
        lowest = anatomy.lowest(body)
        feet.append(max(lowest[foot] for foot in FEET))
    deepest, inside, feet = np.array(deepest), np.array(inside), np.array(feet)
    print(f"{'':24}bodies  limb > 1 cm in  vertices in  higher foot: median, 95 %, most (cm)")
    for name in (*bodies.families, "all"):
        of = [name in (family, "all") for family in np.array(bodies.families)[bodies.family]]
        heights = 100 * np.append(np.quantile(feet[of], (0.5, 0.95)), feet[of].max())
        print(f"{name:24}{sum(of):6}{(deepest[of] > 0.01).mean():16.1%}{inside[of].mean():13.3%}"
              f"  {np.round(heights, 1)}")  # fmt: skip
    print(f"deepest {100 * deepest.max():.2f} cm; {(deepest > 0).mean():.1%} of the bodies have a "
          "limb's vertex inside another part at all")  # fmt: skip


if __name__ == "__main__":
    main()
