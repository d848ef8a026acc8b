"""One call per op of the table, over leaves that the caller makes: the fuzzer takes them in turn, and meets every op.

`OP_EXAMPLES[name](leaf)` records the op; `leaf(dtype, shape)` makes a tensor of numbers with few digits, `leaf(dtype,
shape, domain)` one of such numbers in a domain. An op that is not named here has the first call of its row.
"""

import math
from collections.abc import Callable

import numpy as np

import graphc as gc
import graphc.ops
from graphc.conformance.rows import ROWS
from graphc.conformance.table import D, Row
from graphc.ir.dtype import COMPLEX, bool_, float32
from graphc.ir.opdef import FUNCTIONS, OPS, Kind
from graphc.ir.tensor import Tensor

Leaf = Callable[..., Tensor]
WITHOUT_EXAMPLE = (
    *("copy", "checked_indices", "add_at", "print", "fused", "fused_checked"),
    *(name for name, op in OPS.items() if op.dtypes <= COMPLEX), "complex", "fft", "rfft",
)  # fmt: skip
"""These only make the output longer, are made by the compiler, or are of complex numbers: tests/test_complex.py."""
_SHAPE = (2, 3)
_ROWS = np.array([1, 0, -1])


def _along_rows(name: str) -> Callable[[Leaf], Tensor]:
    dtype = next(d.name for d in (float32, bool_) if d in OPS[name].dtypes)
    return lambda leaf: FUNCTIONS[name](leaf(dtype, _SHAPE), axis=-1)


def _losses(leaf: Leaf) -> tuple[Tensor, Tensor]:
    logits = leaf("float32", _SHAPE)
    return logits, gc.losses.softmax_cross_entropy(
        logits, gc.argmax(leaf("float32", _SHAPE), axis=-1), reduction="none"
    )


def _gradient_of(y: Tensor, x: Tensor) -> Tensor:
    (gradient,) = gc.gradients(gc.sum(y), [x])
    assert gradient is not None
    return gradient


def _gradient_of_losses(leaf: Leaf) -> Tensor:
    logits, losses = _losses(leaf)
    return _gradient_of(losses, logits)


def _slice_update(leaf: Leaf) -> Tensor:
    x = leaf("float32", _SHAPE)
    return _gradient_of(x[:, ::2] * leaf("float32", (2, 2)), x)


def _scatter_add(leaf: Leaf) -> Tensor:
    return gc.scatter_add(leaf("float32", _SHAPE), _ROWS, leaf("float32", (3, 3)), axis=0)


_NAMED: dict[str, Callable[[Leaf], Tensor]] = {
    **{name: _along_rows(name) for name, op in OPS.items() if op.kind is Kind.REDUCTION},
    **{name: _along_rows(name) for name in ("logsumexp", "softmax", "log_softmax")},
    "astype": lambda leaf: leaf("float32", _SHAPE).astype(gc.float64),
    "broadcast_to": lambda leaf: gc.broadcast_to(leaf("float32", (3,)), _SHAPE),
    "check_numerics": lambda leaf: gc.check_numerics(leaf("float32", _SHAPE)),
    "concat": lambda leaf: gc.concat([leaf("float32", _SHAPE), leaf("float32", (1, 3))]),
    "eigh": lambda leaf: gc.linalg.eigh(leaf("float32", (3, 3))).eigenvalues,
    "svd": lambda leaf: gc.linalg.svd(leaf("float32", (2, 3))).S,
    "gelu": lambda leaf: gc.nn.gelu(leaf("float32", _SHAPE)),
    "matmul": lambda leaf: gc.matmul(leaf("float32", _SHAPE), leaf("float32", (3, 2))),
    "nextafter": lambda leaf: gc.nextafter(leaf("float32", _SHAPE, D(1, 3)), leaf("float32", _SHAPE)),  # 0: none
    "pad": lambda leaf: gc.pad(leaf("float32", _SHAPE), 1),
    "permute_dims": lambda leaf: gc.permute_dims(leaf("float32", (2, 3, 2)), (1, 2, 0)),  # not its own inverse
    "project": lambda leaf: _losses(leaf)[1],
    "reshape": lambda leaf: gc.reshape(leaf("float32", _SHAPE), (3, 2)),
    "scatter_add": _scatter_add,
    "slice": lambda leaf: leaf("float32", _SHAPE)[:, ::2],
    "slice_update": _slice_update,
    "softmax_cross_entropy": lambda leaf: _losses(leaf)[1],
    "softmax_cross_entropy_grad": _gradient_of_losses,
    "softplus": lambda leaf: gc.nn.softplus(leaf("float32", _SHAPE)),
    "stop_gradient": lambda leaf: gc.stop_gradient(leaf("float32", _SHAPE)),
    "where": lambda leaf: gc.where(leaf("bool", _SHAPE), leaf("float32", _SHAPE), leaf("float32", _SHAPE)),
    "take": lambda leaf: gc.take(leaf("float32", _SHAPE), _ROWS, axis=1),
}


def _from_row(row: Row) -> Callable[[Leaf], Tensor]:
    """The first call of a row with more than one element, or the first."""
    sample = next((s for s in row.samples if any(math.prod(shape) > 1 for shape in s.shapes)), row.samples[0])
    domains = [row.domain(position) for position in range(len(sample.shapes))]
    return lambda leaf: row.function(
        *(leaf(d.dtype or row.dtypes[0], shape, d) for d, shape in zip(domains, sample.shapes, strict=True)),
        **sample.kwargs,
    )


def _rows_by_op() -> dict[str, Row]:
    """Those that have calls, by the ops that they make."""
    found = {name: row for row in reversed(ROWS) if row.samples for name in (*row.covers, row.name)}
    return {name: row for name, row in found.items() if name in OPS and name not in WITHOUT_EXAMPLE}


OP_EXAMPLES = {
    **{name: _from_row(row) for name, row in _rows_by_op().items() if OPS[name].kind is not Kind.SOURCE},
    **_NAMED,
}
