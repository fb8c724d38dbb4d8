"""A net as an ONNX file gives what torch gives, at any size, or is not written."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import torch

from sparse_ae.cli import main
from sparse_ae.evaluation import export
from sparse_ae.evaluation.infer import infer
from sparse_ae.evaluation.predictor import Predictor, Usage, load
from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.skeleton import COCO

pytestmark = pytest.mark.slow
USAGE = Usage(96, COCO)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Weights of a random net with a level at 1/64, and what the command makes of them."""
    folder = tmp_path_factory.mktemp("export")
    torch.manual_seed(0)
    net = PoseNet(17, 3, (8, 8, 12, 12, 16, 16))
    for head in (net.heatmap_head, net.fine_heatmap_head, net.tag_head):
        torch.nn.init.normal_(head.weight)  # as they start, all maps would be nearly constant
    save_checkpoint(net, folder / "net.safetensors", USAGE.to_dict())
    words = ["--onnx", str(folder / "net.onnx"), "--weights", str(folder / "net.safetensors")]
    assert main(["export", *words]) == 0
    return folder / "net.safetensors", folder / "net.onnx"


@pytest.mark.parametrize("shape", [(128, 64), (192, 320)])
def test_all_outputs_are_those_of_the_library(exported, shape):
    weights, path = exported
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    session = onnxruntime.InferenceSession(path)
    heatmaps, embeddings = session.run(["heatmaps", "embeddings"], {"image": image})
    assert heatmaps.shape == (17, shape[0] // 2, shape[1] // 2)
    net = load(weights).net
    maps = infer(net, [image[None]], COCO)
    np.testing.assert_allclose(embeddings, maps.native_tags[0].numpy(), atol=1e-4)
    assert embeddings.std() > 0.01
    enlarged = torch.nn.functional.interpolate(torch.from_numpy(heatmaps)[None], shape,
                                               mode="bilinear")[0]  # fmt: skip
    np.testing.assert_allclose(enlarged, maps.heatmaps[0].numpy(), atol=1e-4)
    assert heatmaps.std() > 0.01


def test_the_file_says_how_the_net_is_used_and_names_no_machine(exported):
    session = onnxruntime.InferenceSession(exported[1])
    usage = json.loads(session.get_modelmeta().custom_metadata_map["usage"])
    assert Usage.from_dict(usage) == USAGE
    assert b".py" not in exported[1].read_bytes()


def test_a_file_that_differs_is_not_written(exported, tmp_path, monkeypatch):
    """Another net's file in the place of this one's."""
    monkeypatch.setattr(export, "_to_onnx", lambda *_: exported[1].read_bytes())
    other = Predictor(PoseNet(17, 3, (8, 8, 12, 12, 16, 16)).eval(), USAGE)
    with pytest.raises(ValueError, match=r"heatmaps would differ from torch's by .*: not written"):
        export.export_onnx(other, tmp_path / "other.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_told(tmp_path, capsys, monkeypatch):
    path = tmp_path / "net.safetensors"
    save_checkpoint(PoseNet(17, 0, (4, 4, 4, 4, 4)), path, USAGE.to_dict())
    words = ["export", "--weights", str(path), "--onnx", str(tmp_path / "net.onnx")]
    assert main(words) == 1
    assert "a net without embeddings" in capsys.readouterr().err
    assert main([*words[:-1], str(tmp_path / "no" / "net.onnx")]) == 1
    assert "no such folder; make it first" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    assert main(words) == 1
    assert "needs onnxscript: pip install 'sparse-ae[export]'" in capsys.readouterr().err
