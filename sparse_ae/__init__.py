"""sparse_ae: regularised vector embeddings for bottom-up human pose estimation.

`sparse_ae.load(weights).predict(image)` finds the persons in an image; see
`sparse_ae.evaluation.predict`.
"""

__version__ = "0.1.0"
__all__ = ["Predictor", "load"]


def __getattr__(name: str):
    """`load` and `Predictor`, once they are asked for: they bring torch along."""
    if name in __all__:
        from sparse_ae.evaluation import predict

        return getattr(predict, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
