"""What a method is trained to make small: its losses and their weighted sum."""

from __future__ import annotations

import torch
from torch import Tensor

from sparse_ae.losses import (
    gather_tags,
    grouping_loss,
    heatmap_loss,
    scale_from_tags,
    scale_loss,
)
from sparse_ae.losses.decorrelation import decorrelation_loss
from sparse_ae.losses.offset import offset_loss
from sparse_ae.losses.swahr import swahr_loss
from sparse_ae.models import PoseNet
from sparse_ae.models.checkpoints import load_backbone
from sparse_ae.models.lite import imagenet_weights
from sparse_ae.models.official import NETWORKS, CoupledNet, HigherHRNet
from sparse_ae.models.outputs import PoseOutput, to_input
from sparse_ae.models.pose_net import TAG_BIAS
from sparse_ae.runtime.distributed import all_reduce_mean, all_reduce_sum, rank_and_world_size
from sparse_ae.settings.config import Config
from sparse_ae.skeleton import get_skeleton
from sparse_ae.training.batches import Batch


def make_net(config: Config) -> PoseNet | HigherHRNet | CoupledNet:
    """The net of a method, with the heads that it needs, its backbone filled from
    `config.pretrained`."""
    keypoints = len(get_skeleton(config.skeleton))
    if config.network in NETWORKS:
        net = _make_hrnet(keypoints, config)
    else:
        net = PoseNet(keypoints, config.dim, config.widths, adapt=config.adapt,
                      offsets=config.offsets, tag_init=config.tag_init, backbone=config.network,
                      )  # fmt: skip
    if config.pretrained:
        imagenet = config.pretrained == "imagenet"
        load_backbone(net, imagenet_weights() if imagenet else config.pretrained)
    return net


def _make_hrnet(keypoints: int, config: Config) -> HigherHRNet | CoupledNet:
    """One of the peers' networks; ValueError for a method whose heads they do not have."""
    if config.adapt or config.offsets or config.tag_init != "small":
        raise ValueError(f"network {config.network!r} has no heads for method {config.method!r}")
    started = {"tag_bias": TAG_BIAS} if config.network == "coupled" else {}
    return NETWORKS[config.network](
        keypoints, config.dim, config.network_width, fine=config.fine, **started
    )


def training_losses(
    model: PoseNet, batch: Batch, config: Config
) -> tuple[dict[str, Tensor], Tensor | None]:
    """The unweighted losses of a batch, by name, those alone that the method has; and the
    embeddings at its joints (B, P, K, D), None without embeddings.

    With several processes (`processes`), each with an equal share of the batch, the means of their
    losses are those of the whole batch, and so are the means of their gradients.
    """
    image = to_input(batch.image, model)
    kind = image.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=uses_bfloat16(config.precision, kind)):
        output: PoseOutput = model(image)
    losses = heatmap_losses(output, batch, config)
    if output.tags is None:
        centre, offsets, weight = batch.offsets
        mask = None if batch.masks is None else batch.masks[0]
        losses["centre"] = heatmap_loss(output.centre, centre[:, None], focal=False, mask=mask)
        together = (
            rank_and_world_size()[1] > 1
        )  # then it is divided by the number over the whole batch
        entries = all_reduce_mean(2 * weight.count_nonzero()) if together else None
        losses["offset"] = offset_loss(output.offsets, offsets, weight, entries)
        return losses, None
    tags = gather_tags(output.tags, batch.joints)
    return losses | embedding_losses(tags, batch, config), tags


def heatmap_losses(output: PoseOutput, batch: Batch, config: Config) -> dict[str, Tensor]:
    """Those of the joints' heatmaps, summed over both sizes."""
    masks = batch.masks or (None,) * len(batch.targets)
    if config.adapt:
        parts = [swahr_loss(*maps, mask=mask) for *maps, mask in zip(
            output.heatmaps, batch.targets, output.adapt, masks, strict=True)]  # fmt: skip
        return {"heatmap": sum(part.heatmap for part in parts),
                "adapt": sum(part.scale for part in parts)}  # fmt: skip
    scale = scale_from_tags(output.tags) if config.scale_aware else None  # (B, K, h, w)
    heatmap = torch.zeros((), device=batch.image.device)
    for pred, target, mask in zip(output.heatmaps, batch.targets, masks, strict=True):
        if scale is not None and scale.shape != target.shape:
            scale = torch.nn.functional.interpolate(scale, size=target.shape[2:])
        heatmap = heatmap + heatmap_loss(
            pred, target, scale, beta=config.beta, focal=config.focal, mask=mask
        )
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
        losses["decorrelate"] = decorrelation_loss(tags, batch.visible, all_reduce_sum)
    return losses


def total(losses: dict[str, Tensor], config: Config) -> Tensor:
    """The weighted sum that is trained: a loss `name` weighs config.name_weight."""
    return sum(getattr(config, f"{name}_weight") * value for name, value in losses.items())


def uses_bfloat16(precision: str, kind: str = "cpu") -> bool:
    """Whether to compute in bfloat16 on a "cpu" or "cuda"; "auto" means: where it has
    instructions for it."""
    if precision == "auto" and kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "auto":
        able = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.10 cannot tell
        return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    return precision == "bfloat16"
