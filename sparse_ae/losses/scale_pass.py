"""The scale read from embeddings, in one compiled pass over their maps."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sparse_ae.losses.blocks import BLOCK, even, flat, read, write
from sparse_ae.losses.vector_math import AT, fused_kernel
from sparse_ae.runtime.kernels import kernel

FEW = np.float32(1e-12)  # smaller sums of magnitudes count as this


def compiled_scale(tag_maps: Tensor) -> Tensor:
    """Compute `scale_from_tags` for float32 or bfloat16 maps (B, K, D, H, W) in host memory.

    Maps are copied only if their dimensions do not follow one another in memory, which no network's
    output needs.
    """
    images, kinds, dim, *size = tag_maps.shape
    if not even(tag_maps) or (kinds > 1 and tag_maps.stride(1) != dim * tag_maps.stride(2)):
        tag_maps = tag_maps.contiguous()
    maps, strides = flat(tag_maps.flatten(1, 2))
    channels_last = strides[2] != 1
    layout = torch.channels_last if channels_last else torch.contiguous_format
    scales = torch.empty((images, kinds, *size), memory_format=layout)
    out, out_strides = flat(scales)
    shape = images, kinds, dim, size[0] * size[1]
    run = _channels_last if channels_last and strides[1] == 1 else _channel_by_channel
    run(maps, strides, out, out_strides, shape, ((np.arange(dim) + 0.5) / dim).astype(np.float32))
    return scales


@kernel
def _channel_by_channel(maps, strides, out, out_strides, shape, centres):
    images, kinds, dim, cells = shape
    tag, total = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    weighted, middle = np.empty(BLOCK, np.float32), centres.mean()
    for row in range(images * kinds):
        b, k = row // kinds, row % kinds
        for start in range(0, cells, BLOCK):
            count = min(BLOCK, cells - start)
            total[:] = 0
            weighted[:] = 0
            for d in range(dim):
                read(maps, strides, b, k * dim + d, start, count, tag)
                _add(tag, centres[d], total, weighted)
            _divide(weighted, total, middle)
            write(out, out_strides, b, k, start, count, weighted)


@fused_kernel
def _add(tag, centre, total, weighted):
    for i in range(BLOCK):
        size = abs(tag[AT(i)])
        total[AT(i)] += size
        weighted[AT(i)] += centre * size


@kernel
def _divide(weighted, total, middle):
    for i in range(len(weighted)):
        whole = total[AT(i)]
        ratio = weighted[AT(i)] / (FEW if whole < FEW else whole)
        weighted[AT(i)] = middle if whole == np.float32(0) else ratio


@kernel
def _channels_last(maps, strides, out, out_strides, shape, centres):
    images, kinds, dim, cells = shape
    tags = np.empty(kinds * dim, np.float32)
    total, weighted = np.empty(kinds, np.float32), np.empty(kinds, np.float32)
    middle = centres.mean()
    one = (0, 1, 1)
    for b in range(images):
        for i in range(cells):
            read(maps, one, 0, 0, b * strides[0] + i * strides[2], kinds * dim, tags)
            for k in range(kinds):
                whole = part = np.float32(0)
                for d in range(dim):
                    size = abs(tags[AT(k * dim + d)])
                    whole += size
                    part += centres[AT(d)] * size
                total[k] = whole
                weighted[k] = part
            _divide(weighted, total, middle)
            write(out, one, 0, 0, b * out_strides[0] + i * out_strides[2], kinds, weighted)
