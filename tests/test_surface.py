"""What tab completion and help show: public names alone, each option explained."""

import inspect
import re
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

import graphc as gc
from graphc.errors import unknown_name
from graphc.ir import foreign

MODULES = (gc, gc.fft, gc.init, gc.losses, gc.metrics, gc.nn, gc.optim, gc.random)
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)


@each_module
def test_completion_shows_public_names_alone(module: ModuleType) -> None:
    shown = [name for name in dir(module) if not name.startswith("__")]
    assert shown == sorted(module.__all__)
    assert all(hasattr(module, name) for name in shown)


@each_module
def test_what_is_not_there_is_an_attribute_error(module: ModuleType) -> None:
    assert not hasattr(module, "no_such_thing")
    assert not hasattr(module, "__wrapped__")
    with pytest.raises(AttributeError, match=f"no attribute of {module.__name__} named 'no_such_thing'"):
        module.no_such_thing  # noqa: B018


def test_a_plan_shows_no_address() -> None:
    with gc.Graph("doubled"):
        x = gc.placeholder("x", ("n",))
    plan = gc.compile(x + x, [x]).plan
    assert isinstance(plan, gc.CompiledPlan)
    assert repr(plan) == f"<graphc.CompiledPlan 'doubled' on {plan.choice.name}: {len(plan.plan.steps)} steps>"


def test_bisection_gives_a_public_type() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
    culprit = gc.bisect(gc.compile(x + x, [x]), np.ones(2, np.float32))
    assert isinstance(culprit, gc.Culprit)
    assert culprit.kind == "nothing"


FUNCTIONS = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_option_is_explained(function: Callable[..., object]) -> None:
    """A function of operands alone says in its first line what it does; one with options explains each argument."""
    parameters = inspect.signature(function).parameters.values()
    if not any(parameter.default is not parameter.empty for parameter in parameters):
        return
    _, found, arguments = (function.__doc__ or "").partition("Args:\n")
    assert found
    explained = {name for names in re.findall(r"(?m)^ {8}([\w*, ]+):", arguments) for name in names.split(", ")}
    assert {parameter.name for parameter in parameters} <= {name.lstrip("*") for name in explained}


def test_what_is_said_to_be_missing_is_missing() -> None:
    """The tables of other libraries' names: what they lead to exists, what they call missing does not."""
    for name in foreign._FUNCTIONS.keys() | foreign._NUMPY_NAMES.keys():
        assert not hasattr(gc, name), name
        assert foreign.elsewhere(name)
    texts = [*foreign._FUNCTIONS.values(), *(f"gc.{name}" for name in foreign._NUMPY_NAMES.values())]
    for known in re.findall(r"gc\.(\w+)", " ".join(texts)):
        assert hasattr(gc, known), known


@pytest.mark.parametrize(
    ("name", "meant"),
    [("sort", None), ("run", None), ("matmull", "matmul"), ("tensr", "tensor"), ("sum_of_all", None), ("perm", None)],
)
def test_only_what_is_near_is_suggested(name: str, meant: str | None) -> None:
    error = unknown_name("function", name, ["sqrt", "trunc", "round", "matmul", "tensor", "sum", "permute_dims"])
    assert error.fix == (f"did you mean {meant!r}?" if meant else "use one of these names")
