"""A Sphinx extension: the code of one function of the library, without its docstring and the checks
of its input.

    ```{library-code} sparse_ae/losses/scale.py scale_loss
    ```

shows it below a line that names the file. The docstring stands in the API reference. A check is an
`if` that does nothing but raise.
"""

from __future__ import annotations

import ast
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[2]


def function_code(path: Path, name: str) -> str:
    """The lines of a function of a file, without its docstring and its checks.

    Raises:
        ValueError: The file has no such function.
    """
    source = path.read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            left_out = [part for part in ast.walk(node) if is_check(part)]
            left_out += node.body[:1] if ast.get_docstring(node) is not None else []
            skipped = {n for part in left_out for n in range(part.lineno, part.end_lineno + 1)}
            shown = [n for n in range(first, node.end_lineno + 1) if n not in skipped]
            return "\n".join(source.splitlines()[number - 1] for number in shown)
    raise ValueError(f"{path}: has no function {name!r}")


def is_check(node: ast.AST) -> bool:
    """Whether a statement is an `if` that does nothing but raise."""
    return (isinstance(node, ast.If) and not node.orelse
            and all(isinstance(part, ast.Raise) for part in node.body))  # fmt: skip


class LibraryCode(Directive):
    """`library-code`: its arguments are the file, from the repository's root, and the function."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        """The name of the file and the code."""
        file, name = self.arguments
        self.state.document.settings.env.note_dependency(str(ROOT / file))
        code = function_code(ROOT / file, name)
        block = nodes.literal_block(code, code, language="python", classes=["library-code"])
        caption = nodes.caption("", "", nodes.literal(file, file))
        return [nodes.container("", caption, block, literal_block=True,
                                classes=["literal-block-wrapper"])]  # fmt: skip


def setup(app) -> dict:
    """Register with Sphinx."""
    app.add_directive("library-code", LibraryCode)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
