"""Leave out the scripts of remote kernels: Jupyter Book adds them to every page though
`launch_buttons` is off; they name an address elsewhere, and fail where no kernel is set up."""

from __future__ import annotations

MARK = "thebe"


def of_kernels(script) -> bool:
    """Whether one of a page's scripts (Sphinx's, or a plain path) is of those."""
    parts = (str(script), getattr(script, "filename", ""), getattr(script, "attributes", {}))
    return any(MARK in str(part).lower() for part in parts)


def leave_out(_app, _page, _template, context, _doctree) -> None:
    """Sphinx's event html-page-context: the page's scripts without them."""
    if "script_files" in context:
        kept = [script for script in context["script_files"] if not of_kernels(script)]
        context["script_files"][:] = kept
    if "css_files" in context:
        context["css_files"][:] = [sheet for sheet in context["css_files"] if not of_kernels(sheet)]


def setup(app) -> dict:
    """Register with Sphinx."""
    app.connect("html-page-context", leave_out, priority=900)  # after those who add
    return {"parallel_read_safe": True, "parallel_write_safe": True}
