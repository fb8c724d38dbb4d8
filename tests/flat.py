"""Settings for tests by their names alone, without their sections."""

from __future__ import annotations

from sparse_ae.settings import Settings, load_settings
from sparse_ae.settings.settings import PresetSections

# names that two sections have: where tests mean them
MEANT = {"flip": "augment", "scales": "data", "scale": "augment"}


def flat_settings(preset: str, method: str, seed: int = 0, **values) -> Settings:
    """`load_settings` with values in place of the preset's: flat_settings("smoke", "rve", steps=3)
    sets optim.steps."""
    return load_settings(preset, method, seed, by_section(values))


def by_section(values: dict) -> dict[str, dict]:
    """Values by section: {"steps": 3} as {"optim": {"steps": 3}}."""
    found: dict[str, dict] = {}
    for name, value in values.items():
        has = [section for section, field in PresetSections.model_fields.items()
               if name in field.annotation.model_fields]  # fmt: skip
        (section,) = {MEANT.get(name, has[0])} if has else {None}
        if section is None:
            raise KeyError(name)
        found.setdefault(section, {})[name] = value
    return found


def stream_of(settings: Settings, *, workers: int = 0, skip_broken: bool = False):
    """The stream of batches that a run with these settings is trained on, in this one process."""
    from sparse_ae.companion.experiment import open_stream
    from sparse_ae.runtime.launch import Options, launch_fabric

    options = Options(accelerator="cpu", workers=workers, skip_broken=skip_broken)
    return open_stream(settings, options, launch_fabric(options), progress=False)


def net_of(settings: Settings):
    """The net of a run, with the first weights that its seed draws."""
    import torch

    from sparse_ae.models.make import make_net
    from sparse_ae.skeleton import get_skeleton

    torch.manual_seed(settings.run.seed)
    return make_net(settings.model, len(get_skeleton(settings.data.skeleton)))


def train_run(settings: Settings, stream=None, **arguments):
    """A run's training alone; arguments: of `train`."""
    from sparse_ae.training import train

    stream = stream_of(settings) if stream is None else stream
    return train(net_of(settings), stream, settings.loss, settings.optim, progress=False,
                 **arguments)  # fmt: skip


def losses_of(net, batch, settings: Settings):
    """The unweighted losses of a batch, and the embeddings at its joints."""
    from sparse_ae.training.objective import training_losses

    return training_losses(net, batch, settings.loss, settings.optim.precision)
