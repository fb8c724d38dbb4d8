"""A Sphinx extension: docstrings written as plain text become reStructuredText.

The library's docstrings hold formulas (|t̄_n|, a * b), single backticks for code, and lines such as
`tags: (B, P, K, D) embeddings` with indented continuations, under headings such as `Args:`. Read as
reStructuredText, most of these mean something else. Here such lines become list items, code becomes
literal, examples become code, and the rest is escaped.
"""

from __future__ import annotations

import re

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Source", "Example")
ITEM = re.compile(r"([A-Za-z_*][\w.*]*(?:, [\w.* ]+)*): (.*)")


def escape(text: str) -> str:
    """One paragraph: `code` to literals, and what reStructuredText would interpret escaped."""
    parts = text.split("`")
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = f"\\ ``{part}``\\ "
        else:
            parts[i] = re.sub(r"([\\*|_])", r"\\\1", part)
    return "".join(parts)


def blocks(lines: list[str]) -> list[list[str]]:
    """Lines split where one is empty."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [block for block in found if block]


def rewrite(block: list[str]) -> list[str]:
    """One block of a docstring as reStructuredText: a paragraph, a list, or a paragraph and a list.

    A line that starts an item takes the lines after it, up to the next item.
    """
    name = block[0].removesuffix(":")
    if name in SECTIONS and block[0].endswith(":"):
        inner = [line.removeprefix("    ") for line in block[1:]]
        if name == "Example":
            return ["*Example*", "", ".. code-block:: python", "", *block[1:]]
        return [f"*{name}*", "", *(rewrite(inner) if inner else [])]
    if all(line.startswith("    ") for line in block):
        return ["::", "", *block]
    out: list[str] = []
    for line in block:
        item = ITEM.match(line)
        if item:
            out += ["", f"* **{escape(item[1])}**: {escape(item[2])}"]
        elif out:
            out[-1] += " " + escape(line.strip())
        else:
            out.append(escape(line))
    return out


def process(_app, _what, _name, _obj, _options, lines: list[str]) -> None:
    """Sphinx's event autodoc-process-docstring: `lines` is changed in place."""
    summary, *rest = blocks(lines) or [[]]
    text = [" ".join(escape(line.strip()) for line in summary), ""]
    lines[:] = text + [line for block in rest for line in (*rewrite(block), "")]


def skip(_app, _what, _name, obj, _skip, _options) -> bool | None:
    """Sphinx's event autodoc-skip-member: a named tuple's fields stand in its own docstring."""
    if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number"):
        return True
    return None


def setup(app) -> dict:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
