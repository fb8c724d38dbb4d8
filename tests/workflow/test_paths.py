"""The workflow stands where its user stands, and takes a space in any path."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from photos import custom_preset

from sparse_ae.companion.records import read_record, record_path

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path) -> Path:
    """The repository as it would be in a folder whose name has a space, its Python too."""
    folder = tmp_path / "my project"
    (folder / "experiments").mkdir(parents=True)
    for name in ("Snakefile", "presets", "profiles"):
        (folder / "experiments" / name).symlink_to(ROOT / "experiments" / name)
    (folder / "experiments" / "Snakefile").unlink()  # Snakemake follows links to find its folder
    shutil.copy(ROOT / "experiments" / "Snakefile", folder / "experiments")
    for name in ("sparse_ae", "data"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "python").symlink_to(sys.prefix)
    return folder


def snakemake(project: Path, folder: Path, *settings: str):
    """Run the project's workflow from a folder."""
    python = project / "python" / "bin" / Path(sys.executable).name
    command = [python, "-m", "snakemake", "-s", project / "experiments" / "Snakefile", "-c1",
               "--quiet", "all", "--config", *settings]  # fmt: skip
    return subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True,
                          check=False)  # fmt: skip


def test_paths_are_meant_from_where_one_stands(tmp_path, project):
    folder = tmp_path / "my photos"
    folder.mkdir()
    both = ["people.json", "images"]
    custom_preset(folder, train_set=both, val_set=both, test_set=both, skeleton="triangle.yaml")
    (folder / "my presets").mkdir()
    (folder / "custom.yaml").rename(folder / "my presets" / "own.yaml")
    settings = ("preset=my presets/own.yaml", "methods=ae8", "seed=4", "root=my results")
    done = snakemake(project, folder, *settings)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "1 runs made; their records are in my results/own" in done.stderr
    record = read_record(record_path("own", "ae8", 4, folder / "my results"))
    assert record["settings"]["data"]["train_set"] == both
    assert not (project / "my results").exists()
    (folder / "images" / "001.jpg").write_bytes(b"")
    record_path("own", "ae8", 4, folder / "my results").unlink()
    done = snakemake(project, folder, *settings)
    assert done.returncode == 1
    assert "001.jpg: no picture of the kinds" in done.stderr
    assert "--preset 'my presets/own.yaml' --method ae8 --seed 4 --root 'my results'" in done.stderr
