"""One training run: a net, a stream of batches, losses and an optimiser."""

from sparse_ae.training.batches import Batch, Targets, collate
from sparse_ae.training.loop import Training, train
from sparse_ae.training.streams import Stream
from sparse_ae.training.train_state import TrainState

__all__ = ["Batch", "Stream", "Targets", "TrainState", "Training", "collate", "train"]
