"""The page "Try it": the net in a browser finds whom the library finds, from a disk and from a
server; nothing is loaded before it is asked for; and bad input is told while the page goes on."""

from __future__ import annotations

import base64
import functools
import http.server
import re
import threading

import cv2
import numpy as np
import pytest
import torch
from opened_book import ROOT, Visit

from sparse_ae.crowds import CrowdConfig, render_scene
from sparse_ae.evaluation.predictor import Usage, load
from sparse_ae.grouping import group
from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.settings import DecodeSettings
from sparse_ae.skeleton import COCO, CROWDPOSE

pytestmark = pytest.mark.slow
SIDE = 512  # of the page's crowds, which are then seen as they are
WAIT = 120_000  # ms


@pytest.fixture(scope="module")
def try_it():
    """The directive's module."""
    pytest.importorskip("docutils", reason="part of the book extra")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "book" / "_ext"))
        import try_it

        yield try_it


def written(try_it, folder, weights):
    """The page alone, as the directive makes it; its path and its data."""
    data = try_it.gather(folder / "_static" / "try-it", weights)
    page = folder / "try-it.html"
    page.write_text(f'<!doctype html><meta charset="utf-8">{try_it.page_html(data)}')
    return page, data


def image_of(data, scene=0) -> np.ndarray:
    """A scene's picture, (H, W, 3) uint8, red first."""
    content = base64.b64decode(data["scenes"][scene]["picture"].partition(",")[2])
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@pytest.fixture(scope="module")
def with_net(try_it, tmp_path_factory):
    """The page with a small random net that sees people in a crowd: path, data, weights, and the
    ONNX file that was packed."""
    folder = tmp_path_factory.mktemp("try-it")
    torch.manual_seed(0)
    net = PoseNet(17, 4, (8, 8, 12, 12, 16, 16)).eval()
    scene = render_scene(CrowdConfig(split="test", size=256), 0)
    image = torch.from_numpy(scene.image).permute(2, 0, 1)[None] / 255 - 0.5
    heads = (net.heatmap_head, net.fine_heatmap_head, net.tag_head)
    for head in heads:
        torch.nn.init.normal_(head.weight)
    with torch.no_grad():
        maps = net(image)
        for head, out in zip(heads, (*maps.heatmaps, maps.tags), strict=True):
            head.weight *= 0.35 / out.std()
    weights = folder / "net.safetensors"
    usage = Usage(SIDE, COCO, DecodeSettings(min_score=0.3, max_people=8))
    save_checkpoint(net.half().float(), weights, usage.to_dict())
    exported, halved = [], try_it.halved
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(try_it, "halved", lambda content: exported.append(content) or halved(content))
        return *written(try_it, folder, weights), weights, exported[0]


def press_load(page):
    page.locator("#try-load").click()
    said = "document.getElementById('try-said').innerText"
    page.wait_for_function(f"/took|cannot|SIMD/.test({said})", timeout=WAIT)
    return page.locator("#try-said").inner_text()


@pytest.fixture(scope="module")
def loaded(browser, with_net):
    """The page from a disk, with its network loaded."""
    with Visit(browser, with_net[0]) as visit:
        visit.page.set_default_timeout(WAIT)
        visit.page.wait_for_function("document.getElementById('try-told').innerText")
        before = list(visit.requests)
        assert not any("runtime.js" in url or "network.js" in url for url in before)
        assert "took" in press_load(visit.page)
        yield visit
        assert visit.errors == []


def people_of(page) -> np.ndarray:
    return np.array(page.evaluate("document.getElementById('try-canvas').people"), float)


def assert_same_people(found, expected):
    """As many, in this order, within half a pixel, and with the same scores."""
    assert len(found) == len(expected)
    np.testing.assert_allclose(found[..., 2], expected[..., 2], atol=1e-3)
    seen = expected[..., 2] > 0
    assert np.abs(found[..., :2] - expected[..., :2])[seen].max() <= 0.5


@pytest.mark.parametrize(("scene", "slider"), [(0, 0), (1, 0), (1, 2), (0, 1)])
def test_the_browser_finds_whom_the_library_finds(loaded, with_net, scene, slider):
    _, data, weights, _ = with_net
    page = loaded.page
    page.locator("#try-scene").select_option(str(scene))
    page.wait_for_function("document.getElementById('try-said').innerText.includes('took')")
    page.locator("#try-threshold").fill(str(slider))
    shown = page.locator("#try-threshold-is").inner_text()
    assert float(shown) == 2**slider
    predictor = load(weights, decode={"tag_threshold": 2.0**slider})
    expected = predictor.predict(image_of(data, scene)).keypoints
    assert len(expected) >= 2
    assert_same_people(people_of(page), expected)
    assert page.locator("#try-told").inner_text().startswith(
        f"Threshold {shown}: {len(expected)} people of ")  # fmt: skip
    assert page.locator("#try-overlay circle").count() == page.locator("#try-plot circle").count()
    page.locator("#try-threshold").fill("0")


def test_nothing_is_loaded_from_elsewhere(loaded):
    assert all(url.startswith(("file:", "data:", "blob:")) for url in loaded.requests)
    assert sum("runtime.js" in url or "network.js" in url for url in loaded.requests) == 2


def test_it_works_from_a_server(browser, with_net):
    path, data, weights, _ = with_net
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=path.parent)
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = f"http://127.0.0.1:{server.server_port}/"
    context = browser.new_context()
    try:
        page, requests = context.new_page(), []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(home + path.name)
        assert "took" in press_load(page)
        assert all(url.startswith((home, f"blob:{home}", "data:")) for url in requests)
        assert_same_people(people_of(page), load(weights).predict(image_of(data)).keypoints)
    finally:
        context.close()
        server.shutdown()


def test_photos_of_the_readers_own(loaded, with_net, tmp_path):
    """What is no photo is named and the page goes on; a photo is seen as `predict` sees it."""
    page = loaded.page
    files = {
        "text.png": b"no picture", "clip.mp4": b"\0\0\0\x18ftypmp42" + bytes(500),
        "dot.png": png(1, 1), "wide.png": png(300, 20), "huge.png": png(10_000, 10_000),
    }  # fmt: skip
    for name, words in zip(files, (
        "text.png: no picture that this browser can show", "clip.mp4: no picture that this browser",
        "dot.png: 1 × 1 pixels: too small", "wide.png: 300 × 20 pixels: longer than 8 times",
        "huge.png: 10000 × 10000 pixels, more than 80 million"), strict=True,
    ):  # fmt: skip
        (tmp_path / name).write_bytes(files[name])
        page.locator("#try-photo").set_input_files(tmp_path / name)
        page.wait_for_function(f"document.getElementById('try-said').innerText.includes('{words}')")
    crowd = image_of(with_net[1], 1)[:, 100:420]  # portrait
    cv2.imwrite(str(tmp_path / "crowd.png"), crowd[..., ::-1])
    shifted = load(with_net[2]).predict(crowd).keypoints
    page.locator("#try-photo").set_input_files(tmp_path / "crowd.png")
    page.wait_for_function("document.getElementById('try-said').innerText.includes('took')")
    assert page.locator("#try-overlay").get_attribute("viewBox") == "-0.5 -0.5 320 512"
    assert len(people_of(page)) > 0
    assert abs(len(people_of(page)) - len(shifted)) <= 2  # enlarged in another way
    page.locator("#try-scene").select_option("0")


def png(width: int, height: int) -> bytes:
    return cv2.imencode(".png", np.full((height, width, 3), 90, np.uint8))[1].tobytes()


def test_a_refused_camera_is_told(loaded):
    page = loaded.page
    page.locator("#try-camera").click()
    page.wait_for_function("document.getElementById('try-said').innerText.includes('No camera: ')")
    assert "Photos and crowds still work." in page.locator("#try-said").inner_text()
    assert page.locator("#try-camera").inner_text() == "Start the camera"


CAMERA = """async (picture) => {
  const image = new Image(), canvas = document.createElement("canvas");
  [image.src, canvas.width, canvas.height] = [picture, 512, 512];
  await image.decode();
  setInterval(() => canvas.getContext("2d").drawImage(image, 0, 0), 50);
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20);
}"""


def test_the_cameras_pictures_are_seen_until_it_is_stopped(loaded, with_net):
    """A canvas in the place of a camera."""
    page, button = loaded.page, loaded.page.locator("#try-camera")
    page.evaluate(CAMERA, with_net[1]["scenes"][2]["picture"])
    expected = load(with_net[2]).predict(image_of(with_net[1], 2)).keypoints
    page.evaluate("document.getElementById('try-canvas').people = null")
    button.click()
    page.wait_for_function("document.getElementById('try-canvas').people?.length")
    assert button.inner_text() == "Stop the camera"
    assert abs(len(people_of(page)) - len(expected)) <= 2  # a video is not the picture to the bit
    button.click()
    page.wait_for_function("document.getElementById('try-camera').innerText.startsWith('Start')")
    page.locator("#try-scene").select_option("0")


def test_a_browser_without_simd_is_told(browser, with_net):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("WebAssembly.validate = () => false")
    page.goto(with_net[0].as_uri())
    assert "WebAssembly has no SIMD" in press_load(page)
    assert page.locator("#try-photo").is_disabled()
    page.locator("#try-threshold").fill("1")
    assert page.locator("#try-told").inner_text().startswith("Threshold 2.00: ")
    context.close()


def test_without_weights_the_page_groups_a_records_embeddings(browser, try_it, tmp_path):
    path, data = written(try_it, tmp_path, tmp_path / "none")
    assert not (tmp_path / "_static").exists()
    with Visit(browser, path) as visit:
        page = visit.page
        page.wait_for_function("document.getElementById('try-told').innerText")
        assert "built without the weights" in page.locator("#try-said").inner_text()
        assert page.locator("#try-load").count() == 0
        assert page.locator("#try-camera").is_disabled()
        joints = data["scenes"][0]["joints"]
        most = max(sum(row[0] == k for row in joints) for k in range(14))
        xy, score = np.zeros((14, most, 2)), np.zeros((14, most))
        tag = np.zeros((14, most, len(joints[0]) - 3))
        for k, x, y, *own in joints:
            place = int((score[k] > 0).sum())
            xy[k, place], score[k, place], tag[k, place] = (x, y), 1, own
        for slider in (-2, 0, 2):
            page.locator("#try-threshold").fill(str(slider))
            expected = group(xy, score, tag, CROWDPOSE.order, tag_threshold=2.0**slider)[..., :3]
            np.testing.assert_allclose(people_of(page), expected, atol=1e-4)
            told = page.locator("#try-told").inner_text()
            assert re.search(rf": {len(expected)} (person|people) of {len(joints)} true j", told)
        assert visit.errors == []


def test_weights_are_stored_in_half_where_that_loses_nothing(try_it, with_net):
    import onnxruntime

    whole = with_net[3]
    half = try_it.halved(whole)
    saved = 2 * sum(value.numel() for value in load(with_net[2]).net.parameters())
    assert len(whole) - len(half) > 0.75 * saved  # all but small tensors, and the casts' names
    image = {"image": np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)}
    for one, two in zip(*(onnxruntime.InferenceSession(content).run(None, image)
                          for content in (whole, half)), strict=True):  # fmt: skip
        np.testing.assert_allclose(one, two, atol=1e-6)
