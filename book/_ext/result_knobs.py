"""The directive `result-knobs`: crowding and the spread of scales as sliders over a scene and over
what the methods reach there. Numbers are those of the summary `knobs`; pictures lie in
`_static/turned` of the built book."""

from __future__ import annotations

import dataclasses
from html import escape
from pathlib import Path
from typing import ClassVar

import cv2
import pandas as pd
from docutils import nodes
from docutils.parsers.rst import Directive
from page_data import in_script
from played_figure import OPTIONS, numbered

from sparse_ae.companion.cached_tables import BASE, cached_table
from sparse_ae.companion.completed_runs import read_evidence
from sparse_ae.companion.knobs import KNOB_DEFAULTS, KNOB_SETTINGS
from sparse_ae.companion.run_notes import source_note
from sparse_ae.companion.tables.formatting import METHOD_COLOURS, METHOD_LABELS, html_table, number
from sparse_ae.crowds import CrowdConfig, render_scene

METHODS = ("ae8", "ae8_scale", "rve")
KNOBS = {"crowding": "crowd index asked for", "scale_spread": "largest to smallest person"}
SCENE = 3  # the number of the test scene that is shown
SIZE = 320
SCRIPT = Path(__file__).with_suffix(".js")


def settings_of(knob: str) -> list:
    """The settings of one knob, in the order of their values."""
    return sorted((s for s in KNOB_SETTINGS if s.knob == knob), key=lambda setting: setting.value)


def draw(knob: str, crowd: CrowdConfig, folder: Path) -> list[str]:
    """Write one scene under every setting of a knob; returns what each shows, in words."""
    told = []
    for place, setting in enumerate(settings_of(knob)):
        turned = dataclasses.replace(crowd, size=SIZE, **{**KNOB_DEFAULTS, **setting.changes})
        scene = render_scene(turned, SCENE)
        path = folder / f"{knob}-{place}.jpg"
        cv2.imwrite(str(path), scene.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86])
        scales = (scene.boxes[:, 2] * scene.boxes[:, 3]) ** 0.5
        told.append(f"{len(scales)} persons, crowd index {scene.crowd_index:.2f}, the largest "
                    f"{scales.max() / scales.min():.1f} times the smallest.")  # fmt: skip
    return told


def values_of(found: pd.DataFrame, knob: str, method: str, base: str) -> list[list[float]]:
    """[value, low, high] in percent at every setting; empty where there are none."""
    part = found[(found["knob"] == knob) & (found["name"] == "AP") & (found["base"] == base)
                 & (found["method"] == method)].sort_values("place")  # fmt: skip
    return [[100 * float(v) for v in row] for row in part[["value", "low", "high"]].to_numpy()]


def gather(folder: Path) -> dict | None:
    """What the script shows; pictures are written to `folder`. None without runs."""
    records, arrays = read_evidence()
    found = cached_table("knobs", records, arrays)
    if found.empty:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    crowd = CrowdConfig(**records[0]["data"]["test_crowd"])
    methods = [name for name in METHODS if values_of(found, "crowding", name, "none")]
    return {
        "methods": {name: METHOD_LABELS[name] for name in methods},
        "colours": {name: METHOD_COLOURS[name] for name in methods},
        "knobs": {
            knob: {
                "label": label,
                "values": [setting.value for setting in settings_of(knob)],
                "told": draw(knob, crowd, folder),
                "levels": {name: values_of(found, knob, name, "none") for name in methods},
                "gains": {name: values_of(found, knob, name, BASE) for name in methods},
            }
            for knob, label in KNOBS.items()
        },
        "source": source_note(records, *methods),
    }


def with_interval(found: list[float], sign: str = "-") -> str:
    """A value and its interval, as the script writes them too."""
    value, low, high = (number(part, 1, sign) for part in found)
    return f"{value} [{low}, {high}]"


def table(data: dict) -> str:
    """All that the sliders reach, as a table."""
    rows = {}
    for knob in data["knobs"].values():
        for place, value in enumerate(knob["values"]):
            row = {label: number(knob["levels"][name][place][0])
                   for name, label in data["methods"].items()}  # fmt: skip
            row |= {f"{label}, less AE": with_interval(knob["gains"][name][place], "+")
                    for name, label in data["methods"].items() if knob["gains"][name]}  # fmt: skip
            rows[knob["label"], f"{value:g}"] = row
    found = pd.DataFrame.from_dict(rows, orient="index")
    found.index = pd.MultiIndex.from_tuples(rows, names=["knob", "at"])
    return html_table(found)


def panel(name: str, knob: dict) -> str:
    """One slider with its scene, its chart and its sentence."""
    start, last = len(knob["values"]) // 2, len(knob["values"]) - 1
    return f"""<section class="result-knob" data-knob="{name}" aria-label="{escape(knob["label"])}">
<div class="result-knob-set"><label for="result-{name}">{escape(knob["label"])}:
<output id="result-{name}-is">{knob["values"][start]:g}</output></label>
<input type="range" id="result-{name}" min="0" max="{last}" step="1" value="{start}"
aria-valuetext="{knob["values"][start]:g}"></div>
<div class="result-knob-panels"><figure><img src="_static/turned/{name}-{start}.jpg" width="{SIZE}"
height="{SIZE}" class="no-scaled-link" alt="A rendered crowd. {escape(knob["told"][start])}">
<figcaption>{escape(knob["told"][start])}</figcaption></figure>
<div class="result-knob-chart"></div></div>
<p class="result-knob-told" aria-live="polite"></p></section>"""


def page_html(data: dict) -> str:
    """Both sliders, the table of all settings, and the script."""
    panels = "".join(panel(name, knob) for name, knob in data["knobs"].items())
    text = in_script(data)
    return f"""<div class="result-knobs" id="result-knobs">{panels}
<details><summary>All settings as a table: AP in percent, differences in points</summary>
{table(data)}</details>{data["source"]}
<script type="application/json" id="result-data">{text}</script>
<script>{SCRIPT.read_text(encoding="utf-8")}</script></div>"""


class ResultKnobs(Directive):
    """`result-knobs`; its content is the caption, `:name:` what refers to it."""

    has_content = True
    option_spec: ClassVar = OPTIONS

    def run(self) -> list[nodes.Node]:
        app = self.state.document.settings.env.app
        data = gather(Path(app.outdir) / "_static" / "turned")
        if data is None:
            return [nodes.paragraph(text="No run yet.")]
        return [numbered(self, page_html(data))]


def setup(app) -> dict:
    """Register with Sphinx."""
    app.add_directive("result-knobs", ResultKnobs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
