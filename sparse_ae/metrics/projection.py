"""Projection of embeddings onto their first principal component, to test grouping on a line."""

from __future__ import annotations

import numpy as np


def project_to_line(tags, visible) -> np.ndarray:
    """Project the embeddings of an image onto their first principal component.

    Args:
        tags: (P, K, D), read where visible.
        visible: (P, K) bool.

    Returns:
        (P, K, 1) coordinates on the axis through the visible embeddings' mean along which they vary
        most; 0 where not visible. Distances along it are those of the projected embeddings.

    Example:
        >>> tags = np.array([[[0.0, 0.0], [3.0, 4.0]]])
        >>> np.ptp(project_to_line(tags, np.ones((1, 2), bool))).round(6)
        np.float64(5.0)
    """
    tags, visible = np.asarray(tags, float), np.asarray(visible, bool)
    line = np.zeros((*visible.shape, 1))
    points = tags[visible]  # (n, D)
    if len(points):
        centred = points - points.mean(axis=0)
        axis = np.linalg.svd(centred, full_matrices=False)[2][0]  # (D,)
        line[visible, 0] = centred @ axis
    return line
