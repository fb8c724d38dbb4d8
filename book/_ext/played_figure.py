"""Figures that are HTML of our own: a number, a caption and a name, as pictures have; and what is
said of a figure whose runs have not been made."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive, directives

OPTIONS = {"name": directives.unchanged}
NAMED = re.compile(r"^ +name: (fig-[\w-]+)$|^:name: (fig-[\w-]+)$", re.MULTILINE)


def numbered(directive: Directive, html: str) -> nodes.figure:
    """HTML as a figure, with the directive's content as its caption."""
    read = nodes.Element()
    directive.state.nested_parse(directive.content, directive.content_offset, read)
    if len(read) != 1 or not isinstance(read[0], nodes.paragraph):
        raise directive.error(f"{directive.name}: expected a caption of one paragraph")
    figure = nodes.figure("", nodes.raw("", html, format="html"), classes=["played"])
    figure += nodes.caption("", "", *read[0].children)
    figure.source, figure.line = directive.state_machine.get_source_and_line(directive.lineno)
    directive.add_name(figure)
    return figure


def named(folder: Path) -> set[str]:
    """The names of all figures that the pages have, drawn or not."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md")))
    return {one or other for text in texts for one, other in NAMED.findall(text)}


def awaited(app, _env, node, _contnode):
    """Sphinx's event missing-reference: a figure without runs is not drawn, and so has no number. A
    name that no page has stays an error."""
    wanted = node.get("reftarget", "")
    if node.get("reftype") == "numref" and wanted in named(Path(app.srcdir)):
        return nodes.inline("", "a figure that awaits its runs")
    return None


def setup(app) -> dict:
    """Register with Sphinx."""
    app.connect("missing-reference", awaited)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
