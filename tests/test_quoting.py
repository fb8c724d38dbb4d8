"""Shell lines quote paths and programs: a project may lie in a folder with a space in its name."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SAFE = {"threads", "params.line", "wildcards.method", "wildcards.seed", "BAR"}  # names and numbers


def broken_words(script: str, folder: str) -> list[str]:
    """The words of a shell script that are a part of a path in a folder with a space."""
    first, _, last = folder.rpartition(" ")
    words = shlex.split(script, comments=True)
    return [word for word in words if (first in word or word.startswith(last))
            and folder not in word]  # fmt: skip


def test_broken_words_are_found():
    assert broken_words("/x/a b/python -m venv", "/x/a b") == ["/x/a", "b/python"]
    assert broken_words("'/x/a b/python' -m venv; echo \"see /x/a b/c\"", "/x/a b") == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on the path")
def test_make_quotes_its_folder_and_programs(tmp_path):
    folder = tmp_path / "my project"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)", text, re.MULTILINE)[1].replace("\\", "")
    programs = [f"{name}={folder}/{name.lower()}" for name in ("PYTHON", "CHROMIUM", "PRESET")]
    run = subprocess.run(["make", "-n", "-B", *targets.split(), *programs], cwd=folder,
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(str(folder)) >= 7  # programs, preset, and what is said at the end
    assert broken_words(run.stdout, str(folder)) == []


def test_snakemake_quotes_what_may_have_a_space():
    """`tests/workflow/test_paths.py` runs it from such a folder; here, each field of each line."""
    text = (ROOT / "experiments" / "Snakefile").read_text(encoding="utf-8")
    scripts = re.findall(r"^LOGGED = \((.*?)^\)", text, re.MULTILINE | re.DOTALL)
    scripts += re.findall(r"^    shell:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(scripts) == 3
    fields = [field for part in scripts for field in re.findall(r"(?<!{){([^{}]+)}(?!})", part)]
    assert len(fields) >= 12
    assert [field for field in fields if field not in SAFE and not field.endswith(":q")] == []
