"""Groups of fused nodes: one node that holds the graph of what it computes. Made by the fuse pass, never recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.errors import InternalError, Origins
from graphc.ir.dtype import DType
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind, OpDef, Trait
from graphc.ir.tensor import Tensor, apply, inherit, rebuild
from graphc.ir.types import NodeType, TensorType, TupleType, compatible
from graphc.ops.define import define
from graphc.ops.structure import projections

FUSIONS = ("elementwise", "reduction", "row")
"""The kinds of groups: one space; reductions at its end; reduced values that are used in the full space again."""


def _parameter_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    return TensorType(attrs["dtype"], attrs["shape"])


PARAMETER = define("parameter", Kind.SOURCE, _parameter_type, ())
"""What a region is given: numbered by position, so that equal bodies have equal keys."""


def parameter(index: int, dtype: DType, shape: Sequence[Any]) -> Tensor:
    """The parameter of a region at that position."""
    return apply(PARAMETER, (), index=index, dtype=dtype, shape=tuple(shape))


def _fused_type(types: tuple[NodeType, ...], attrs: Mapping[str, Any]) -> TupleType:
    body: Graph = attrs["body"]
    if attrs["fusion"] not in FUSIONS:
        raise InternalError(f"{attrs['fusion']!r} is no kind of group", expected=", ".join(FUSIONS))
    wanted = [node.type for node in body.parameters]
    fits = len(types) == len(wanted) and all(
        isinstance(given, TensorType) and compatible(given, declared)
        for given, declared in zip(types, wanted, strict=True)
    )
    if not fits or body.updates:
        raise InternalError(
            "the operands of a group are not what its body takes",
            expected=", ".join(map(str, wanted)),
            got=", ".join(map(str, types)),
        )
    return TupleType(tuple(node.type for node in body.results))


def inline(body: Graph, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The results of a region, computed from other tensors than its parameters."""
    new = dict(zip(body.parameters, inputs, strict=True))
    for node in body.nodes:
        if node not in new:
            new[node] = rebuild(node, [new[source] for source in node.inputs])
    return tuple(new[node] for node in body.results)


def _parts(node: Tensor) -> tuple[Tensor, ...]:
    return inline(node.attrs["body"], node.inputs)


FUSED = define("fused", Kind.COMPOSITE, _fused_type, None, decompose=_parts)
FUSED_CHECKED = define(
    "fused_checked", Kind.COMPOSITE, _fused_type, None, decompose=_parts, traits=[Trait.CAN_FAIL]
)  # of a body with a node that can fail
FUSED_OPS: frozenset[OpDef] = frozenset({FUSED, FUSED_CHECKED})


def fuse_node(body: Graph, inputs: Sequence[Tensor], fusion: str, origins: Origins) -> tuple[Tensor, ...]:
    """One node that computes what a region does; returns the region's results, as projections.

    Args:
        body: parameters → results, without updates.
        inputs: one per parameter.
        fusion: the kind of group, of `FUSIONS`.
        origins: the user's lines.
    """
    can_fail = any(Trait.CAN_FAIL in node.op.traits for node in body.nodes)
    with inherit(origins):
        return projections(apply(FUSED_CHECKED if can_fail else FUSED, inputs, body=body, fusion=fusion))


def reads_in_place(body: Graph) -> tuple[bool, ...]:
    """For each parameter, whether element i of it serves element i of the body's full space and nothing else.

    That is so if only elementwise nodes of the parameter's own shape read it.
    """
    fine = dict.fromkeys(body.parameters, True)
    for node in body.nodes:
        for source in node.inputs:
            if source in fine and not (node.op.kind is Kind.ELEMENTWISE and node.type.shape == source.type.shape):
                fine[source] = False
    return tuple(fine.values())
