"""Export a net as an ONNX file, after comparing it with torch."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparse_ae.evaluation.infer import STEP
from sparse_ae.evaluation.predictor import Predictor
from sparse_ae.models.outputs import to_input
from sparse_ae.runtime.files import write_whole

TOLERANCE = 1e-4  # largest difference of a heatmap's or an embedding's value from torch's
OUTPUTS = ("heatmaps", "embeddings")


class _OneImage(nn.Module):
    """A net for one image: (H, W, 3) uint8 → heatmaps (K, H/2, W/2), embeddings (K, D, H/4, W/4).

    Heatmaps of both sizes are averaged at the finer one, as `infer.infer` does.
    """

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        output = self.net(to_input(image.permute(2, 0, 1)[None], self.net))
        fine = output.heatmaps[-1].shape[2:]
        enlarged = [F.interpolate(maps, fine, mode="bilinear") for maps in output.heatmaps]
        return sum(enlarged)[0] / len(enlarged), output.tags[0]


def export_onnx(predictor: Predictor, path: str | Path) -> float:
    """Write a net as an ONNX file for images of any size, once onnxruntime agrees with torch.

    The file takes `image`, (H, W, 3) uint8, red first, H and W multiples of 64, and gives
    `heatmaps` (K, H/2, W/2), the mean of both sizes, and `embeddings` (K, D, H/4, W/4). Its
    metadata has `Usage.to_dict` as JSON, under `usage`.

    Args:
        predictor: The net and its usage, on the CPU.
        path: The file; an existing one is replaced.

    Returns:
        The largest difference from torch that was found, on images of two sizes.

    Raises:
        ModuleNotFoundError: A package of the extra `export` is missing.
        ValueError: The net has no embeddings, or the file would not give what torch gives; nothing
            is written.
        OSError: The file cannot be written.
    """
    import onnxruntime
    import onnxscript  # noqa: F401  (torch needs it, and says so less plainly)

    if not getattr(predictor.net, "dim", 1):
        raise ValueError("a net without embeddings: nothing tells whose a joint is")
    module = _OneImage(predictor.net).eval()
    content = _to_onnx(module, json.dumps(predictor.usage.to_dict()))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    side, largest = -(-predictor.usage.size // STEP) * STEP, 0.0
    for shape in ((side, side), (side, side + STEP)):
        image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
        with torch.no_grad():
            expected = module(torch.from_numpy(image))
        for name, ours, theirs in zip(OUTPUTS, expected, session.run(None, {"image": image}),
                                      strict=True):  # fmt: skip
            difference = float(np.abs(ours.numpy() - theirs).max())
            if not difference <= TOLERANCE:
                raise ValueError(f"{path}: {name} would differ from torch's by {difference:.1e}, "
                                 f"more than {TOLERANCE:.0e}: not written")  # fmt: skip
            largest = max(largest, difference)
    write_whole(Path(path), content)
    return largest


def _to_onnx(module: nn.Module, usage: str) -> bytes:
    """Return the file's content from torch's exporter, without the paths of this machine in it."""
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of unneeded packages
    height, width = (STEP * torch.export.Dim(name, min=1, max=2**10) for name in ("h", "w"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # from torch's own modules
        program = torch.onnx.export(
            module, (torch.zeros(2 * STEP, 3 * STEP, 3, dtype=torch.uint8),), dynamo=True,
            input_names=["image"], output_names=list(OUTPUTS), verbose=False,
            dynamic_shapes=({0: height, 1: width},),
            optimize=False,  # the weights stay as they are; runtimes fold them as they load
        )  # fmt: skip
    ClearMetadataAndDocStringPass()(program.model)
    program.model.metadata_props["usage"] = usage
    return program.model_proto.SerializeToString()
