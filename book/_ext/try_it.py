"""The directive `try-it`: a net in the reader's browser. The runtime and the net lie beside the
page as scripts that hold them as text: a page may load these from a disk as well as from a server.
It does so when the reader asks for it."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import cv2
import numpy as np
from docutils import nodes
from docutils.parsers.rst import Directive
from page_data import in_script
from played_figure import OPTIONS, numbered

from sparse_ae.companion.completed_runs import example_run, read_evidence
from sparse_ae.companion.figures.scenes import crowded_example, enlarge_points, sharp_scene
from sparse_ae.companion.figures.style import PERSON_COLOURS
from sparse_ae.companion.run_notes import source_note
from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.evaluation.predictor import LEAST_SCORE, SHIPPED, Usage, load
from sparse_ae.skeleton import get_skeleton

HERE = Path(__file__).parent
RUNTIME = HERE.parent / "_vendor" / "onnxruntime-web"
SCRIPTS = ("people_in_maps.js", "try_it.js")
SCENES = 3
LARGE = 256  # numbers: of fewer, a cast's name takes as much
NO_NET = ("This book was built without the weights of the net for photos. The grouping below is "
          "that of a record's embeddings.")  # fmt: skip
BEFORE = ("Photos and the camera need the network. Below are the true joints of a rendered crowd, "
          "and their embeddings under a net of the evidence.")  # fmt: skip


def in_parts(**files: bytes) -> str:
    """A script that adds files to `tryItParts`, compressed, in base64."""
    lines = ["globalThis.tryItParts ??= {};"]
    for name, content in files.items():
        text = base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
        lines.append(f'tryItParts.{name} = "{text}";')
    return "\n".join(lines) + "\n"


def write_runtime(folder: Path) -> int:
    """Write runtime.js: onnxruntime-web, and its glue and WebAssembly as text. Returns its size."""
    script = (RUNTIME / "ort.wasm.min.js").read_text(encoding="utf-8")
    script = script.partition("//# sourceMappingURL")[0]
    name = "ort-wasm-simd-threaded"
    parts = in_parts(glue=(RUNTIME / f"{name}.mjs").read_bytes(),
                     wasm=(RUNTIME / f"{name}.wasm").read_bytes())  # fmt: skip
    licence = (RUNTIME / "LICENSE").read_text(encoding="utf-8")
    text = f"/* onnxruntime-web\n{licence}*/\n{script}\n{parts}"
    return (folder / "runtime.js").write_text(text, encoding="utf-8")


def halved(content: bytes) -> bytes:
    """An ONNX file whose large weights are stored in half precision where that loses nothing."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(content)
    casts, stored = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        large = values.dtype == np.float32 and values.size >= LARGE
        if large and np.array_equal(half.astype(np.float32), values):
            name = f"{tensor.name}.half"
            casts.append(onnx.helper.make_node("Cast", [name], [tensor.name],
                                               to=onnx.TensorProto.FLOAT))  # fmt: skip
            tensor = numpy_helper.from_array(half, name)
        stored.append(tensor)
    nodes_after = list(model.graph.node)
    for field, content in ((model.graph.initializer, stored), (model.graph.node, casts)):
        del field[:]
        field.extend(content)
    model.graph.node.extend(nodes_after)
    return model.SerializeToString()


def write_network(folder: Path, weights: Path) -> dict:
    """Write network.js from a weights file; returns what the script has to know of it."""
    from sparse_ae.evaluation.export import export_onnx

    predictor = load(weights, device="cpu")
    if predictor.usage.decode.rule != "released":
        raise ValueError(f"{weights}: the page groups by rule 'released' alone")
    with TemporaryDirectory() as temporary:
        path = Path(temporary, "net.onnx")
        export_onnx(predictor, path)
        parts = in_parts(network=halved(path.read_bytes()))
    size = (folder / "network.js").write_text(parts, encoding="ascii")
    return {"usage": usage_of(predictor.usage), "bytes": size}


def usage_of(usage: Usage) -> dict:
    """How people are found, by the names of the script."""
    skeleton, decode = usage.skeleton, usage.decode
    return {
        "size": usage.size,
        "names": skeleton.keypoints, "order": skeleton.order, "limbs": skeleton.limbs,
        "sigmas": skeleton.sigmas, "minScore": decode.min_score, "most": decode.max_people,
        "threshold": decode.tag_threshold, "minPersonScore": LEAST_SCORE,
    }  # fmt: skip


def scene_of(crowd: CrowdConfig, arrays: Mapping, example: int) -> dict:
    """One of a run's test scenes, enlarged: its picture and its true joints with embeddings."""
    number = int(arrays["example_id"][example])
    scene, factor = sharp_scene(crowd, number)
    jpeg = cv2.imencode(".jpg", scene.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    small = render_scene(crowd, number)  # whose persons the arrays have
    person, joint = np.nonzero(arrays["example_visible"][example])
    at = enlarge_points(small.keypoints[person, joint], factor)[:, :2]
    tags = arrays["example_tags"][example][person, joint].astype(float)
    rows = np.column_stack([joint, np.round(at, 1), np.round(tags, 4)]).tolist()
    return {
        "label": f"test scene {number}, {len(set(person))} people",
        "picture": "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode(),
        "joints": [[int(row[0]), *row[1:]] for row in rows],
    }


def gather(folder: Path, weights: Path = SHIPPED) -> dict | None:
    """What the script shows; runtime and net are written to `folder`. None without runs."""
    records, arrays = read_evidence()
    record = example_run(records, "rve")
    if not record:
        return None
    kept = arrays[record["method"], record["seed"]]
    crowd = CrowdConfig(**record["data"]["test_crowd"])
    examples = dict.fromkeys((crowded_example(kept), *range(len(kept["example_id"]))))
    net = None
    if weights.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        net = write_network(folder, weights)
        net["bytes"] += write_runtime(folder)
    return {
        "scenes": [scene_of(crowd, kept, example) for example in list(examples)[:SCENES]],
        "stored": {"usage": usage_of(Usage(crowd.size, get_skeleton(crowd.skeleton)))},
        "net": net,
        "before": BEFORE if net else NO_NET,
        "colours": PERSON_COLOURS,
        "source": source_note([record]),
    }


def page_html(data: dict) -> str:
    """The controls, the picture, the embeddings, and the scripts."""
    scenes = "".join(f'<option value="{i}">{escape(scene["label"])}</option>'
                     for i, scene in enumerate(data["scenes"]))  # fmt: skip
    button = ""
    if data["net"]:
        size = f"{data['net']['bytes'] / 1e6:.0f} MB"
        button = f'<button type="button" id="try-load">Load the network ({size})</button>'
    start = np.log2(data["net"]["usage"]["threshold"]) if data["net"] else 0
    scripts = "".join(f"<script>{(HERE / name).read_text(encoding='utf-8')}</script>"
                      for name in SCRIPTS)  # fmt: skip
    return f"""<div class="try-it" id="try-it">
<div class="explorer-set">{button}
<label for="try-scene">rendered crowd</label><select id="try-scene">{scenes}</select>
<label for="try-photo">your photo</label>
<input type="file" id="try-photo" accept="image/*" disabled>
<button type="button" id="try-camera" disabled>Start the camera</button></div>
<p class="try-said" id="try-said" role="status"></p>
<div class="explorer-set">
<label for="try-threshold">threshold: <output id="try-threshold-is">1.00</output></label>
<input type="range" id="try-threshold" min="-3" max="3" step="0.05" value="{start:g}">
<label><input type="checkbox" id="try-peaks" checked> peaks</label></div>
<div class="explorer-panels"><div class="try-picture"><canvas id="try-canvas"></canvas>
<svg id="try-overlay" role="img" aria-label="The picture and the people in it"></svg></div>
<svg class="explorer-plot" id="try-plot" viewBox="0 0 100 100" role="img"
aria-label="The joints' embeddings on their first two principal components"></svg></div>
<p class="explorer-told" id="try-told" aria-live="polite"></p>
{data["source"]}
<script type="application/json" id="try-data">{in_script(data)}</script>
{scripts}</div>"""


class TryIt(Directive):
    """`try-it`; its content is the caption, `:name:` what refers to it."""

    has_content = True
    option_spec: ClassVar = OPTIONS

    def run(self) -> list[nodes.Node]:
        app = self.state.document.settings.env.app
        data = gather(Path(app.outdir) / "_static" / "try-it")
        if data is None:
            return [nodes.paragraph(text="No run yet.")]
        return [numbered(self, page_html(data))]


def setup(app) -> dict:
    """Register with Sphinx."""
    app.add_directive("try-it", TryIt)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
