"""A training without its evaluation, as a process of its own that tests stop, kill and resume.

python training_run.py PRESET METHOD SEED FOLDER [OPTION=VALUE …] writes FOLDER/weights.safetensors
at the end; FOLDER gets the log and the state.
"""

import sys
from pathlib import Path

import torch
from flat import flat_settings, stream_of, train_run

from sparse_ae.models import save_checkpoint
from sparse_ae.runtime.distributed import rank_and_world_size
from sparse_ae.runtime.launch import Options, launch_fabric


def main(preset, method, seed, folder, *given):
    torch.set_num_threads(1)
    values = dict(part.split("=") for part in given)
    settings = {"steps": int(values.get("steps", 40)), "precision": "float32",
                "batch": int(values.get("batch", 8)),
                "sync_batch_norm": "sync" in values}  # fmt: skip
    run = flat_settings(preset, method, int(seed), **settings)
    options = Options(save_every=int(values.get("save", 5)), resume="resume" in values)
    fabric = launch_fabric(options)
    stream = stream_of(run, workers=int(values.get("workers", 0)))
    print("ready", flush=True)
    training = train_run(run, stream, options=options, fabric=fabric,
                         record=Path(folder, "seed.json"))  # fmt: skip
    if rank_and_world_size()[0] == 0:
        save_checkpoint(training.model, Path(folder, "weights.safetensors"))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt as error:
        sys.exit(f"interrupted; {error}")
