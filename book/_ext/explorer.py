"""The directives `embedding-explorer` and `threshold-slider`: a scene beside its embeddings, and
what grouping makes of them at other thresholds. All steps are computed by the library when the
book is built; the script in `explorer.js` draws them."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from docutils import nodes
from docutils.parsers.rst import Directive
from page_data import in_script
from played_figure import OPTIONS, numbered

from sparse_ae.companion.completed_runs import example_run, read_evidence
from sparse_ae.companion.figures.scenes import LEAST, crowded_example, people_to_show, sharp_scene
from sparse_ae.companion.figures.style import PERSON_COLOURS
from sparse_ae.companion.run_notes import source_note
from sparse_ae.companion.tables.formatting import METHOD_LABELS
from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.datasets.open import crowd_config
from sparse_ae.metrics import correctly_grouped, group_labels, group_margin, linearity
from sparse_ae.settings import load_settings
from sparse_ae.skeleton import Skeleton, get_skeleton

METHODS = ("ae8", "ae8_scale", "rve", "ae1")
THRESHOLDS = tuple(float(t) for t in np.round(0.25 * 2 ** (np.arange(17) / 4), 3))  # 0.25 to 4
USED = THRESHOLDS.index(1.0)
FOLLOWED = Path(__file__).parents[2] / "experiments" / "results" / "line" / "steps.npz"
SCRIPT = Path(__file__).with_suffix(".js")


def components(tags: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """(n, 3) the visible embeddings on their first three principal components, 0 beyond D."""
    points = tags[visible].astype(float)
    points -= points.mean(0)
    _, _, basis = np.linalg.svd(points, full_matrices=False)
    flat = points @ basis[:3].T
    return np.pad(flat, ((0, 0), (0, 3 - flat.shape[1])))


def at_threshold(tags, visible, order, threshold: float) -> dict:
    """What grouping makes of the embeddings: the group of each visible joint, which are right, the
    share of those, how many groups there are, and the group margin."""
    label = group_labels(tags, visible, order, tag_threshold=threshold)[visible]
    right = correctly_grouped(tags, visible, order, tag_threshold=threshold)[visible]
    return {
        "group": label.tolist(),
        "right": "".join("01"[int(one)] for one in right),
        "accuracy": round(100 * float(right.mean()), 1),
        "groups": int(label.max()) + 1,
        "margin": round(group_margin(tags, visible, threshold), 2),
    }


def view(arrays, example: int, skeleton: Skeleton) -> dict:
    """One method's embeddings of an example scene, and the persons that it decoded there."""
    tags, visible = arrays["example_tags"][example], arrays["example_visible"][example]
    people = people_to_show(arrays["example_people"][example], skeleton)
    return {
        "points": np.round(components(tags, visible), 3).tolist(),
        "share": round(100 * linearity(tags, visible).first_component, 1),
        "steps": [at_threshold(tags, visible, skeleton.order, one) for one in THRESHOLDS],
        "people": [[[round(float(v), 1) for v in joint[:2]] if joint[2] > 0 else None
                    for joint in person] for person in people],
    }  # fmt: skip


def gather(folder: Path) -> dict | None:
    """Everything that the script draws; the scenes' pictures are written to `folder`. None without
    runs."""
    records, arrays = read_evidence()
    runs = [run for run in (example_run(records, method) for method in METHODS) if run]
    if not runs:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    first = arrays[runs[0]["method"], runs[0]["seed"]]
    skeleton = get_skeleton(runs[0]["settings"]["data"]["skeleton"])
    crowd = CrowdConfig(**runs[0]["data"]["test_crowd"])
    scenes = []
    for example in range(len(first["example_id"])):
        number = int(first["example_id"][example])
        scene, large = render_scene(crowd, number), sharp_scene(crowd, number)[0]
        cv2.imwrite(str(folder / f"{example}.jpg"), large.image[..., ::-1],
                    [cv2.IMWRITE_JPEG_QUALITY, 86])  # fmt: skip
        person, joint = np.nonzero(first["example_visible"][example])
        where = scene.keypoints[person, joint, :2]
        scenes.append({
            "number": number,
            "crowding": round(float(scene.crowd_index), 2),
            "person": person.tolist(),
            "joint": joint.tolist(),
            "at": np.round(where, 1).tolist(),
            "views": {run["method"]: view(arrays[run["method"], run["seed"]], example,
                                          skeleton) for run in runs},
        })  # fmt: skip
    return {
        "size": crowd.size,
        "start": crowded_example(first),
        "scenes": scenes,
        "methods": {run["method"]: METHOD_LABELS[run["method"]] for run in runs},
        "thresholds": THRESHOLDS,
        "used": USED,
        "least": LEAST,
        "joints": [name.replace("_", " ") for name in skeleton.keypoints],
        "limbs": skeleton.limbs,
        "colours": PERSON_COLOURS,
        "source": source_note(runs),
        "followed": follow(folder),
    }


def follow(folder: Path, file: Path = FOLLOWED) -> dict | None:
    """What the slider of training steps draws, from what `experiments/steps.py` kept; its picture
    is written to `folder`. None where nothing was kept."""
    if not file.is_file():
        return None
    kept = np.load(file)
    crowd = crowd_config(load_settings("evening", "ae8", 1).data, "val")
    number, visible = int(kept["scene"]), kept["visible"]
    scene, large = render_scene(crowd, number), sharp_scene(crowd, number)[0]
    cv2.imwrite(str(folder / "followed.jpg"), large.image[..., ::-1],
                [cv2.IMWRITE_JPEG_QUALITY, 86])  # fmt: skip
    person, joint = np.nonzero(visible)
    early = [i for i, step in enumerate(kept["steps"]) if step <= 100 or step % 50 == 0]
    methods = {}
    for method in (name for name in METHODS if name in kept):
        tags = kept[method].astype(float)
        last = tags[-1][visible]
        basis = np.linalg.svd(last - last.mean(0), full_matrices=False)[2][:2]
        flat = [(now[visible] - now[visible].mean(0)) @ basis.T for now in tags[early]]
        shares = [linearity(now, visible).first_component for now in tags[early]]
        methods[method] = [{"points": np.round(points, 4).tolist(), "share": round(100 * share, 1)}
                           for points, share in zip(flat, shares, strict=True)]  # fmt: skip
    return {
        "commit": str(kept["commit"])[:7],
        "steps": kept["steps"][early].tolist(),
        "person": person.tolist(),
        "at": np.round(scene.keypoints[person, joint, :2], 1).tolist(),
        "methods": methods,
    }


def options(names: dict, chosen) -> str:
    return "".join(
        f'<option value="{escape(str(value))}"{" selected" * (value == chosen)}>{escape(label)}'
        "</option>"
        for value, label in names.items()
    )


def scene_choice(data: dict, prefix: str) -> str:
    names = {}
    for index, scene in enumerate(data["scenes"]):
        persons = max(scene["person"]) + 1
        people = "person" if persons == 1 else "people"
        names[index] = f"{scene['number']}: {persons} {people}"
        if prefix == "explorer":
            names[index] += f", index {scene['crowding']:.2f}"
    return (f'<label for="{prefix}-scene">scene</label><select id="{prefix}-scene">'
            f"{options(names, data['start'])}</select>")  # fmt: skip


def explorer_html(data: dict) -> str:
    """A scene, its embeddings under two methods, and a sentence about what is pointed at."""
    return f"""<div class="explorer" id="explorer">
<div class="explorer-set">{scene_choice(data, "explorer")}
<label for="explorer-method">method</label>
<select id="explorer-method">{options(data["methods"], "rve")}</select>
<label for="explorer-beside">beside it</label>
<select id="explorer-beside">{options(data["methods"], "ae8")}</select>
<label><input type="checkbox" id="explorer-people"> skeletons that it decoded</label>
<label><input type="checkbox" id="explorer-space"> three components</label></div>
<div class="explorer-panels">
<svg class="explorer-scene" viewBox="0 0 100 100" role="group" aria-label="The scene"></svg>
<svg class="explorer-plot" viewBox="0 0 100 100" role="group" aria-label="Its embeddings"
tabindex="0"></svg>
<svg class="explorer-plot" viewBox="0 0 100 100" role="group" tabindex="0"
aria-label="Its embeddings under the other method"></svg></div>
<p class="explorer-told" aria-live="polite"></p>
{data["source"]}</div>"""


def slider_html(data: dict) -> str:
    """Two methods on one scene, and the threshold of grouping."""
    panels = "".join(
        f'<figure><figcaption>{escape(data["methods"][method])}</figcaption>'
        f'<svg data-method="{method}" viewBox="0 0 100 100" role="img"></svg>'
        f'<p data-method="{method}"></p></figure>'
        for method in ("ae8", "rve") if method in data["methods"]
    )  # fmt: skip
    return f"""<div class="explorer" id="threshold">
<div class="explorer-set">{scene_choice(data, "threshold")}
<label for="threshold-at">threshold: <output id="threshold-is">1</output></label>
<input type="range" id="threshold-at" min="0" max="{len(THRESHOLDS) - 1}" step="1" value="{USED}"
aria-valuetext="1"></div>
<div class="explorer-panels">{panels}</div>
<p class="explorer-told" aria-live="polite"></p></div>"""


def steps_html(data: dict) -> str:
    """A scene, and its embeddings at a step of training under two methods."""
    if data["followed"] is None:
        return "<p>No run yet: <code>python experiments/steps.py</code> makes it.</p>"
    panels = "".join(
        f'<figure><figcaption>{escape(data["methods"][method])}</figcaption>'
        f'<svg data-method="{method}" viewBox="0 0 100 100" role="img" '
        f'aria-label="Embeddings under {escape(data["methods"][method])}"></svg>'
        f'<p data-method="{method}"></p></figure>'
        for method in data["followed"]["methods"]
    )  # fmt: skip
    count = len(data["followed"]["steps"])
    return f"""<div class="explorer" id="steps">
<div class="explorer-set">
<label for="steps-at">training step: <output id="steps-is">0</output></label>
<input type="range" id="steps-at" min="0" max="{count - 1}" step="1" value="{count - 1}"></div>
<div class="explorer-panels"><figure><figcaption>the scene</figcaption>
<svg viewBox="0 0 100 100" role="img" aria-label="The scene that is followed"></svg></figure>
{panels}</div><p class="explorer-told" aria-live="polite"></p>
<details class="made-of"><summary>Where this comes from</summary>
<code>python experiments/steps.py</code>, commit {data["followed"]["commit"]}</details></div>"""


PIECES = {
    "embedding-explorer": explorer_html,
    "threshold-slider": slider_html,
    "training-steps": steps_html,
}


class Explorer(Directive):
    """`embedding-explorer`, `threshold-slider` and `training-steps`; the content is the caption,
    `:name:` what refers to it. The first of them on a page brings data and script."""

    has_content = True
    option_spec: ClassVar = OPTIONS

    def run(self) -> list[nodes.Node]:
        environment = self.state.document.settings.env
        folder = Path(environment.app.outdir) / "_static" / "explorer"
        if not hasattr(environment.app, "explorer_data"):
            environment.app.explorer_data = gather(folder)
        data = environment.app.explorer_data
        if data is None:
            return [nodes.paragraph(text="No run yet.")]
        html = PIECES[self.name](data)
        if not environment.temp_data.get("explorer"):
            environment.temp_data["explorer"] = True
            text = in_script(data)
            html += f'<script type="application/json" id="explorer-data">{text}</script>'
            html += f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>"
        return [numbered(self, html)]


def setup(app) -> dict:
    """Register with Sphinx."""
    for name in PIECES:
        app.add_directive(name, Explorer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
