"""The directive `crowd-knobs`: scenes rendered for every setting of four knobs, and sliders that
choose among them. Pictures lie in `_static/knobs` of the built book."""

from __future__ import annotations

import itertools
import json
from html import escape
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from docutils import nodes
from docutils.parsers.rst import Directive
from page_data import in_script
from played_figure import OPTIONS, numbered

from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.crowds.sheet import draw_keypoints

KNOBS = {  # name: (label, values)
    "persons": ("persons", (2, 5, 10, 20)),
    "crowding": ("crowd index", (0.1, 0.5, 1.0, 1.6)),
    "scale_spread": ("largest to smallest person", (1.0, 2.5, 10.0)),
    "occlusion": ("persons with a thing in front", (0.0, 0.4, 0.8)),
}
START = (1, 1, 1, 0)
SCENES = 2
SIZE = 256
PLAIN, MARKED = "", "-keypoints"
SCRIPT = Path(__file__).with_suffix(".js")


def config_of(setting: tuple[int, ...]) -> CrowdConfig:
    """The configuration that the knobs, turned to these positions, stand for."""
    persons, crowding, spread, occlusion = (
        values[place] for (_, values), place in zip(KNOBS.values(), setting, strict=True)
    )
    bounds = (max(0.0, crowding - 0.05), crowding + 0.05)
    return CrowdConfig(
        split="test", size=SIZE, persons=(persons, persons), crowding=(bounds,),
        scale_spread=(spread, spread), occlusion=occlusion, scales=(0.24, 0.24),
    )  # fmt: skip


def tell(scene) -> str:
    """What came out, in words."""
    scales = np.sqrt(scene.boxes[:, 2] * scene.boxes[:, 3])
    state = scene.keypoints[..., 2]
    return (
        f"{len(scales)} persons. Crowd index {scene.crowd_index:.2f}. The largest person is "
        f"{scales.max() / scales.min():.1f} times as large as the smallest. "
        f"{(state == 1).sum() / (state > 0).sum():.0%} of the labelled keypoints are hidden."
    )


def write_pictures(folder: Path) -> dict[str, list[str]]:
    """Render every setting; (position of each knob, joined) → what each of its scenes shows."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {}
    for setting in itertools.product(*(range(len(values)) for _, values in KNOBS.values())):
        name = "".join(map(str, setting))
        scenes = [render_scene(config_of(setting), i) for i in range(SCENES)]
        for i, scene in enumerate(scenes):
            for kind, picture in ((PLAIN, scene.image), (MARKED, draw_keypoints(scene))):
                path = folder / f"{name}-{i}{kind}.jpg"
                cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 84])
        told[name] = [tell(scene) for scene in scenes]
    return told


def slider(name: str, label: str, values: tuple, start: int) -> str:
    shown = escape(json.dumps([f"{value:g}" for value in values]))
    return (
        f'<label for="knob-{name}">{escape(label)}: <output id="knob-{name}-is">{values[start]:g}'
        f'</output></label><input type="range" id="knob-{name}" min="0" max="{len(values) - 1}" '
        f'step="1" value="{start}" data-values="{shown}" aria-valuetext="{values[start]:g}">'
    )


def page_html(told: dict[str, list[str]]) -> str:
    """The sliders, the first picture, and a script that turns the one into others."""
    first = "".join(map(str, START))
    sliders = "".join(
        slider(name, *knob, start) for (name, knob), start in zip(KNOBS.items(), START, strict=True)
    )
    choices = "".join(f'<option value="{i}">{i + 1}</option>' for i in range(SCENES))
    data = in_script(told)
    return f"""<div class="crowd-knobs" id="crowd-knobs">
<div class="crowd-knobs-set" role="group" aria-label="Knobs of the crowd">{sliders}
<label for="knob-scene">scene</label><select id="knob-scene">{choices}</select>
<label class="crowd-knobs-check"><input type="checkbox" id="knob-keypoints"> show keypoints</label>
</div>
<figure><img src="_static/knobs/{first}-0.jpg" width="{SIZE}" height="{SIZE}" class="no-scaled-link"
alt="A rendered crowd. {escape(told[first][0])}">
<figcaption aria-live="polite">{escape(told[first][0])}</figcaption></figure>
<script type="application/json" id="knob-texts">{data}</script>
<script>{SCRIPT.read_text(encoding="utf-8")}</script>
</div>"""


class CrowdKnobs(Directive):
    """`crowd-knobs`; its content is the caption, `:name:` what refers to it."""

    has_content = True
    option_spec: ClassVar = OPTIONS

    def run(self) -> list[nodes.Node]:
        app = self.state.document.settings.env.app
        told = write_pictures(Path(app.outdir) / "_static" / "knobs")
        return [numbered(self, page_html(told))]


def setup(app) -> dict:
    """Register with Sphinx."""
    app.add_directive("crowd-knobs", CrowdKnobs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
