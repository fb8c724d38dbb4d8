"""sparse_ae: regularised vector embeddings for bottom-up human pose estimation.

The top level has what most users want, imported on access: the losses `grouping_loss`, `scale_loss`
and `heatmap_loss`; `group` and `decode`, from maps to people; and `load`, which returns a net that
finds people in images.
"""

import importlib

__version__ = "0.2.0"
_WHERE = {
    "Predictor": "sparse_ae.evaluation",
    "decode": "sparse_ae.decoding",
    "group": "sparse_ae.grouping",
    "grouping_loss": "sparse_ae.losses",
    "heatmap_loss": "sparse_ae.losses",
    "load": "sparse_ae.evaluation",
    "scale_loss": "sparse_ae.losses",
}
__all__ = list(_WHERE)


def __getattr__(name: str):
    """Import a top-level name from its module."""
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_WHERE]
