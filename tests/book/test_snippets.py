"""What a page shows to copy works: Python runs, presets load, command lines parse.

The build of the book runs {code-cell}s. Here are the others: ```python, ```yaml, ```bash, and
indented lines, which are commands of a shell.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
import shlex
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from sparse_ae.cli import build_parser
from sparse_ae.cli.options import read_settings
from sparse_ae.companion.experiment import path_of
from sparse_ae.datasets.open import has_split
from sparse_ae.evaluation.predictor import Usage
from sparse_ae.models import PoseNet, save_checkpoint
from sparse_ae.settings import load_settings
from sparse_ae.settings.presets import read_runs
from sparse_ae.skeleton import CROWDPOSE

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(
        ROOT / folder / "README.md"
        for folder in ("data", "data/published", "data/weights", "benchmarks")
    ),
    *sorted(ROOT.glob("book/*.md")),
    *sorted(ROOT.glob("experiments/*.md")),
]
# of the book: run, drawn or included by its build, which fails where it cannot
DIRECTIVE = re.compile(r"\{[a-z-]+\}( .*)?|")


class Snippet(NamedTuple):
    """A piece of a page that readers may copy."""

    page: str
    line: int
    language: str
    text: str


def read_snippets(text: str, page: str = "page.md") -> list[Snippet]:
    """All snippets of a page but what the build of the book runs or draws."""
    found, fence, body, start, front = [], None, [], 0, text.startswith("---\n")
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"(`{3,}|~{3,}|:{3,})(.*)", line)
        if front:
            front = number == 1 or line != "---"
        elif fence is None and mark:
            fence, body, start = mark.groups(), [], number
        elif fence and mark and mark[1].startswith(fence[0]) and not mark[2].strip():
            if not (fence[1].startswith("{") and DIRECTIVE.fullmatch(fence[1])):
                found.append(Snippet(page, start, fence[1].strip(), "\n".join(body)))
            fence = None
        elif fence:
            body.append(line)
        elif re.match(r"(    |\t)\s*\S", line):
            found.append(Snippet(page, number, "bash", line.strip()))
    assert fence is None, f"{page}:{start}: this fence is not closed"
    return found


SNIPPETS = [
    snippet
    for path in PAGES
    for snippet in read_snippets(path.read_text("utf-8"), str(path.relative_to(ROOT)))
]


def of(*languages: str):
    """Parameters of a test: the snippets in these languages."""
    return [pytest.param(one, id=f"{one.page}:{one.line}")
            for one in SNIPPETS if one.language in languages]  # fmt: skip


def unknown(snippets) -> list[Snippet]:
    """The snippets that no test here looks at."""
    return [one for one in snippets if one.language not in ("python", "yaml", "bash", "text")]


def test_every_snippet_has_a_language_that_is_tested():
    assert not unknown(SNIPPETS)
    pages = "```\nmake\n```\n", "~~~console\n$ make\n~~~\n", "````python-repl\n```\n````\n"
    for page in pages:
        assert len(unknown(read_snippets(page))) == 1
    with pytest.raises(AssertionError, match=r"page.md:1: this fence is not closed"):
        read_snippets("```python\n1 / 0\n")


def test_snippets_are_found():
    page = "---\na:\n    b\n---\n    make book\n\n```{code-cell}\n1 / 0\n```\n```yaml\na: 1\n```\n"
    found = [one[1:] for one in read_snippets(page)]
    assert found == [(5, "bash", "make book"), (10, "yaml", "a: 1")]


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A folder with the files that readers are asked to have."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (80, 96, 3), np.uint8)
    Image.fromarray(pixels).save("photo.jpg")
    net = PoseNet(14, 2, (4, 4, 4, 4, 4))
    save_checkpoint(net, Path("WEIGHTS"), Usage(64, CROWDPOSE).to_dict())
    keypoints = "[" + ", ".join(CROWDPOSE.keypoints) + "]"
    Path("my-skeleton.yaml").write_text(
        f"name: mine\nkeypoints: {keypoints}\nsigmas: {[0.05] * 14}\nflip_pairs: []\nlimbs: []\n"
    )
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("snippet", of("python"))
@pytest.mark.usefixtures("there")
def test_python_runs(snippet):
    code = compile("\n" * snippet.line + snippet.text, snippet.page, "exec")
    exec(code, {"__name__": "snippet"})  # noqa: S102  (that is the test)


@pytest.mark.parametrize("snippet", of("yaml"))
def test_presets_load_and_name_all_their_data(snippet, there):
    path = there / "own.yaml"
    path.write_text(snippet.text)
    data = load_settings(path, "rve", 0).data
    assert [has_split(data, split) for split in ("train", "val", "test")] == [True] * 3


def test_the_tree_in_the_readme_is_the_repositorys():
    (tree,) = (one.text for one in SNIPPETS if one[0] == "README.md" and one.language == "text")
    folders = {word for line in tree.splitlines() for word in re.findall(r"^\S+", line)}
    tracked = {f"{path.parent.name}/" for path in ROOT.glob("*/*.*")}
    assert folders == {name for name in tracked if name[0] not in "._"}


class Parsed(Exception):
    """The arguments were parsed; the program goes no further."""


class Page:
    """Checks command lines one after the other, and remembers what the earlier ones make."""

    def __init__(self, monkeypatch):
        self.monkeypatch, self.made = monkeypatch, set()

    def check(self, line: str) -> None:
        """Check a line; several commands may be joined by &&."""
        for words in _split(shlex.split(line, comments=True)):
            while words and re.match(r"\w+=", words[0]):
                words = words[1:]
            program, *rest = words
            name = f"check_{re.sub(r'[^a-z]', '_', program)}"
            assert hasattr(self, name), f"{program}: no test knows this command"
            getattr(self, name)(rest)

    def needs(self, name: str) -> None:
        """Fail for a file that is not there, unless its name is to be filled in, as WEIGHTS."""
        filled_in = re.fullmatch(r"[A-Z]+(\.\w+)?", name)
        assert filled_in or name in self.made or (ROOT / name).exists(), f"{name}: no such file"

    def check_sparse_ae(self, words: list[str]) -> None:
        options = build_parser().parse_args(words)
        command = options.command.__name__
        if hasattr(options, "set"):
            settings = read_settings(options)
            if command == "train":
                self.made.add(str(path_of(settings, options.root)))
        elif hasattr(options, "preset"):
            read_runs(options.preset)
        for name in ("record", "weights"):
            if getattr(options, name, None) and (command, name) != ("evaluate", "record"):
                self.needs(str(getattr(options, name)))

    def check_torchrun(self, words: list[str]) -> None:
        from torch.distributed.run import get_args_parser

        options = get_args_parser().parse_args(words)
        assert (options.training_script, options.module) == ("sparse_ae.cli", True)
        self.check_sparse_ae(options.training_script_args)

    def check_srun(self, words: list[str]) -> None:
        self.check_sparse_ae(words[words.index("sparse-ae") + 1 :])

    def check_python(self, words: list[str]) -> None:
        """Run a program that is given arguments, up to where they are parsed."""
        self.needs(words[0])
        if len(words) == 1:
            return
        parse = argparse.ArgumentParser.parse_args

        def only_parse(self, *arguments):
            parse(self, *arguments)
            raise Parsed

        with self.monkeypatch.context() as patch:
            patch.setattr(argparse.ArgumentParser, "parse_args", only_parse)
            patch.setattr(sys, "argv", words)
            patch.syspath_prepend(str((ROOT / words[0]).parent))
            with pytest.raises(Parsed):
                runpy.run_path(str(ROOT / words[0]), run_name="__main__")

    def check_papermill(self, words: list[str]) -> None:
        command = pytest.importorskip("papermill.cli", reason="part of the book extra").papermill
        options = command.make_context("papermill", list(words)).params
        self.needs(options["notebook_path"])
        cells = json.loads((ROOT / options["notebook_path"]).read_text("utf-8"))["cells"]
        (given,) = ("".join(cell["source"]) for cell in cells
                    if "parameters" in cell["metadata"].get("tags", ()))  # fmt: skip
        parameters = dict(options["parameters"])
        assert set(parameters) <= set(re.findall(r"^(\w+) =", given, re.MULTILINE))
        read_runs(parameters["preset"])
        if "method" in parameters:
            load_settings(parameters["preset"], parameters["method"], int(parameters["seed"]))

    def check_snakemake(self, words: list[str]) -> None:
        cli = pytest.importorskip("snakemake.cli", reason="part of the book extra")
        known = set(words) - {"--profile", "experiments/profiles/slurm"}  # the plugin's own options
        options = cli.get_argument_parser().parse_args([word for word in words if word in known])
        self.needs(str(options.snakefile))
        if "--profile" in words:
            self.needs(f"{words[words.index('--profile') + 1]}/config.yaml")
        config = dict(one.split("=") for one in options.config)
        text = (ROOT / options.snakefile).read_text("utf-8")
        assert set(config) <= set(re.findall(r'"(\w+)"', re.search(r"KNOWN = {.*}", text)[0]))
        read_runs(config["preset"])

    def check_jupyter_book(self, words: list[str]) -> None:
        cli = pytest.importorskip("jupyter_book.cli.main", reason="part of the book extra")
        options = cli.main.commands[words[0]].make_context(words[0], words[1:]).params
        self.needs(str(Path(options["path_source"])))

    def check_make(self, words: list[str]) -> None:
        text = (ROOT / "Makefile").read_text("utf-8")
        for word in words:
            name, equals, value = word.partition("=")
            assert re.search(rf"^{name} \?=" if equals else rf"^{name}:", text, re.MULTILINE), word
            if name == "PRESET":
                read_runs(value)
        self.made.add(".venv/bin/activate")

    def check_pip(self, words: list[str]) -> None:
        assert words[:2] == ["install", "-e"]
        known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        assert words[2].strip(".[]") in known["optional-dependencies"]
        for name in words[words.index("-c") + 1 :] if "-c" in words else ():
            self.needs(name)

    def check_apt(self, words: list[str]) -> None:
        assert words[0] == "install"

    def check_bash(self, words: list[str]) -> None:
        self.needs(words[0])

    check_source = check_bash


def _split(words: list[str]):
    """The commands that && joins."""
    command: list[str] = []
    for word in [*words, "&&"]:
        if word == "&&":
            if command:
                yield command
            command = []
        else:
            command.append(word)


def lines_of(name: str) -> list[tuple[int, str]]:
    """The command lines of a page."""
    texts = [one for one in SNIPPETS if (one.page, one.language) == (name, "bash")]
    return [(one.line, line) for one in texts for line in one.text.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({one.page for one in SNIPPETS if one.language == "bash"}))
def test_command_lines_parse_and_name_files_that_are_there(name, monkeypatch):
    page = Page(monkeypatch)
    for number, line in lines_of(name):
        try:
            page.check(line)
        except (Exception, SystemExit) as error:
            raise AssertionError(f"{name}:{number}: {line}") from error


@pytest.mark.parametrize(
    "line",
    [
        "sparse-ae train --preset nowhere", "sparse-ae train --sede 1", "sparse-ae verify a.json",
        "papermill experiments/train.ipynb out.ipynb -p preset reader -p methd rve -p seed 7",
        "snakemake -s experiments/Snakefile -c1 --config prest=reader", "make boook", "make SEDE=1",
        "python benchmarks/core.py --ot x.json", "python benchmarks/none.py", "conda install it",
        "pip install -e '.[boook]'", "bash experiments/none.sh", "jupyter-book built book/",
        "torchrun -m sparse_ae.cli trian", "sparse-ae predict a.jpg --weights mine.pth --out x",
    ],
)  # fmt: skip
def test_a_line_that_fails_is_found(line, monkeypatch):
    with pytest.raises((Exception, SystemExit)):
        Page(monkeypatch).check(line)


def test_what_an_earlier_line_makes_is_there(monkeypatch):
    page = Page(monkeypatch)
    with pytest.raises(AssertionError, match=r"mine/smoke/rve/seed-3.json: no such file"):
        page.check("sparse-ae verify mine/smoke/rve/seed-3.json")
    page.check("sparse-ae train --preset smoke --seed 3 --root mine")
    page.check("X=1 sparse-ae verify mine/smoke/rve/seed-3.json && make help")
