"""The house keeps its rules: imports run one way, files stay small, nothing names one machine."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sparse_ae"
LONGEST, LONGEST_TEST = 400, 400  # lines of a file; tables of cases make tests longer


def tracked(*patterns: str) -> list[Path]:
    """Files under version control (or, without git, all that match), that exist."""
    run = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = run.stdout.splitlines() if run.returncode == 0 else []
    paths = [ROOT / name for name in names] or [
        path for pattern in patterns for path in ROOT.glob(f"**/{pattern}")
        if not {".venv", "_build"} & set(path.parts)
    ]  # fmt: skip
    return [path for path in paths if path.is_file()]


def functions(path: Path):
    """Every function of a file, methods and inner ones too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_imports_run_downwards():
    """The contracts of pyproject.toml: wings import the wings below them alone."""
    run = subprocess.run([Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT,
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert run.returncode == 0, run.stdout


def test_the_top_of_the_package_has_packages_and_three_modules():
    modules = {path.name for path in PACKAGE.glob("*.py")}
    assert modules == {"__init__.py", "skeleton.py", "targets.py", "grouping.py"}
    for wing in (path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE):
        assert len(list(wing.glob("*.py"))) <= 13, f"{wing.name}: too many files for one wing"


@pytest.mark.parametrize("path", tracked("*.py"), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_small(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    limit = LONGEST_TEST if ROOT / "tests" in path.parents else LONGEST
    assert lines <= limit, f"{lines} lines: one idea a file"
    for node in functions(path):
        text = ast.get_docstring(node) or ""
        length = node.end_lineno - node.lineno + 1 - len(text.splitlines())
        assert length < 60, f"{node.name}: {length} lines"
        public = node.col_offset == 0 and not node.name.startswith("_")
        if public and PACKAGE in path.parents:
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_nothing_names_a_machine():
    home = r"(?<![\w.~-])/(?:root|home|work|tmp|Users|mnt)/\w"
    registry = r"(?:index-url|extra-index|find-links|registry\s*=)"
    endings = ("py", "md", "ipynb", "json", "yaml", "yml", "toml", "txt", "cff", "cfg", "css")
    names = ("Makefile", ".ci/run", "experiments/Snakefile")
    for path in tracked(*(f"*.{ending}" for ending in endings), *names):
        found = re.search(f"{home}|{registry}", path.read_text(encoding="utf-8"))
        if path.name != Path(__file__).name:
            assert not found, f"{path.relative_to(ROOT)}: {found and found.group()}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("experiments/*.md")), ids=lambda p: p.name)
def test_notebooks_and_their_text_hold_the_same_cells(path):
    jupytext = pytest.importorskip("jupytext", reason="jupytext is part of the dev extra")
    text, notebook = jupytext.read(path), jupytext.read(path.with_suffix(".ipynb"))
    cells = [[(cell.cell_type, cell.source) for cell in book.cells] for book in (text, notebook)]
    assert cells[0] == cells[1], f"jupytext --to ipynb --update experiments/{path.name}"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) <= 10
    assert all(len(cell.source.splitlines()) <= 12 for cell in code)
    assert all(cell.execution_count for cell in code), "not executed: run `make notebooks`"


@pytest.mark.slow
@pytest.mark.parametrize("script", ["readme.py", "card.py"])
def test_tables_of_the_readme_and_of_the_card_are_those_of_the_records(script):
    run = subprocess.run([sys.executable, f"experiments/{script}", "--check"], cwd=ROOT,
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        (".venv/bin/python", True), ("_build/html/index.html", True), ("data/cache/x.npz", True),
        ("experiments/results/reader/rve/seed-0.json", True),
        ("experiments/results/reader/rve/seed-1.json", False),
        ("experiments/results/reader/rve/seed-1.npz", False),
        ("experiments/results/reader/rve/seed-1.safetensors", True),
        ("experiments/results/reader/rve/seed-7.json", True),
        ("experiments/results/reader/rve/search.json", False), ("out.ipynb", True),
        ("experiments/results/smoke/rve/seed-1.json", True),
        ("experiments/results/laptop/rve/seed-3.npz", False),
        ("experiments/results/laptop/rve/seed-6.json", True),
        ("experiments/results/questions/ae2/seed-1.safetensors", True),
        ("book/_vendor/mathjax/tex-svg.js", False), ("data/bodies.npz", False),
    ],
)  # fmt: skip
def test_git_ignores_what_is_made_and_nothing_else(path, ignored):
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository here")
    run = subprocess.run(["git", "check-ignore", "-q", "--no-index", path], cwd=ROOT, check=False)
    assert (run.returncode == 0) == ignored


def test_the_book_documents_every_package_and_lists_every_page():
    pages = (ROOT / "book").glob("api*.md")
    documented = set()
    for page in pages:
        documented |= set(re.findall(r"automodule:: sparse_ae\.(\w+)", page.read_text("utf-8")))
    wings = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    public = {"skeleton", "targets", "grouping"} | wings - {"cli", "runtime"}
    assert documented == public, "book/api*.md document every public package"
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    pages = {path.stem for path in (ROOT / "book").glob("*.md")}
    assert pages == set(re.findall(r"(?:file|root): (\S+)", toc))
    assert (ROOT / "book" / "_toc.yml").resolve() == ROOT / "_toc.yml"


def test_committed_records_are_whole_and_name_no_machine():
    from sparse_ae.companion import records

    for path in tracked("experiments/results/*/seed-*.json"):
        record = records.read_record(path)
        records.read_arrays(path)
        assert record["provenance"]["commit"], f"{path.name} does not say what it was made from"
        assert str(ROOT) not in json.dumps(record)
