"""Heatmap targets and person scale: by hand, by invariance, and against HigherHRNet's output."""

import numpy as np
import pytest

from sparse_ae.targets import clear_targets, heatmap_targets, person_scale, scale_aware_targets


def one(x, y, size=32, sigma=2.0):
    return heatmap_targets(np.array([[[x, y]]]), np.ones((1, 1), bool), size, sigma=sigma)[0]


@pytest.mark.parametrize("case", ["a", "b", "empty", "floatsigma"])
def test_equals_higherhrnet_bit_by_bit(golden, case):
    data = np.load(golden / f"targets_{case}.npz")
    joints, size = data["joints"], int(data["res"])
    ours = heatmap_targets(joints[..., :2], joints[..., 2] > 0, size, sigma=int(data["sigma"]))
    np.testing.assert_array_equal(ours, data["higher"])
    assert ours.dtype == np.float32


@pytest.mark.parametrize("case", ["a", "b", "empty", "floatsigma"])
def test_scale_aware_targets_equal_swahrs_bit_by_bit(golden, case):
    data = np.load(golden / f"targets_{case}.npz")
    joints, sigma = data["joints"], data["joints"][:, :1, 3].ravel()
    assert (joints[..., 3] == sigma[:, None]).all()
    ours = scale_aware_targets(joints[..., :2], joints[..., 2] > 0, int(data["res"]), sigma)
    np.testing.assert_array_equal(ours, data["scale_aware"])
    assert ours.dtype == np.float32


def test_persons_of_one_whole_sigma_are_drawn_as_by_heatmap_targets():
    generator = np.random.default_rng(1)
    joints, visible = generator.uniform(-9, 60, (6, 3, 2)), generator.random((6, 3)) < 0.7
    for sigma in (1, 2, 3):
        plain = heatmap_targets(joints, visible, (40, 50), sigma=sigma)
        each = scale_aware_targets(joints, visible, (40, 50), np.full(6, sigma))
        np.testing.assert_array_equal(plain, each)


def test_scale_aware_targets_by_hand():
    joints, visible = np.array([[[8.0, 8]], [[24, 24]]]), np.ones((2, 1), bool)
    (heatmap,) = scale_aware_targets(joints, visible, 40, [1, 3])
    assert heatmap[8, 9] == pytest.approx(np.exp(-1 / 2))
    assert heatmap[24, 25] == pytest.approx(np.exp(-1 / 18))
    assert (heatmap > 0).sum() == 9**2 + 21**2
    # 1.2 cells wide: 3.6 cells to the left are 4 after rounding, so its centre is off by 0.4
    (off,) = scale_aware_targets(joints[:1], visible[:1], 40, [1.2])
    assert off[8, 8] == pytest.approx(np.exp(-2 * 0.4**2 / (2 * 1.2**2)))


def test_the_last_column_of_a_patch_may_be_cut_off_by_hand():
    """1.1 cells wide: from round(8 − 4.3) to before round(8 + 5.3), one less than the patch has."""
    (heatmap,) = scale_aware_targets(np.full((1, 1, 2), 8.0), np.ones((1, 1)), 40, [1.1])
    assert np.flatnonzero(heatmap.any(axis=0)).tolist() == list(range(4, 13))
    assert np.flatnonzero(heatmap.any(axis=1)).tolist() == list(range(4, 13))


def test_a_patch_ends_with_its_cells_by_hand():
    """A hair above 5/6 of a cell: round(5 − 3.5) to before round(5 + 4.5) would be nine cells, of
    which the patch has eight: 6 sigma + 3 is rounded to 8."""
    sigma = np.nextafter(5 / 6, 1)
    (heatmap,) = scale_aware_targets(np.full((1, 1, 2), 5.0), np.ones((1, 1)), 20, [sigma])
    assert np.flatnonzero(heatmap.any(axis=0)).tolist() == list(range(1, 9))
    assert np.flatnonzero(heatmap.any(axis=1)).tolist() == list(range(1, 9))


def test_values_by_hand():
    heatmap = one(10.9, 12.2)  # the cell in column 10, row 12
    assert np.unravel_index(heatmap.argmax(), heatmap.shape) == (12, 10)
    assert heatmap[12, 10] == 1
    assert heatmap[12, 12] == pytest.approx(np.exp(-4 / 8))
    assert heatmap[13, 11] == pytest.approx(np.exp(-2 / 8))
    assert heatmap[12, 17] == pytest.approx(np.exp(-49 / 8))  # 3 sigma + 1 cells away
    assert heatmap[12, 18] == 0
    assert (heatmap > 0).sum() == 15**2


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.4, 1.5, 2.0, 2.3])
def test_every_sigma_is_centred(sigma):
    heatmap = one(16, 16, size=33, sigma=sigma)
    np.testing.assert_array_equal(heatmap, heatmap[::-1])
    np.testing.assert_array_equal(heatmap, heatmap.T)
    assert heatmap[16, 17] == pytest.approx(np.exp(-1 / (2 * sigma**2)))


def test_persons_overlap_by_their_maximum_in_any_order():
    generator = np.random.default_rng(0)
    joints, visible = generator.uniform(-5, 45, (6, 3, 2)), generator.random((6, 3)) < 0.7
    both = heatmap_targets(joints, visible, (40, 30))
    singles = [heatmap_targets(joints[[p]], visible[[p]], (40, 30)) for p in range(6)]
    np.testing.assert_array_equal(both, np.max(singles, axis=0))
    np.testing.assert_array_equal(both, heatmap_targets(joints[::-1], visible[::-1], (40, 30)))
    assert both.shape == (3, 40, 30)


def test_invisible_and_outside_joints_leave_no_trace():
    joints = np.array([[[5.0, 5], [32, 5]], [[np.nan, 3], [-1, 5]], [[np.inf, 0], [1e300, -1e300]]])
    visible = np.array([[False, True], [False, True], [False, True]])
    assert not heatmap_targets(joints, visible, 32).any()
    assert heatmap_targets(np.zeros((0, 4, 2)), np.zeros((0, 4)), 8).shape == (4, 8, 8)


def test_padding_with_invisible_persons_changes_nothing():
    joints, visible = np.full((3, 2, 2), 4.0), np.array([[True, True], [False] * 2, [False] * 2])
    np.testing.assert_array_equal(
        heatmap_targets(joints, visible, 9), heatmap_targets(joints[:1], visible[:1], 9)
    )


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_maps_are_drawn_into_and_cleared_again(sigma):
    generator = np.random.default_rng(3)
    joints, visible = generator.uniform(-9, 60, (9, 3, 2)), generator.random((9, 3)) < 0.7
    batch = np.zeros((2, 3, 40, 50), np.float32)
    fresh = heatmap_targets(joints, visible, (40, 50), sigma=sigma)
    drawn = heatmap_targets(joints, visible, (40, 50), sigma=sigma, out=batch[1])
    assert drawn.base is batch
    np.testing.assert_array_equal(batch[1], fresh)
    assert (batch[0] == 0).all()
    batch[0] = 5.0
    clear_targets(batch[1], joints, visible, sigma=sigma)
    assert (batch[1] == 0).all()
    clear_targets(batch[0], joints, visible, sigma=sigma)
    np.testing.assert_array_equal(batch[0] == 0, fresh > 0)  # nothing else is touched


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros((1, 8, 9), np.float32), r"out: expected \(1, 8, 8\) float32, got \(1, 8, 9\)"),
        (np.zeros((1, 8, 8)), r"out: expected \(1, 8, 8\) float32, got \(1, 8, 8\) float64"),
        ([[0.0]], r"out: expected \(1, 8, 8\) float32, got list"),
        (
            np.zeros((1, 8, 16), np.float32)[..., ::2],
            "^out: expected a contiguous array that can be written to$",
        ),
    ],
)
def test_maps_that_do_not_fit_are_named(out, message):
    with pytest.raises(ValueError, match=message):
        heatmap_targets(np.zeros((1, 1, 2)), np.ones((1, 1)), 8, out=out)


def test_the_usual_sigma_is_the_same_drawn_and_cleared():
    joints, visible = np.full((1, 1, 2), 20.0), np.ones((1, 1))
    maps = heatmap_targets(joints, visible, 40)
    np.testing.assert_array_equal(maps, heatmap_targets(joints, visible, 40, sigma=2.0))
    wider = maps.copy()
    wider[0, 20, 28] = 7  # beyond sigma 2's patch, within that of sigma 3
    clear_targets(wider, joints, visible)
    assert wider[0, 20, 28] == 7
    assert wider.sum() == 7


def test_person_scale_by_hand():
    scale = person_scale([[3, 4, 16, 64], [0, 0, 0, 5]], 128)
    np.testing.assert_array_equal(scale, np.float32([0.25, 0]))
    assert person_scale(np.zeros((0, 4)), 128).shape == (0,)
    assert scale.dtype == np.float32
    assert person_scale([["1", "2", "3", "12"]], 0.5) == 12  # a side below 1, and text that tells


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": np.zeros((2, 3))}, r"joints: expected \(P, K, 2\), got shape \(2, 3\)"),
        (
            {"joints": np.full((2, 3, 2), np.nan)},
            "^joints: expected finite visible joints, got NaN or infinity$",
        ),
        ({"visible": np.ones((3, 2))}, r"visible: expected \(2, 3\), got shape \(3, 2\)"),
        ({"size": 0}, "size: expected a positive int .* got 0"),
        ({"size": (4, 5, 6)}, "size: expected"),
        ({"size": 4.5}, "size: expected .* got 4.5"),
        ({"sigma": 0}, "sigma: expected .* got 0"),
        ({"sigma": np.nan}, "sigma: expected .* got nan"),
        ({"sigma": np.inf}, "^sigma: expected a positive number of cells, got inf$"),
        ({"sigma": np.array([2.0])}, r"^sigma: expected a positive number of cells, got array"),
    ],
)
def test_bad_targets_are_named(change, message):
    good = {"joints": np.ones((2, 3, 2)), "visible": np.ones((2, 3)), "size": 8, "sigma": 1.0}
    given = {**good, **change}
    with pytest.raises(ValueError, match=message):
        heatmap_targets(given["joints"], given["visible"], given["size"], sigma=given["sigma"])


@pytest.mark.parametrize("kind", [np.float16, np.float32, int, str])
def test_the_type_of_the_numbers_changes_nothing(kind):
    """A sigma rounded to another type is a little different; what is drawn of it is not."""
    joints, visible = np.array([[[5.0, 12]], [[20, 9]]]), np.ones((2, 1))
    np.testing.assert_array_equal(
        heatmap_targets(joints.astype(kind), visible, 32), heatmap_targets(joints, visible, 32)
    )
    sigma = np.array([1.3, 2.7]).astype(kind)
    np.testing.assert_array_equal(
        scale_aware_targets(joints.astype(kind), visible, 32, sigma),
        scale_aware_targets(joints, visible, 32, sigma.astype(float)),
    )


def test_a_map_of_one_cell():
    for size in (1, (1, 1)):
        assert heatmap_targets(np.full((1, 1, 2), 0.5), np.ones((1, 1)), size).tolist() == [[[1]]]


@pytest.mark.parametrize("sigma", [[1.0], [[1.0, 1.0]], 2.0])
def test_a_sigma_for_each_person_or_an_error(sigma):
    with pytest.raises(ValueError, match=r"sigma: expected \(2,\), got shape"):
        scale_aware_targets(np.ones((2, 3, 2)), np.ones((2, 3)), 8, sigma)


@pytest.mark.parametrize("sigma", [[1, 0], [1, -2], [1, np.nan]])
def test_a_sigma_that_is_not_positive_is_named(sigma):
    with pytest.raises(ValueError, match="sigma: expected positive numbers of cells"):
        scale_aware_targets(np.ones((2, 3, 2)), np.ones((2, 3)), 8, sigma)


@pytest.mark.parametrize(
    ("boxes", "side", "message"),
    [
        ([1, 2, 3, 4], 8, r"boxes: expected \(P, 4\), got shape \(4,\)"),
        ([[1, 2, -3, 4]], 8, "^boxes: expected .* 0 or more$"),
        ([[1, np.nan, 3, 4]], 8, "boxes: expected finite"),
        ([[1, 2, 3, 4]], 0, "side: expected .* got 0"),
        ([[1, 2, 3, 4]], np.inf, "side: expected .* got inf"),
    ],
)
def test_bad_scales_are_named(boxes, side, message):
    with pytest.raises(ValueError, match=message):
        person_scale(boxes, side)
