"""Data of a page, as text that can stand in its script."""

from __future__ import annotations

import json


def in_script(data) -> str:
    """JSON without a "<": no text in the data can end the script that it stands in, or begin a
    comment there."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
