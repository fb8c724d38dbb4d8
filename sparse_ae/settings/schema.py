"""The JSON schema of presets, with which editors complete and check them.

`python -m sparse_ae.settings.schema` writes experiments/presets/schema.json, which the first line
of every preset names.
"""

from __future__ import annotations

import json

from sparse_ae.settings.methods import METHODS
from sparse_ae.settings.presets import PRESETS, PresetFile


def preset_schema() -> dict:
    """Return the JSON schema of a preset file."""
    schema = PresetFile.model_json_schema()
    known = {"propertyNames": {"enum": list(METHODS)}}
    for name in ("methods", "search"):
        schema["properties"][name] |= known
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """Return the content of the schema file."""
    return json.dumps(preset_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (PRESETS / "schema.json").write_text(schema_text(), encoding="utf-8")
