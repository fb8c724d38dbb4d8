"""What a method is trained to make small: its losses and their weighted sum."""

from __future__ import annotations

import torch
from torch import Tensor

from sparse_ae.alternatives import decorrelation_loss
from sparse_ae.batches import Batch
from sparse_ae.config import Config
from sparse_ae.losses import (
    gather_tags,
    grouping_loss,
    heatmap_loss,
    scale_from_tags,
    scale_loss,
)
from sparse_ae.model import PoseNet, PoseOutput
from sparse_ae.offset import offset_loss
from sparse_ae.skeleton import get_skeleton
from sparse_ae.swahr import swahr_loss


def make_net(config: Config) -> PoseNet:
    """The net of a method, with the heads that it needs."""
    return PoseNet(len(get_skeleton(config.skeleton)), config.dim, config.widths,
                   adapt=config.adapt, offsets=config.offsets, tag_init=config.tag_init,
                   )  # fmt: skip


def training_losses(
    model: PoseNet, batch: Batch, config: Config
) -> tuple[dict[str, Tensor], Tensor | None]:
    """The unweighted losses of a batch, by name, those alone that the method has; and the
    embeddings at its joints (B, P, K, D), None without embeddings."""
    with torch.autocast("cpu", torch.bfloat16, enabled=uses_bfloat16(config.precision)):
        output: PoseOutput = model(batch.image)
    losses = heatmap_losses(output, batch, config)
    if output.tags is None:
        centre, offsets, weight = batch.offsets
        losses["centre"] = heatmap_loss(output.centre, centre[:, None], focal=False)
        losses["offset"] = offset_loss(output.offsets, offsets, weight)
        return losses, None
    tags = gather_tags(output.tags, batch.joints)
    return losses | embedding_losses(tags, batch, config), tags


def heatmap_losses(output: PoseOutput, batch: Batch, config: Config) -> dict[str, Tensor]:
    """Those of the joints' heatmaps, summed over both sizes."""
    if config.adapt:
        parts = [swahr_loss(*maps) for maps in zip(output.heatmaps, batch.targets, output.adapt,
                                                   strict=True)]  # fmt: skip
        return {"heatmap": sum(part.heatmap for part in parts),
                "adapt": sum(part.scale for part in parts)}  # fmt: skip
    scale = scale_from_tags(output.tags) if config.scale_aware else None  # (B, K, h, w)
    heatmap = torch.zeros(())
    for pred, target in zip(output.heatmaps, batch.targets, strict=True):
        if scale is not None and scale.shape != target.shape:
            scale = torch.nn.functional.interpolate(scale, size=target.shape[2:])
        heatmap = heatmap + heatmap_loss(pred, target, scale, beta=config.beta, focal=config.focal)
    return {"heatmap": heatmap}


def embedding_losses(tags: Tensor, batch: Batch, config: Config) -> dict[str, Tensor]:
    """Those of embeddings (B, P, K, D) at the joints."""
    pull, push = grouping_loss(tags, batch.visible, form=config.form)
    losses = {"pull": pull, "push": push}
    if config.scale_weight > 0:
        form, _, sign = (config.scale_form or config.form).partition("-")
        losses["scale"] = scale_loss(
            tags, batch.visible, batch.scale, form=form, bins=config.scale_bins,
            absolute={"": None, "absolute": True, "signed": False}[sign],
        )  # fmt: skip
    if config.decorrelate:
        losses["decorrelate"] = decorrelation_loss(tags, batch.visible)
    return losses


def total(losses: dict[str, Tensor], config: Config) -> Tensor:
    """The weighted sum that is trained: a loss `name` weighs config.name_weight."""
    return sum(getattr(config, f"{name}_weight") * value for name, value in losses.items())


def uses_bfloat16(precision: str) -> bool:
    """Whether to compute in bfloat16; "auto" means: where the processor has instructions for it."""
    if precision == "auto":
        able = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.10 cannot tell
        return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    return precision == "bfloat16"
