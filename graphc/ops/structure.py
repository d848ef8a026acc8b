"""Ops that compute nothing: projection of several results, barriers, checks and prints."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.errors import NO_ORIGINS, ArgumentError, InternalError, NumericsError, Origins
from graphc.ir.dtype import INEXACT, STORED_ONLY, float32
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply, tuple_elements
from graphc.ir.types import NodeType, TensorType, TupleType
from graphc.ops.define import TensorLike, as_tensor, convert, define


def _element_type(types: tuple[NodeType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (operand,), index = types, attrs["index"]
    if not isinstance(operand, TupleType) or not 0 <= index < len(operand.elements):
        raise InternalError(f"project {index} of {operand}")
    element: TensorType = operand.elements[index]
    return element


PROJECT = define("project", Kind.STRUCTURE, _element_type, None, array_fn=lambda xp, x, index: x[index])


def project(node: Tensor, index: int) -> Tensor:
    """One result of a node that has several."""
    return apply(PROJECT, (node,), index=index)


def projections(node: Tensor) -> tuple[Tensor, ...]:
    """All results of a node that has several."""
    return tuple(project(node, index) for index in range(len(tuple_elements(node))))


def _unchanged(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    return types[0]


STOP_GRADIENT = define("stop_gradient", Kind.STRUCTURE, _unchanged, (None,), array_fn=lambda xp, x: x)


@public
def stop_gradient(x: TensorLike, /) -> Tensor:
    """x itself, but a constant for differentiation."""
    return apply(STOP_GRADIENT, (as_tensor(x),))


def numerics_error(x: np.ndarray, message: str, origins: Origins) -> NumericsError:
    """The error for a value that is not finite everywhere; a session completes it with what made it so."""
    return not_finite(int(np.isnan(x).sum()), int(np.isinf(x).sum()), x.size, message, origins)


def not_finite(nans: int, infinities: int, size: int, message: str, origins: Origins) -> NumericsError:
    """The same for a value of which only the counts are known."""
    return NumericsError(
        f"check_numerics{': ' + message if message else ''}: {nans + infinities} of {size} elements not finite",
        expected="finite numbers",
        got=f"{nans} NaN, {infinities} infinite",
        fix="check_numerics on the lines before this one finds the first that is not finite",
        origins=origins,
    )


def _require_text(what: str, text: object) -> None:
    if not isinstance(text, str):
        raise ArgumentError(
            f"{what} must be a text",
            expected='a str, such as "loss"',
            got=repr(text),
            fix="it is written when the graph runs: values belong into the tensor, which comes first",
        )


def _check(xp: Any, x: Any, message: str) -> Any:
    if not xp.isfinite(x).all():
        raise numerics_error(x, message, NO_ORIGINS)  # the interpreter knows them
    return x


CHECK_NUMERICS = define(
    "check_numerics",
    Kind.EFFECT,
    _unchanged,
    (lambda ct, node: ct,),
    dtypes=INEXACT,
    array_fn=_check,
    traits=[Trait.CAN_FAIL],
)


@public
def check_numerics(x: TensorLike, /, message: str = "") -> Tensor:
    """x itself; a run in which it holds a NaN or an infinity fails, naming this line, and commits nothing.

    Args:
        x: floats.
        message: a word of your own in the error.

    Raises:
        NumericsError: when it runs.
        ArgumentError: the message is no text.
    """
    _require_text("check_numerics: the message", message)
    node = as_tensor(x)
    if node.dtype in STORED_ONLY:
        return convert(check_numerics(convert(node, float32), message), node.dtype)
    return node if node.dtype not in INEXACT else apply(CHECK_NUMERICS, (node,), message=message)


def print_value(x: Any, label: str) -> None:
    """Writes a value to standard output, after its label if it has one."""
    sys.stdout.write(f"{label}: {x}\n" if label else f"{x}\n")


def _print(xp: Any, x: Any, label: str) -> Any:
    print_value(x, label)
    return x


PRINT = define("print", Kind.EFFECT, _unchanged, (lambda ct, node: ct,), array_fn=_print, traits=[Trait.CAN_FAIL])


@public
def print(x: TensorLike, /, label: str = "") -> Tensor:
    """x itself; a run that needs the result writes `label: value` to standard output.

    Args:
        x: a tensor.
        label: what is written in front of the value, or nothing.

    Raises:
        ArgumentError: the label is no text.
    """
    _require_text("print: the label", label)
    return apply(PRINT, (as_tensor(x),), label=label)
