"""`gc.gradients`: structure of the arguments, errors, and what is done about unconnected variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import autodiff
from graphc.errors import (
    ArgumentError,
    DTypeError,
    NotConnectedError,
    ShapeError,
    StaticGraphError,
    unknown_name,
)
from graphc.ir.dtype import INEXACT, LOW, names
from graphc.ir.tensor import Tensor
from graphc.ir.types import compatible
from graphc.ops.define import as_tensor, convert
from graphc.ops.layout import broadcast_to
from graphc.ops.sources import ones_like, zeros_like
from graphc.tree import flatten


def gradients(ys: Any, xs: Any, grad_ys: Any = None, unconnected: str = "error") -> Any:
    """The gradients Σ grad_ys · ∂ys/∂xs as tensors, in the structure of `xs`.

    Args:
        ys: a scalar tensor, or a nested structure of tensors together with `grad_ys`.
        xs: tensors or variables of a float dtype, nested at will.
        grad_ys: cotangents in the structure of `ys`; needed unless every y is a scalar.
        unconnected: what to do for an x that no y depends on: `"error"`, `"zero"` or `"none"`.

    Raises:
        NotConnectedError: an x has no path to any y, and `unconnected` is `"error"`.
        NotDifferentiableError, GradientNotImplementedError: an op on the path has no gradient.
        ShapeError: a y is not a scalar, and `grad_ys` is missing.
    """
    if unconnected not in ("error", "zero", "none"):
        raise unknown_name("choice for unconnected=", unconnected, ["error", "zero", "none"])
    y_list, x_list = flatten(ys)[0], flatten(xs)[0]
    _require_floats("ys", y_list)
    _require_floats("xs", x_list)
    found = autodiff.vjp(y_list, x_list, _cotangents(y_list, grad_ys))
    unflatten = flatten(xs)[1]
    return unflatten([_connected(g, x, y_list, unconnected) for g, x in zip(found, x_list, strict=True)])


def jvp(ys: Any, xs: Any, tangents: Any) -> Any:
    """The derivatives of ys along a direction, Σ ∂ys/∂xs · tangents, in the structure of `ys`: forward mode.

    Zeros for a y that depends on no x. It costs about as much as ys and their gradients, however many ys there are.

    Args:
        ys: tensors of a float dtype, nested at will.
        xs: tensors or variables of a float dtype, nested at will.
        tangents: the direction, in the structure of `xs`.

    Raises:
        NotDifferentiableError, GradientNotImplementedError: an op on the path has no gradient.
        ShapeError: a tangent has another shape than its x.
    """
    y_list, unflatten = flatten(ys)
    x_list = flatten(xs)[0]
    _require_floats("ys", y_list, "jvp")
    _require_floats("xs", x_list, "jvp")
    given = flatten(tangents)[0]
    if len(given) != len(x_list):
        raise ArgumentError(
            "jvp: tangents does not match xs one to one",
            expected=f"{len(x_list)} tensor(s), one for each x",
            got=str(len(given)),
            fix="give tangents the nesting of xs",
        )
    directions = [_like(value, x, "jvp: a tangent", "x") for value, x in zip(given, x_list, strict=True)]
    found = autodiff.jvp(y_list, x_list, directions)
    return unflatten([zeros_like(y) if d is None else d for d, y in zip(found, y_list, strict=True)])


def _require_floats(what: str, nodes: list[Any], who: str = "gradients") -> None:
    for node in nodes:
        if not isinstance(node, Tensor):
            raise StaticGraphError(
                f"{who}: {what} must be tensors",
                expected="tensors or variables, nested at will",
                got=repr(node),
                fix="pass the tensor itself; graph[name] finds one by its name",
            )
        if node.dtype not in INEXACT | LOW:
            raise DTypeError(
                f"{who}: {what} must be of a float dtype",
                expected=names(INEXACT),
                got=repr(node),
                fix="keep the numbers in float32, and convert them to float8 where they are used"
                if node.dtype.kind == "float"
                else "only floats have gradients: take those of what the integers are computed from",
            )


def _cotangents(ys: list[Tensor], grad_ys: Any) -> list[Tensor]:
    if grad_ys is None:
        for y in ys:
            autodiff.require_scalar(y)
            _require_real(y)
        return [ones_like(y) for y in ys]
    given = flatten(grad_ys)[0]
    if len(given) != len(ys):
        raise ArgumentError(
            "gradients: grad_ys does not match ys one to one",
            expected=f"{len(ys)} tensor(s), one for each y",
            got=str(len(given)),
            fix="give grad_ys the nesting of ys",
        )
    return [_like(value, y, "gradients: an entry of grad_ys", "y") for value, y in zip(given, ys, strict=True)]


def _require_real(y: Tensor) -> None:
    if y.dtype.kind == "complex":
        raise DTypeError(
            "gradients: a loss must be real: of complex numbers none is the least",
            expected="a real scalar, or grad_ys with complex weights",
            got=repr(y),
            fix="take gc.real(y), gc.abs(y), or the sum of gc.real(y * gc.conj(y))",
        )


def _like(value: Any, node: Tensor, what: str, whose: str) -> Tensor:
    """A value of the dtype and shape of a node."""
    found = convert(as_tensor(value), node.dtype)
    if not compatible(found.type, node.type):
        raise ShapeError(
            f"{what} has another shape than its {whose}",
            expected=str(node.type),
            got=str(found.type),
            fix=f"give every element of {whose} its weight: gc.broadcast_to(weight, {whose}.shape), "
            f"gc.ones_like({whose})",
        )
    return broadcast_to(found, node.shape)  # equates symbols under two names, by a guard


def _connected(gradient: Tensor | None, x: Tensor, ys: list[Tensor], unconnected: str) -> Tensor | None:
    if gradient is not None:
        return gradient
    if unconnected == "none":
        return None
    if unconnected == "zero":
        return zeros_like(x)
    raise not_connected(x, ys, 'compute ys from it, or pass unconnected="zero" (or "none") if that is meant')


def not_connected(x: Tensor, ys: Sequence[Tensor], fix: str, what: str = "ys") -> NotConnectedError:
    """The error for an x that no gradient reaches, with what cuts the path."""
    name = repr(x.name) if x.name else "x"
    cut = autodiff.first_cut(ys, x)
    why = f"nothing in {what} depends on it" if cut is None else f"{cut.op.name} at {cut.origins} passes none on"
    return NotConnectedError(
        f"no gradient reaches {name}: {why}",
        expected=f"a path of floating-point operations from {name} to {what}",
        got=repr(x if cut is None else cut),
        fix=fix,
    )
