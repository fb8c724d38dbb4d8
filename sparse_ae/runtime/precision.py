"""The precision in which networks compute."""

from __future__ import annotations

import torch


def uses_bfloat16(precision: str, kind: str = "cpu") -> bool:
    """Return whether to compute in bfloat16.

    Args:
        precision: "float32", "bfloat16", or "auto", which is bfloat16 if the device has
            instructions for it.
        kind: Kind of device, "cpu" or "cuda".
    """
    if precision == "auto" and kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "auto":
        able = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.10 cannot tell
        return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    return precision == "bfloat16"
