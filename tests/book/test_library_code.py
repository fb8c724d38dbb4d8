"""The code that pages show is that of the library, without docstrings and checks of input."""

import sys

import pytest
from opened_book import ROOT

sys.path.append(str(ROOT / "book" / "_ext"))
import library_code


def test_code_comes_without_its_docstring_and_its_checks(tmp_path):
    file = tmp_path / "some.py"
    file.write_text(
        '@jit\ndef f(x):\n    """Say\n    so."""\n    # why\n    return x\n\ndef g(): return 1\n'
        "def h(x):\n    if x < 0:\n        raise ValueError(x)\n    if x:\n        return 1\n"
    )
    assert library_code.function_code(file, "f") == "@jit\ndef f(x):\n    # why\n    return x"
    assert library_code.function_code(file, "g") == "def g(): return 1"
    assert library_code.function_code(file, "h") == "def h(x):\n    if x:\n        return 1"
    with pytest.raises(ValueError, match=r"some.py: has no function 'k'"):
        library_code.function_code(file, "k")
