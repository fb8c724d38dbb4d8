"""Read every page anew at every build: pages show records, and Sphinx looks at page files only."""

from __future__ import annotations


def outdated(_app, env, _added, _changed, _removed) -> list[str]:
    """Sphinx's event env-get-outdated: all pages."""
    return sorted(env.found_docs)


def setup(app) -> dict:
    """Register with Sphinx."""
    app.connect("env-get-outdated", outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
