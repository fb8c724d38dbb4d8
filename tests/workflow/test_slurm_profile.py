"""The profile for SLURM, and the script that starts a SLURM of one node to try it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROFILES = ROOT / "experiments" / "profiles"
SCRIPT = ROOT / "experiments" / "slurm_here.sh"
PLUGIN = importlib.util.find_spec("snakemake_executor_plugin_slurm") is not None
DAEMONS = all(
    shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in ("slurmctld", "munged")
)


def profile(name):
    return yaml.safe_load((PROFILES / name / "config.yaml").read_text(encoding="utf-8"))


def test_both_profiles_go_on_past_a_failed_run():
    for name in ("default", "slurm"):
        assert profile(name)["keep-going"] is True
        assert profile(name)["rerun-incomplete"] is True


def test_the_profile_names_the_rules_that_slurm_runs():
    snakefile = (ROOT / "experiments" / "Snakefile").read_text(encoding="utf-8")
    rules = set(re.findall(r"^rule (\w+):", snakefile, re.MULTILINE)) - {"all"}
    settings = profile("slurm")
    assert settings["executor"] == "slurm"
    assert set(settings["set-resources"]) == set(settings["set-threads"]) == rules
    for resources in settings["set-resources"].values():
        assert all(resources[name] > 0 for name in ("mem_mb", "runtime"))


@pytest.mark.skipif(not PLUGIN, reason="needs the extra slurm")
def test_what_slurm_is_asked_for_is_in_the_profile_or_in_config(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", "experiments/Snakefile", "-n",
         "--profile", "experiments/profiles/slurm", "--directory", tmp_path,
         "--config", "preset=smoke", f"root={tmp_path}", "methods=ae8",
         "account=group", "partition=short", "gres=gpu:1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    printed = done.stdout + done.stderr
    crowds, run = re.findall(r"rule (?:crowds|run):\n(?:    .*\n)+", printed)
    for asked in (crowds, run):
        assert "slurm_account=group" in asked
        assert "slurm_partition=short" in asked
    assert "mem_mb=4000" in run
    assert "gres=gpu:1" in run
    assert "gres" not in crowds


@pytest.mark.skipif(DAEMONS, reason="SLURM and munge are installed")
def test_the_script_says_what_to_install():
    done = subprocess.run(["bash", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"slurm_here: \w+ is missing: apt install slurm-wlm munge\n", done.stderr)


@pytest.mark.skipif(
    not (DAEMONS and PLUGIN and os.environ.get("SPARSE_AE_TEST_SLURM")),
    reason="needs slurm-wlm, munge, the extra slurm, and SPARSE_AE_TEST_SLURM=1",
)
def test_the_smoke_preset_runs_in_a_real_slurm():
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", SCRIPT], env={**os.environ, "PATH": path}, capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.count("JobState=COMPLETED Reason=None") == 3  # crowds, ae8, rve
    assert done.stdout.splitlines()[-2:] == ["smoke/ae8/seed-0.json", "smoke/rve/seed-0.json"]
