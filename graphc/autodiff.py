"""Reverse-mode differentiation: a graph goes in, a graph comes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from graphc.errors import GradientNotImplementedError, InternalError, NotDifferentiableError, ShapeError
from graphc.ir.dtype import FLOAT8
from graphc.ir.opdef import Kind, Trait
from graphc.ir.tensor import Tensor, inherit, rebuild, tuple_elements
from graphc.ir.types import TensorType
from graphc.ir.walk import toposort
from graphc.ops.complex import CONJ, conj, real
from graphc.ops.define import convert
from graphc.ops.fused import parameter
from graphc.ops.layout import reshape
from graphc.ops.reductions import sum as reduce_sum
from graphc.rules.canonical import CANONICAL
from graphc.rules.engine import Rewriter
from graphc.rules.pattern import scalar_value
from graphc.rules.simplify import MULTIPLY_ONE
from graphc.rules.stable import STABLE


def vjp(ys: Sequence[Tensor], xs: Sequence[Tensor], cotangents: Sequence[Tensor]) -> list[Tensor | None]:
    """The vector-Jacobian products Σᵢ cotangentsᵢ · ∂ysᵢ/∂xⱼ, one per x; `None` where no path leads to a y.

    The graph is stabilised first, with the xs as leaves, and composites without a gradient of their own are
    expanded.

    Raises:
        NotDifferentiableError: a path leads through an op that has no gradient.
        GradientNotImplementedError: a path leads through an op whose gradient graphc lacks.
    """
    leaves = frozenset(xs)
    ys = Rewriter((*CANONICAL, *STABLE), stage="stabilise", barriers=leaves).run(ys)
    ys = _expand_composites(ys, leaves)
    order = toposort(ys, leaves)
    active = _active_nodes(order, leaves)
    sweep = _Sweep(active, order)
    for y, cotangent in zip(ys, cotangents, strict=True):
        sweep.add(y, 0, cotangent)
    for node in reversed(order):
        if node in active and node not in leaves:
            with inherit(node.origins):
                sweep.visit(node)
    return [sweep.cotangents(x)[0] for x in xs]


def jvp(ys: Sequence[Tensor], xs: Sequence[Tensor], tangents: Sequence[Tensor]) -> list[Tensor | None]:
    """The Jacobian-vector products Σⱼ ∂ysᵢ/∂xⱼ · tangentsⱼ, one per y; `None` where no path leads from an x.

    vjp is linear in the cotangents, and its own vjp with regard to them is the adjoint of the adjoint: what is wanted.
    Their values do not matter, and nothing of them is left.

    Raises:
        NotDifferentiableError, GradientNotImplementedError: as `vjp`.
    """
    cotangents = [parameter(at, y.dtype, y.shape) for at, y in enumerate(ys)]
    found = vjp(ys, xs, cotangents)
    pairs = [(back, tangent) for back, tangent in zip(found, tangents, strict=True) if back is not None]
    forward = vjp([back for back, _ in pairs], cotangents, [tangent for _, tangent in pairs])
    left = frozenset(cotangents)
    kept = [node for node in toposort([node for node in forward if node is not None]) if node in left]
    if kept:
        raise InternalError("a gradient is not linear in its cotangent", got=", ".join(map(repr, ys)))
    return forward


class _Sweep:
    """The cotangents that have arrived so far, per node and result."""

    def __init__(self, active: set[Tensor], order: Sequence[Tensor]) -> None:
        self._active = active
        self._seeds = Rewriter((*CANONICAL, MULTIPLY_ONE), stage="gradient", barriers=order)
        self._arrived: dict[int, dict[Tensor, Tensor]] = defaultdict(dict)  # by number of the result
        self._complex = any(map(_is_complex, order))

    def add(self, node: Tensor, index: int, cotangent: Tensor) -> None:
        """Adds a cotangent of one result of a node, summed back to the shape of the result."""
        if node not in self._active:
            return
        cotangent = _sum_to(cotangent, tuple_elements(node)[index])
        arrived = self._arrived[index]
        arrived[node] = arrived[node] + cotangent if node in arrived else cotangent

    def cotangents(self, node: Tensor) -> list[Tensor | None]:
        """What has arrived for each result; `None` is a symbolic zero."""
        return [self._arrived[index].get(node) for index in range(len(tuple_elements(node)))]

    def visit(self, node: Tensor) -> None:
        """Passes the cotangents of a node on to its inputs."""
        cotangents = self.cotangents(node)
        if all(ct is None for ct in cotangents):
            return
        if node.op.name == "project":
            assert cotangents[0] is not None
            self.add(node.inputs[0], node.attrs["index"], cotangents[0])
            return
        rule = node.op.vjp
        if isinstance(rule, str):
            raise _not_differentiable(node, rule)
        if rule is None:
            raise GradientNotImplementedError(
                f"the gradient of {node.op.name} is not implemented", got=repr(node), origins=node.origins
            )
        conjugated = _conjugate if self._complex and _is_holomorphic(node) else _unchanged
        if callable(rule):
            given = [None if ct is None else conjugated(ct) for ct in cotangents]
            for source, ct in zip(node.inputs, rule(given, node), strict=True):
                if ct is not None:
                    self.add(source, 0, conjugated(ct))
            return
        (ct,) = cotangents
        assert ct is not None
        ct = conjugated(ct)
        for source, function in zip(node.inputs, rule, strict=True):
            if function is not None and source in self._active:
                self.add(source, 0, conjugated(self._without_ones(function(ct, node), ct)))

    def _without_ones(self, result: Tensor, ct: Tensor) -> Tensor:
        """A product with the ones that a gradient starts from is no product: to see that later rebuilds all of it."""
        return result if scalar_value(ct) is None else self._seeds.run([result])[0]


def _is_complex(node: Tensor) -> bool:
    return any(kind.dtype.kind == "complex" for kind in tuple_elements(node))


def _is_holomorphic(node: Tensor) -> bool:
    """Whether its rule multiplies by a complex derivative f′: a cotangent ct is to become ct · conj(f′)."""
    if node.op.kind in _MOVES or Trait.OWN_CONJUGATE in node.op.traits:
        return False
    return _is_complex(node) or any(map(_is_complex, node.inputs))


_MOVES = (Kind.LAYOUT, Kind.STRUCTURE, Kind.EFFECT)


def _conjugate(ct: Tensor) -> Tensor:
    return ct.inputs[0] if ct.op is CONJ else conj(ct)


def _unchanged(ct: Tensor) -> Tensor:
    return ct


def _not_differentiable(node: Tensor, reason: str) -> NotDifferentiableError:
    return NotDifferentiableError(
        f"{node.op.name} is not differentiable: {reason}",
        expected="differentiable operations between the variables and the value",
        got=repr(node),
        fix=f"take it for a constant with gc.stop_gradient({node.op.name}(…))",
        origins=node.origins,
    )


def _active_nodes(order: Sequence[Tensor], leaves: frozenset[Tensor]) -> set[Tensor]:
    """The nodes that depend on the leaves through floating-point numbers only."""
    active: set[Tensor] = set()
    for node in order:
        depends = node in leaves or any(source in active for source in node.inputs)
        if depends and node.op.name != "stop_gradient" and _holds_floats(node):
            active.add(node)
    return active


def first_cut(ys: Sequence[Tensor], x: Tensor) -> Tensor | None:
    """The first node that depends on x and passes no gradient on: it gives no floats, or is `stop_gradient`."""
    order = toposort(ys)
    active = _active_nodes(order, frozenset({x}))
    return next((node for node in order if node not in active and any(s in active for s in node.inputs)), None)


_DIFFERENTIABLE = ("float", "complex")


def _holds_floats(node: Tensor) -> bool:
    return any(kind.dtype.kind in _DIFFERENTIABLE and kind.dtype not in FLOAT8 for kind in tuple_elements(node))


def _expand_composites(ys: Sequence[Tensor], leaves: frozenset[Tensor]) -> list[Tensor]:
    """Replaces composites that have no gradient of their own by what they are made of."""
    new: dict[Tensor, Tensor] = {}
    for node in toposort(ys, leaves):
        if node in leaves:
            new[node] = node
            continue
        rebuilt = rebuild(node, [new[source] for source in node.inputs])
        if node.op.vjp is None and node.op.decompose is not None:
            with inherit(node.origins):
                rebuilt = node.op.decompose(rebuilt)
        new[node] = rebuilt
    return [new[y] for y in ys]


def _sum_to(cotangent: Tensor, target: TensorType) -> Tensor:
    """Sums over the axes along which an operand was broadcast."""
    if cotangent.dtype.kind == "complex" and target.dtype.kind != "complex":
        cotangent = real(cotangent)  # a real number moves along the real axis alone
    cotangent = convert(cotangent, target.dtype)
    if cotangent.shape == target.shape:
        return cotangent
    extra = cotangent.ndim - len(target.shape)
    if extra < 0:
        return reshape(cotangent, target.shape)
    repeated = [
        axis + extra for axis, size in enumerate(target.shape) if size == 1 and cotangent.shape[axis + extra] != 1
    ]
    axes = (*range(extra), *repeated)
    if not axes:
        return cotangent  # equal by a guard, under two names
    return reshape(reduce_sum(cotangent, axis=axes, keepdims=True), target.shape)


def require_scalar(y: Tensor) -> None:
    """A value without given cotangents must be a scalar.

    Raises:
        ShapeError: it is not.
    """
    if y.shape:
        raise ShapeError(
            "gradients start from a scalar, unless grad_ys is given",
            expected="a scalar, or grad_ys with a weight for every element",
            got=repr(y),
            fix="reduce it with gc.mean or gc.sum; or weigh all elements alike: grad_ys=gc.ones_like(y)",
        )


__all__ = ["first_cut", "require_scalar", "vjp"]
