"""The wheel holds all that its commands need: tried in an environment of its own, anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A virtual environment with the wheel, which sees the packages that are installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation",
             "--quiet", "--wheel-dir", str(folder)]  # fmt: skip
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("sparse_ae-*.whl")
    home = folder / "environment"
    venv.create(home, with_pip=False)
    site = next(home.glob("lib/python*/site-packages"))
    # the packages here, but not the file by which this repository is installed
    (site / "here.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install",
               "--no-deps", "--no-index", "--quiet", str(wheel)]  # fmt: skip
    subprocess.run(install, check=True)
    share_compiled(site / "sparse_ae")
    return home


def share_compiled(package: Path):
    """Give the installed package the machine code of the repository's functions, which would take a
    minute to compile; numba takes it for that of files that are as old and as long."""
    here = ROOT / "sparse_ae"
    for path in package.rglob("*.py"):
        shutil.copystat(here / path.relative_to(package), path)
    for path in here.glob("**/__pycache__/*.nb[ci]"):
        there = package / path.relative_to(here)
        there.parent.mkdir(exist_ok=True)
        shutil.copy(path, there)


def run(home: Path, folder: Path, *words: str, program="sparse-ae") -> subprocess.CompletedProcess:
    """The installed console script, in an empty folder."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("SPARSE_AE", "PYTHONPATH"))}  # fmt: skip
    return subprocess.run([str(home / "bin" / program), *words], cwd=folder, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip


def test_it_is_the_installed_package(installed, tmp_path):
    code = "import sparse_ae; print(sparse_ae.__file__)"
    found = run(installed, tmp_path, "-c", code, program="python")
    assert found.stdout.startswith(str(installed))


def test_a_preset_is_trained_and_its_net_finds_people(installed, tmp_path):
    """Crowds are drawn, a run leaves its record, and its weights answer a picture."""
    picture = tmp_path / "crowd.png"
    drawn = run(installed, tmp_path, "crowds", "--preset", "smoke", "--preview", picture.name)
    assert drawn.returncode == 0, drawn.stderr
    assert picture.is_file()
    trained = run(installed, tmp_path, "train", "--preset", "smoke", "--method", "ae8",
                  "--set", "optim.steps=3", "--root", "results")  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    record = tmp_path / "results" / "smoke" / "ae8" / "seed-0.json"
    assert record.is_file()
    of_the_run = ("--weights", str(record.with_suffix(".safetensors")))
    for weights in ((), of_the_run):  # without, the shipped net's
        found = run(installed, tmp_path, "predict", picture.name, "--out", "found", *weights)
        assert found.returncode == 0, found.stderr
        assert {path.name for path in (tmp_path / "found").iterdir()} == {
            "people.json", "crowd.people.jpg"}  # fmt: skip


def test_a_command_without_its_extra_says_which(installed, tmp_path):
    """Whoever only predicts need not have Lightning or Matplotlib."""
    hidden = tmp_path / "hidden"
    for name in ("lightning_fabric", "matplotlib", "pandas", "seaborn"):
        (hidden / name).mkdir(parents=True)
        text = f"raise ModuleNotFoundError(name={name!r})\n"
        (hidden / name / "__init__.py").write_text(text)
    site = next(installed.glob("lib/python*/site-packages"))
    first = f"import sys; sys.path.insert(0, {str(hidden)!r})\n"
    (site / "_hidden.pth").write_text(first)
    try:
        train = run(installed, tmp_path, "train", "--preset", "smoke", "--set", "optim.steps=1")
        tables = run(installed, tmp_path, "summarise", "--preset", "smoke")
        crowds = run(installed, tmp_path, "crowds", "--preset", "smoke", "--preview", "a.png")
    finally:
        (site / "_hidden.pth").unlink()
    assert train.returncode == tables.returncode == 1
    assert "pip install 'sparse-ae[train]'" in train.stderr
    assert "pip install 'sparse-ae[book]'" in tables.stderr
    assert crowds.returncode == 0, crowds.stderr
