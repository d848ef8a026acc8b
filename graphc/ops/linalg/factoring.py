"""What the factors of matrices have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import GradientNotImplementedError, NotDifferentiableError
from graphc.ir import dims
from graphc.ir.dtype import FLOAT
from graphc.ir.opdef import Infer, Kind, OpDef, Trait
from graphc.ir.tensor import Tensor, apply
from graphc.ops.define import TensorLike, Vjp, define, float_operand
from graphc.ops.linalg.parts import halved_lower_part
from graphc.ops.sources import zeros
from graphc.ops.structure import projections

Cotangents = Sequence[Tensor | None]


def define_factors(name: str, infer: Infer, vjp: Vjp, array_fn: Callable[..., Any]) -> OpDef:
    """An op of floats whose last bits are the library's."""
    return define(name, Kind.CONTRACTION, infer, vjp, dtypes=FLOAT, array_fn=array_fn, traits=[Trait.INEXACT])


def results(op: OpDef, x: TensorLike, **attrs: Any) -> tuple[Tensor, ...]:
    """The results of an op that has several."""
    return projections(apply(op, (float_operand(x),), **attrs))


def of_lower_triangle(x: Tensor) -> Tensor:
    """What the gradient in a symmetric matrix is in the one triangle that stands for both."""
    return halved_lower_part(x + x.mT)


def is_tall(node: Tensor) -> bool:
    """Whether a matrix has as many rows as columns, or more.

    Raises:
        GradientNotImplementedError: its sizes do not tell.
    """
    rows, columns = node.inputs[0].shape[-2:]
    tall = dims.at_least(rows, columns)
    if not tall and not dims.at_least(columns, rows):
        raise GradientNotImplementedError(
            f"the gradient of {node.op.name} needs to know which size is larger",
            expected="static sizes, or sizes of which one is never smaller",
            got=repr(node.inputs[0]),
            fix="write numbers in the shapes of the placeholders",
            origins=node.origins,
        )
    return tall


def not_unique(node: Tensor, fix: str) -> NotDifferentiableError:
    return NotDifferentiableError(
        f"{node.op.name} is not differentiable: the vectors that fill up an orthogonal matrix are any",
        expected="square matrices, or the reduced factors",
        got=repr(node.inputs[0]),
        fix=fix,
        origins=node.origins,
    )


def zeros_if_none(ct: Tensor | None, like: Tensor) -> Tensor:
    return zeros(like.shape, dtype=like.dtype) if ct is None else ct
