"""The compared methods: the label and colour of each, and the settings that define it.

`MAIN` has the paper's method, its parts and its rivals. Each other method answers one question: how
many dimensions, what Γ and W do alone, whether narrower targets do as well, or what else keeps
embeddings off the line.
"""

from __future__ import annotations

from typing import NamedTuple


class Method(NamedTuple):
    """A method's label and colour in all tables and figures, and its defining settings by section.

    The first six colours after grey are Okabe and Ito's, which colour-blind readers can tell apart.
    """

    label: str
    colour: str
    settings: dict[str, dict]


def _ae(dim: int = 8, model: dict | None = None, **loss) -> dict[str, dict]:
    """Return the settings of Associative Embedding, with some changed."""
    plain = {"scale_weight": 0.0, "scale_aware": False, "focal": False, "decorrelate": False}
    heads = {"swahr_head": False, "offset_heads": False, "tag_init": "small"}
    return {"model": {"dim": dim, **heads, **(model or {})}, "loss": {**plain, **loss}}


def _with_scale(**loss) -> dict[str, dict]:
    """Return the settings of Associative Embedding with L_s, whose weight the preset sets."""
    settings = _ae(**loss)
    del settings["loss"]["scale_weight"]
    return settings


ALL = {
    # Associative Embedding with one dimension, and with eight
    "ae1": Method("AE, D = 1", "#8c8c8c", _ae(1)),
    "ae8": Method("AE, D = 8", "#d55e00", _ae()),
    # with Lₛ; with the heatmap widths Γ too; and with the weights W, which is the paper's method
    "ae8_scale": Method("AE, D = 8, with Lₛ", "#009e73", _with_scale()),
    "rve_gamma": Method("with Lₛ and Γ", "#56b4e9", _with_scale(scale_aware=True)),
    "rve": Method("RVE (the paper)", "#0072b2", _with_scale(scale_aware=True, focal=True)),
    # SWAHR: an extra head adapts the heatmaps' width; embeddings of one dimension
    "swahr": Method("scale-adaptive heatmaps", "#cc79a7", _ae(1, {"swahr_head": True})),
    # no embeddings: a centre and an offset from it to every joint
    "offset": Method("centre and offset", "#e69f00", _ae(0, {"offset_heads": True})),
    # neither embeddings nor offsets: nothing is grouped; a start for all others
    "heatmaps": Method("heatmaps alone", "#444444", _ae(0)),
    # how many dimensions
    "ae2": Method("AE, D = 2", "#8a84c4", _ae(2)),
    "ae4": Method("AE, D = 4", "#b5a22a", _ae(4)),
    "ae16": Method("AE, D = 16", "#5c2600", _ae(16)),
    # W alone; both with the loss weights of Lₛ alone; neither, but targets as narrow as Γ makes
    # them on average; and Γ with a mean of 1. The preset sets that width and that mean
    "rve_w": Method("with Lₛ and W", "#004466", _with_scale(focal=True)),
    "rve_equal_weights": Method(
        "RVE, weights of Lₛ alone", "#7a8fd0", _with_scale(scale_aware=True, focal=True)
    ),
    "ae8_narrow": Method("with Lₛ, narrow targets", "#66a61e", _with_scale()),
    "gamma_centred": Method("with Lₛ and centred Γ", "#e7298a", _with_scale(scale_aware=True)),
    # what else might keep embeddings off the line
    "ae8_large": Method("AE, larger start", "#f0a884", _ae(model={"tag_init": "large"})),
    "ae8_orthogonal": Method(
        "AE, orthogonal start", "#a0522d", _ae(model={"tag_init": "orthogonal"})
    ),
    "ae8_decorrelated": Method("AE, decorrelated", "#6a3d9a", _ae(decorrelate=True)),
    "ae8_log": Method("AE, with Lₛ on log scales", "#33a02c", _with_scale(scale_bins="log")),
}
METHODS = {name: method.settings for name, method in ALL.items()}
MAIN = ("ae1", "ae8", "ae8_scale", "rve_gamma", "rve", "swahr", "offset")
