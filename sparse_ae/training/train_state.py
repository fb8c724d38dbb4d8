"""The state of a run after a step: net, optimiser, schedule, curve and best weights so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from sparse_ae.runtime.distributed import (
    all_reduce_mean,
    broadcast,
    rank_and_world_size,
    share_norms,
)
from sparse_ae.settings.sections import LossSettings, OptimSettings
from sparse_ae.training.average import WeightAverage, copy_of
from sparse_ae.training.batches import Batch, on_device
from sparse_ae.training.mean_linearity import mean_linearity
from sparse_ae.training.objective import training_losses, weighted_sum
from sparse_ae.training.resume import optimizer_state, part_of, prefixed, restore_optimizer
from sparse_ae.training.schedule import make_schedule

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CURVE_EVERY = 20  # steps between two points of the curve


class TrainState:
    """A net in training; starts at step 0.

    Args:
        model: Net with its first weights.
        loss: Which losses it minimises.
        optim: Optimiser and schedule.
        fabric: Lightning Fabric, with the devices on which it trains.
        compiled: Whether to use torch.compile.

    Attributes:
        step: How many steps are done.
        seconds: Seconds of training, set by `train`.
        newly_validated: The last figure of `add_validation`, until the log takes it.
    """

    def __init__(
        self, model: nn.Module, loss: LossSettings, optim: OptimSettings, fabric: Fabric, *,
        compiled: bool = False,
    ):  # fmt: skip
        self.loss, self.optim, self.step, self.seconds = loss, optim, 0, 0.0
        self.newly_validated: float | None = None
        self._fabric = fabric
        model = model.to(memory_format=torch.channels_last).train()
        self._model = share_norms(model, fabric.device) if optim.sync_batch_norm else model
        self._model.to(fabric.device)  # before the optimiser is made: its fused step needs that
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=optim.learning_rate, weight_decay=optim.weight_decay,
            fused=True,
        )  # fmt: skip
        self._schedule = make_schedule(self._optimizer, optim)
        self._average = WeightAverage(self._model, optim.ema) if optim.ema else None
        net = torch.compile(self._model) if compiled else self._model
        self._net, self._fabric_optimizer = fabric.setup(net, self._optimizer)
        self._points: list[dict[str, float]] = []
        self._recent: list[Tensor] = []  # losses (L,) of each step since the last point
        self._shown: list[Tensor | None] = []  # ids (B,) of their images
        self._names: tuple[str, ...] = ()  # of the L losses
        self._tags, self._visible = None, None  # of the last batch
        self._validations: list[tuple[int, float]] = []
        self._best: dict[str, Tensor] = {}

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self._schedule.get_last_lr()[0]

    def is_due(self, every: int) -> bool:
        """Return whether the step is a multiple of `every`, or the last; False for 0."""
        return every > 0 and (self.step % every == 0 or self.step == self.optim.steps)

    def learn(self, batch: Batch):
        """Make one step of training."""
        shown = batch.ids
        if self._fabric.device.type != "cpu":
            batch = on_device(batch, self._fabric.device)
        parts, tags = training_losses(self._net, batch, self.loss, self.optim.precision)
        self._fabric_optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(weighted_sum(parts, self.loss))
        if self.optim.max_grad_norm:
            self._fabric.clip_gradients(self._net, self._fabric_optimizer,
                                        max_norm=self.optim.max_grad_norm, error_if_nonfinite=False,
                                        )  # fmt: skip
        self._fabric_optimizer.step()
        self._schedule.step()
        self.step += 1
        if self._average is not None:
            self._average.update(self.step)
        self._names = tuple(parts)
        self._recent.append(torch.stack(tuple(parts.values())).detach())
        self._shown.append(shown)
        self._tags, self._visible = tags, batch.visible

    def add_point(self) -> dict[str, float]:
        """Add a point to the curve and return its losses; raises as `check`."""
        means = self.check()
        self._points.append({
            "step": self.step, **{f"loss_{name}": value for name, value in means.items()},
            **mean_linearity(self._tags, self._visible),
        })  # fmt: skip
        self._recent.clear()
        self._shown.clear()
        return means

    def check(self) -> dict[str, float]:
        """Return the mean losses since the last point, by name.

        Raises:
            FloatingPointError: A loss is not finite.
        """
        if not self._recent:
            return {}
        losses = torch.stack(self._recent)  # (n, L)
        means = all_reduce_mean(losses.mean(0))
        if not means.isfinite().all():
            raise FloatingPointError(self._what_went_wrong(losses.cpu()))
        return dict(zip(self._names, means.tolist(), strict=True))

    def _check_weights(self):
        """Raise FloatingPointError for weights that are not finite."""
        for name, values in self._model.state_dict().items():
            if values.is_floating_point() and not values.isfinite().all():
                told = ", ".join(f"{n} {v:g}" for n, v in self._last_losses().items()) or "none"
                raise FloatingPointError(f"step {self.step}: weights are no longer finite, as "
                                         f"{name}; the last losses: {told}")  # fmt: skip

    def _last_losses(self) -> dict[str, float]:
        """Return the losses of the curve's last point, by name."""
        return {name.removeprefix("loss_"): value
                for name, value in (self._points or [{}])[-1].items()
                if name.startswith("loss_")}  # fmt: skip

    def _what_went_wrong(self, losses: Tensor) -> str:
        """Name step, images and last finite losses, from losses (n, L) since the last point."""
        whole = losses.isfinite().all(1)
        wrong = int(whole.int().argmin())  # the first; 0 if it is in another process
        if whole.all():
            return f"step {self.step}: in another process a loss is no longer finite"
        step = self.step - len(losses) + wrong + 1
        told = ", ".join(f"{n} {v:g}" for n, v in zip(self._names, losses[wrong], strict=True))
        before = self._last_losses()
        if wrong:
            before = dict(zip(self._names, losses[wrong - 1].tolist(), strict=True))
        last = ", ".join(f"{name} {value:g}" for name, value in before.items()) or "none"
        ids = self._shown[wrong] if wrong < len(self._shown) else None
        images = "unknown" if ids is None else ", ".join(map(str, ids.tolist()))
        return (f"step {step}: a loss is no longer finite: {told}; images {images}; "
                f"the last finite losses: {last}")  # fmt: skip

    def add_validation(self, validate: Callable[[nn.Module, int], float]):
        """Validate in the first process, and keep the best weights so far; raises as `state`."""
        self.check()
        self._check_weights()
        value, trained = 0.0, None
        if self._average is not None:
            trained = copy_of(self._model)
            self._model.load_state_dict(self._average.weights)
        if rank_and_world_size()[0] == 0:
            value = float(validate(self._model.eval(), self.step))
            self._model.train()
        value = self.newly_validated = broadcast(value)
        if not self._best or value > np.nanmax([v for _, v in self._validations]):
            self._best = {name: tensor.cpu() for name, tensor in copy_of(self._model).items()}
        if trained is not None:
            self._model.load_state_dict(trained)
        self._validations.append((self.step, value))

    def state(self) -> tuple[dict, dict[str, Tensor]]:
        """Return header and tensors for `resume.write_state`.

        Raises:
            FloatingPointError: A loss or a weight is not finite.
        """
        self.check()
        self._check_weights()
        groups, tensors = optimizer_state(self._optimizer)
        tensors |= prefixed("weights.", self._model.state_dict()) | prefixed("best.", self._best)
        if self._average is not None:
            tensors |= prefixed("average.", self._average.weights)
        tensors["random"] = torch.get_rng_state()
        if self._fabric.device.type == "cuda":
            tensors["random_cuda"] = torch.cuda.get_rng_state(self._fabric.device)
        if self._recent:
            tensors["recent"] = torch.stack(self._recent)
        columns = list(self._points[0]) if self._points else []
        if self._points:
            rows = [list(point.values()) for point in self._points]
            tensors["curve"] = torch.tensor(rows, dtype=torch.float64)
        schedule = {k: v for k, v in self._schedule.state_dict().items() if k != "lr_lambdas"}
        header = {"step": self.step, "seconds": self.seconds, "groups": groups, "columns": columns,
                  "schedule": schedule, "names": self._names, "validations": self._validations,
                  }  # fmt: skip
        return header, tensors

    def restore(self, header: Mapping, tensors: Mapping[str, Tensor]):
        """Restore what `state` returned, in a run with the same settings."""
        self.step, self.seconds = header["step"], header["seconds"]
        self._model.load_state_dict(part_of(tensors, "weights."))
        restore_optimizer(self._optimizer, header["groups"], tensors)
        schedule = dict(header["schedule"])
        if "lr_lambdas" in self._schedule.state_dict():
            schedule["lr_lambdas"] = [None]  # a function; the schedule has it already
        self._schedule.load_state_dict(schedule)
        if self._average is not None:
            self._average.restore(part_of(tensors, "average."))
        torch.set_rng_state(tensors["random"])
        if "random_cuda" in tensors and self._fabric.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random_cuda"], self._fabric.device)
        self._names, self._best = tuple(header["names"]), part_of(tensors, "best.")
        recent = tensors.get("recent", torch.empty(0)).to(self._fabric.device)
        self._recent, self._shown = list(recent), [None] * len(recent)
        rows = tensors["curve"].tolist() if header["columns"] else []
        self._points = [dict(zip(header["columns"], row, strict=True)) for row in rows]
        self._validations = [(step, value) for step, value in header["validations"]]

    def curve(self) -> dict[str, np.ndarray]:
        """Return the points so far, as columns."""
        return {name: np.array([point[name] for point in self._points], np.float32)
                for name in (self._points or [{}])[0]}  # fmt: skip

    def validation(self) -> dict[str, np.ndarray]:
        """Return steps and figures of `add_validation` as columns; empty without validation."""
        if not self._validations:
            return {}
        steps, values = zip(*self._validations, strict=True)
        return {"validation_step": np.array(steps), "validation_value": np.array(values)}

    def finished(self) -> nn.Module:
        """Return the net in evaluation mode; raises as `state`.

        Its weights are the best of the validation, else their average, else the last ones.
        """
        if self._best:
            self._model.load_state_dict(self._best)
        elif self._average is not None:
            self._model.load_state_dict(self._average.weights)
        self._check_weights()
        return self._model.eval()
