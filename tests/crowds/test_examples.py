"""The examples in the docstrings of what `sparse_ae.crowds` exports run as they stand."""

import doctest
import inspect

import pytest

from sparse_ae import crowds


@pytest.mark.parametrize("name", crowds.__all__)
def test_the_example_runs_by_itself(name):
    """With no name but those that it imports, as a reader would paste it."""
    item = getattr(crowds, name)
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(item), {}, name, None, None)
    assert 2 <= len(test.examples) <= 6
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(test).failed == 0
