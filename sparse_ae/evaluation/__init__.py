"""Evaluate a net on crowds or photos, and find people in a user's own photos."""

from sparse_ae.evaluation.evaluation import Evaluation, evaluate
from sparse_ae.evaluation.infer import find_people
from sparse_ae.evaluation.predictor import Predictor, Usage, load

__all__ = ["Evaluation", "Predictor", "Usage", "evaluate", "find_people", "load"]
