"""Files made up by damaging whole ones: values of a JSON, or bytes."""

from __future__ import annotations

import copy
import functools
import json
import struct
import tempfile
from pathlib import Path

from hypothesis import strategies as st

JUNK = [None, True, False, 0, 1, 2, -1, 0.5, -0.0, 1e308, float("nan"), float("inf"), 2**31, 2**63,
        10**30, 10**400, "", "x", "1", "..", "../x", "/x", "\0", "\ud800", "<b>", [], {}, [[]],
        [{}], {"id": 1}, [1, 2, 3], [0.5] * 9, "a" * 500]  # fmt: skip


@st.composite
def changed_json(draw, make):
    """What `make()` gives, with a few values, keys or entries changed, put twice or left out."""
    data = copy.deepcopy(make())
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 3]))):
        places = list(_places(data))
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        how = draw(st.sampled_from(["junk", "junk", "junk", "other", "out", "twice"]))
        if how == "junk":
            holder[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))  # it may be changed too
        elif how == "other":
            inner, name = places[draw(st.integers(0, len(places) - 1))]
            holder[key] = copy.deepcopy(inner[name])
        elif how == "out":
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            holder[f"{key}2"] = holder[key]
    return json.dumps(data).encode()


def _places(data):
    """Every (container, key) in nested lists and dicts."""
    keys = range(len(data)) if isinstance(data, list) else list(data)
    for key in keys:
        yield data, key
        if isinstance(data[key], list | dict):
            yield from _places(data[key])


@st.composite
def damaged(draw, whole: st.SearchStrategy):
    """Bytes with some of them changed, doubled, left out or cut off."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 4]))):
        at = draw(st.integers(0, len(data)))
        near = draw(st.sampled_from([at, min(at, 1500), at % 200, at % 20]))  # headers come first
        how = draw(
            st.sampled_from(["byte", "byte", "byte", "bits", "out", "twice", "number", "cut"])
        )
        if how == "byte":
            data[near : near + 1] = bytes([draw(st.integers(0, 255))])
        elif how == "bits" and near < len(data):
            data[near] ^= 1 << draw(st.integers(0, 7))
        elif how == "out":
            del data[near : near + draw(st.integers(1, 40))]
        elif how == "twice":
            data[near:near] = data[near : near + draw(st.integers(1, 40))]
        elif how == "number":
            data[near : near + 8] = draw(
                st.sampled_from([bytes(8), b"\xff" * 8, struct.pack("<q", 10**12), b"99999999"])
            )
        elif how == "cut":
            del data[at:]
    return bytes(data)


def told_of(error: Exception, path: Path, unless: str = "\n") -> bool:
    """A documented error: one line that names the file, without some text; and no result."""
    text = str(error)
    assert "\n" not in text, text
    assert unless not in text, text
    assert path.name in text, text
    assert len(text) < 1500, len(text)
    return False


def in_a_file(check):
    """Calls check(path) with a file of this ending and content."""

    @functools.wraps(check)
    def wrapped(case: tuple[str, bytes]) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / case[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(case[1])
            return check(path)

    return wrapped
