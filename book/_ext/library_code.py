"""A Sphinx extension: the code of one function of the library, without its docstring.

    ```{library-code} sparse_ae/losses/scale.py scale_loss
    ```

shows it below a line that names the file. The docstring stands in the API reference.
"""

from __future__ import annotations

import ast
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[2]


def function_code(path: Path, name: str) -> str:
    """The lines of a function of a file, without its docstring.

    Raises:
        ValueError: The file has no such function.
    """
    source = path.read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            lines = source.splitlines()
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            after = node.body[0].lineno - 1
            rest = node.body[0].end_lineno if ast.get_docstring(node) is not None else after
            return "\n".join([*lines[first - 1 : after], *lines[rest : node.end_lineno]])
    raise ValueError(f"{path}: has no function {name!r}")


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
