"""The methods that are compared: what each is called, its colour, and the settings that define it.

The first six are the paper's method, what it is made of, and its rivals. The others ask one
question each: how many dimensions, which of the two changes to the heatmaps, whether narrower
targets do as well, and whether something else than a scale keeps embeddings off the line.
"""

from __future__ import annotations

from typing import NamedTuple


class Method(NamedTuple):
    """label and colour, the same in all tables and figures (the first six colours are Okabe and
    Ito's, which colour-blind readers can tell apart); settings of config.Config."""

    label: str
    colour: str
    settings: dict


PLAIN = {"dim": 8, "scale_weight": 0.0, "scale_aware": False, "focal": False}
WITH_SCALE = {"dim": 8, "scale_aware": False, "focal": False}

ALL = {
    # Associative Embedding with one dimension, and with eight
    "ae1": Method("AE, D = 1", "#8c8c8c", {**PLAIN, "dim": 1}),
    "ae8": Method("AE, D = 8", "#d55e00", PLAIN),
    # with Lₛ
    "ae8_scale": Method("AE, D = 8, with Lₛ", "#009e73", WITH_SCALE),
    # the paper: Lₛ, the heatmap widths Γ and the weights W
    "rve": Method("RVE (the paper)", "#0072b2", {"dim": 8, "scale_aware": True, "focal": True}),
    # SWAHR: heatmaps whose width a head of their own adapts; embeddings of one dimension
    "swahr": Method("scale-adaptive heatmaps", "#cc79a7", {**PLAIN, "dim": 1, "adapt": True}),
    # no embeddings: a centre and an offset from it to every joint
    "offset": Method("centre and offset", "#e69f00", {**PLAIN, "dim": 0, "offsets": True}),
    # how many dimensions
    "ae2": Method("AE, D = 2", "#8a84c4", {**PLAIN, "dim": 2}),
    "ae4": Method("AE, D = 4", "#b5a22a", {**PLAIN, "dim": 4}),
    "ae16": Method("AE, D = 16", "#5c2600", {**PLAIN, "dim": 16}),
    # Γ and W, each alone
    "rve_widths": Method("with Lₛ and Γ", "#56b4e9", {**WITH_SCALE, "scale_aware": True}),
    "rve_weights": Method("with Lₛ and W", "#004466", {**WITH_SCALE, "focal": True}),
    # both again with the loss weights of Lₛ alone; and neither, but targets as narrow as Γ makes
    # them in the mean, which is a preset's to set
    "rve_same": Method("RVE, weights of Lₛ alone", "#7a8fd0",
                       {"dim": 8, "scale_aware": True, "focal": True}),
    "ae8_narrow": Method("with Lₛ, narrow targets", "#66a61e", WITH_SCALE),
    # what else might keep embeddings off the line
    "ae8_large": Method("AE, larger start", "#f0a884", {**PLAIN, "tag_init": "large"}),
    "ae8_orthogonal": Method("AE, orthogonal start", "#a0522d",
                             {**PLAIN, "tag_init": "orthogonal"}),
    "ae8_spread": Method("AE, decorrelated", "#6a3d9a", {**PLAIN, "decorrelate": True}),
    "ae8_log": Method("AE, with Lₛ on log scales", "#33a02c",
                      {**WITH_SCALE, "scale_bins": "log"}),
}  # fmt: skip
MAIN = ("ae1", "ae8", "ae8_scale", "rve", "swahr", "offset")
