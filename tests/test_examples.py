"""The examples in the docstrings of what the package exports run as they stand."""

import doctest
import importlib
import inspect

import pytest

import sparse_ae

# packages of which every export has an example; of the others some need a net or a data set
COMPLETE = ("sparse_ae.losses", "sparse_ae.metrics", "sparse_ae.crowds", "sparse_ae.decoding")
PARTLY = ("sparse_ae.models", "sparse_ae.datasets", "sparse_ae.settings", "sparse_ae.training",
          "sparse_ae.evaluation")  # fmt: skip
MODULES = ("sparse_ae.skeleton", "sparse_ae.targets", "sparse_ae.grouping",
           "sparse_ae.metrics.projection", "sparse_ae.metrics.null_share")  # fmt: skip


def examples_of(item, name: str) -> doctest.DocTest:
    """The example of a docstring, which may name what its module has."""
    text, there = inspect.getdoc(item) or "", vars(inspect.getmodule(item))
    return doctest.DocTestParser().get_doctest(text, dict(there), name, None, None)


def exported():
    """Functions and classes that packages export, by their full names."""
    for package in (*COMPLETE, *PARTLY, *MODULES):
        module = importlib.import_module(package)
        for name in getattr(module, "__all__", None) or dir(module):
            item = getattr(module, name)
            own = package not in MODULES or getattr(item, "__module__", "") == package
            if own and (inspect.isfunction(item) or inspect.isclass(item)):
                yield pytest.param(item, package, id=f"{package}.{name}")


@pytest.mark.parametrize(("item", "package"), list(exported()))
def test_the_example_runs_by_itself(item, package):
    """With what its module has imported."""
    test = examples_of(item, item.__name__)
    plain = inspect.isclass(item) and issubclass(item, tuple | Exception)  # its maker shows it
    assert test.examples or plain or package not in COMPLETE, "no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(test).failed == 0


@pytest.mark.parametrize("name", sparse_ae.__all__)
def test_what_stands_at_the_top_has_an_example(name):
    assert examples_of(getattr(sparse_ae, name), name).examples
