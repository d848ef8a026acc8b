"""The structural key: a cached 128-bit digest of what a node computes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from graphc.digest import blake2b
from graphc.errors import InternalError
from graphc.ir.dims import Poly
from graphc.ir.dtype import DType
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind, OpDef
from graphc.ir.tensor import Tensor


def structural_key(node: Tensor) -> bytes:
    """Equal for two nodes that compute the same from sources of the same name and type.

    The order of the operands of a commutative op makes no difference: it makes none to the bits of the result.
    (Of complex numbers it does: a product may be rounded otherwise.)
    Attributes are compared by type and bits: `0.0` is not `-0.0`, `1` is neither `True` nor `1.0`.
    """
    if node._key is None:
        stack = [node]
        while stack:
            top = stack[-1]
            pending = [i for i in top.inputs if i._key is None]
            if pending and top._key is None:
                stack.extend(pending)
                continue
            stack.pop()
            if top._key is None:
                object.__setattr__(top, "_key", _digest(top))
    assert node._key is not None
    return node._key


def _digest(node: Tensor) -> bytes:
    parts = [_header(node.op)]
    for name in sorted(node.attrs) if node.attrs else ():
        parts += [f"{name}=".encode(), encode_attr(node.attrs[name])]
    if node.op.kind is Kind.SOURCE:
        parts.append(f":{node.type}".encode())
    keys = [source._key for source in node.inputs if source._key is not None]
    parts += sorted(keys) if node.op.commutes and node.type.dtype.kind != "complex" else keys
    return blake2b(b"".join(parts), digest_size=16).digest()


@cache
def _header(op: OpDef) -> bytes:
    return f"{op.name}/{op.version}(".encode()


def graph_key(graph: Graph) -> bytes:
    """The key of a closed graph: its parameters' types, and its results by key."""
    counts = f"{len(graph.parameters)},{len(graph.results)},{len(graph.updates)}"
    state = blake2b(counts.encode(), digest_size=16)
    for part in (*graph.parameters, *graph.results):
        state.update(structural_key(part))
    for variable, value in graph.updates:
        state.update(structural_key(variable) + structural_key(value))
    return state.digest()


def encode_attr(value: Any) -> bytes:
    """An attribute as bytes that tell its type and its bits.

    Raises:
        InternalError: the type is outside of the closed set.
    """
    if isinstance(value, tuple):
        return b"(" + b",".join(encode_attr(item) for item in value) + b")"
    if isinstance(value, float):
        return b"f" + value.hex().encode()
    if value is None or isinstance(value, (bool, int, str, DType, Poly)):
        return f"{type(value).__name__}:{value!r}".encode()
    if isinstance(value, np.ndarray):
        header = f"{value.dtype.str}{value.shape}".encode()
        return b"a" + header + blake2b(np.ascontiguousarray(value).tobytes(), digest_size=16).digest()
    if isinstance(value, Graph):
        return b"g" + graph_key(value)
    raise InternalError(f"an attribute cannot be a {type(value).__name__}")
