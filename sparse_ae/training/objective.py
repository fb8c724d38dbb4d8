"""The objective of a method: its losses and their weighted sum."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparse_ae.losses import (
    decorrelation_loss,
    gather_tags,
    grouping_loss,
    heatmap_loss,
    offset_loss,
    scale_from_tags,
    scale_loss,
    swahr_loss,
)
from sparse_ae.models.outputs import PoseOutput, to_input
from sparse_ae.runtime.distributed import all_reduce_mean, all_reduce_sum, rank_and_world_size
from sparse_ae.runtime.precision import uses_bfloat16
from sparse_ae.settings.sections import LossSettings
from sparse_ae.training.batches import Batch


def training_losses(
    model: nn.Module, batch: Batch, loss: LossSettings, precision: str
) -> tuple[dict[str, Tensor], Tensor | None]:
    """Compute the unweighted losses of a batch.

    Several processes have equal shares of the batch. The means of their losses and gradients are
    those of the whole batch.

    Args:
        model: Takes images, returns a PoseOutput.
        batch: Batch on the model's device.
        loss: Settings of the losses.
        precision: As for `uses_bfloat16`.

    Returns:
        The method's losses by name, and the embeddings at the joints (B, P, K, D), None for a
        method without embeddings.
    """
    image = to_input(batch.image, model)
    kind = image.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=uses_bfloat16(precision, kind)):
        output: PoseOutput = model(image)
    losses = heatmap_losses(output, batch, loss)
    if output.tags is None and output.centre is None:
        return losses, None
    if output.tags is None:
        centre, offsets, weight = batch.offsets
        mask = None if batch.masks is None else batch.masks[0]
        losses["centre"] = heatmap_loss(output.centre, centre[:, None], focal=False, mask=mask)
        entries = None  # with several processes, a mean over their shares of the batch
        if rank_and_world_size()[1] > 1:
            entries = all_reduce_mean(2 * weight.count_nonzero())
        losses["offset"] = offset_loss(output.offsets, offsets, weight, entries)
        return losses, None
    tags = gather_tags(output.tags, batch.joints)
    return losses | embedding_losses(tags, batch, loss), tags


def heatmap_losses(output: PoseOutput, batch: Batch, loss: LossSettings) -> dict[str, Tensor]:
    """Compute the losses of the joints' heatmaps, summed over both map sizes."""
    masks = batch.masks or (None,) * len(batch.targets)
    if output.adapt is not None:
        parts = [swahr_loss(*maps, mask=mask) for *maps, mask in zip(
            output.heatmaps, batch.targets, output.adapt, masks, strict=True)]  # fmt: skip
        return {"heatmap": sum(part.heatmap for part in parts),
                "swahr": sum(part.scale for part in parts)}  # fmt: skip
    scale = scale_from_tags(output.tags) if loss.scale_aware else None  # (B, K, h, w)
    heatmap = torch.zeros((), device=batch.image.device)
    for pred, target, mask in zip(output.heatmaps, batch.targets, masks, strict=True):
        if scale is not None and scale.shape != target.shape:
            scale = torch.nn.functional.interpolate(scale, size=target.shape[2:])
        heatmap = heatmap + heatmap_loss(
            pred, target, scale, beta=loss.beta, focal=loss.focal, mask=mask
        )
    return {"heatmap": heatmap}


def embedding_losses(tags: Tensor, batch: Batch, loss: LossSettings) -> dict[str, Tensor]:
    """Compute the losses of embeddings (B, P, K, D) at the joints."""
    pull, push = grouping_loss(tags, batch.visible, form=loss.form)
    losses = {"pull": pull, "push": push}
    if loss.scale_weight > 0:
        form, _, sign = (loss.scale_form or loss.form).partition("-")
        losses["scale"] = scale_loss(
            tags, batch.visible, batch.scale, form=form, bins=loss.scale_bins,
            absolute={"": None, "absolute": True, "signed": False}[sign],
        )  # fmt: skip
    if loss.decorrelate:
        losses["decorrelate"] = decorrelation_loss(tags, batch.visible, all_reduce_sum)
    return losses


def weighted_sum(losses: dict[str, Tensor], loss: LossSettings) -> Tensor:
    """Return the sum of the losses; loss `name` has the weight loss.name_weight."""
    return sum(getattr(loss, f"{name}_weight") * value for name, value in losses.items())
