"""Embeddings of one scene while a net trains, for the slider on the page "Embeddings on a line".

    python experiments/steps.py

Trains Associative Embedding with eight dimensions, without and with the scale loss, as the preset
evening does but in 600 steps and without averaging weights. Keeps the embeddings at the true joints
of one validation scene after every ten steps. Takes about four minutes on one core per method.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import torch

from sparse_ae.companion.records import provenance
from sparse_ae.companion.training_data import open_stream
from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.datasets.open import crowd_config
from sparse_ae.evaluation.infer import infer
from sparse_ae.losses import gather_tags
from sparse_ae.models.make import make_net
from sparse_ae.runtime.files import write_whole
from sparse_ae.runtime.launch import Options, launch_fabric
from sparse_ae.settings import Settings, load_settings
from sparse_ae.skeleton import get_skeleton
from sparse_ae.training.loop import train

METHODS, STEPS, EVERY = ("ae8", "ae8_scale"), 600, 10
LEAST = 6  # people in the scene that is followed, the first crowded one with this many


def choose_scene(crowd: CrowdConfig, least: int = LEAST):
    """Return the number of the first hard scene with at least `least` people, and the scene."""
    numbers = (i for i in range(1000) if render_scene(crowd, i).crowd_index >= 0.8)
    number = next(i for i in numbers if len(render_scene(crowd, i).keypoints) >= least)
    return number, render_scene(crowd, number)


def follow(settings: Settings, scene) -> tuple[np.ndarray, np.ndarray]:
    """Train a net; return the steps (T,) and the embeddings (T, P, K, D) of a scene's joints."""
    torch.set_num_threads(1)
    skeleton, found = get_skeleton(settings.data.skeleton), {}
    fabric = launch_fabric(Options())
    stream = open_stream(settings, Options(), fabric)
    torch.manual_seed(settings.run.seed)
    net = make_net(settings.model, len(skeleton))

    def look(net, step: int) -> float:
        training = net.training
        maps = infer(net.eval(), [scene.image[None]], skeleton)
        net.train(training)
        stride = settings.data.size / maps.native_tags.shape[3]
        at = torch.from_numpy((scene.keypoints[None, ..., :2] + 0.5) / stride)
        found[step] = gather_tags(maps.native_tags, at)[0].numpy()
        return float(step)

    look(net, 0)
    train(net, stream, settings.loss, settings.optim, fabric=fabric, validate=look,
          name=settings.run.method)  # fmt: skip
    return np.array(sorted(found)), np.stack([found[step] for step in sorted(found)])


def main():
    """Train both, and write what the slider shows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("experiments/results/line/steps.npz"))
    options = parser.parse_args()
    short = {"optim": {"steps": STEPS, "validate_every": EVERY, "ema": 0.0}}
    settings = {name: load_settings("evening", name, 1, short) for name in METHODS}
    crowd = crowd_config(settings["ae8"].data, "val")
    number, scene = choose_scene(crowd)
    kept = {"scene": np.array(number), "visible": scene.keypoints[..., 2] > 0}
    for name, one in settings.items():
        kept["steps"], tags = follow(one, scene)
        kept[name] = tags.astype(np.float16)
    made = provenance("", "python experiments/steps.py", "cpu")
    kept["commit"] = np.array(made["commit"])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.savez_compressed(content, **kept)
    write_whole(options.out, content.getvalue())
    print(options.out)


if __name__ == "__main__":
    main()
