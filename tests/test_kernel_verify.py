"""The text of Kernels, what their verifier refuses, and what the interpreter holds them to while it runs them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from kernel_backend import KernelBackend

import graphc as gc
from graphc.conformance.tolerances import after_steps, assert_close
from graphc.errors import InternalError, OutOfRangeError, VerifyError
from graphc.ir import dims
from graphc.ir.dtype import DType, bool_, float32, float64, int32, int64
from graphc.ir.graph import Graph
from graphc.ir.types import TensorType
from graphc.lowering.kernel import (
    Axis,
    Check,
    Compute,
    Constant,
    Index,
    Instruction,
    Kernel,
    Load,
    RangeCheck,
    Reduce,
    Stage,
    Store,
    axis_symbol,
    value_symbol,
)
from graphc.lowering.kernel_builder import build_kernel, collapse_axes
from graphc.lowering.kernel_interpreter import interpret
from graphc.lowering.kernel_verify import INSTRUCTION_SPEC, KERNEL_SPEC, verify_kernel
from graphc.ops.fused import parameter

N = dims.symbol("n")
I0, I1 = axis_symbol(0), axis_symbol(1)


# --- text -------------------------------------------------------------------------------------------------

SOFTMAX = """\
row kernel softmax(float32[n, 6]) over %i0 < n, %i1 reduced < 6
  at every point:
    %v0: float32 = in0[6*%i0 + %i1]
    %v1: float32 = reduce max %v0
  at every point:
    %v2: float32 = in0[6*%i0 + %i1]
    %v3: float32 = subtract(%v2, %v1)
    %v4: float32 = exp(%v3)
    %v5: float32 = reduce sum %v4
  at every point:
    %v6: float32 = in0[6*%i0 + %i1]
    %v7: float32 = subtract(%v6, %v1)
    %v8: float32 = exp(%v7)
    %v9: float32 = divide(%v8, %v5)
    out0[6*%i0 + %i1] = %v9"""

ROWS_OF_A_TABLE = """\
elementwise kernel rows(float32[n, 3], int32[4], float32[]) over %i0 < 4, %i1 < 5
  at every point:
    %v0: int64 = %i1
    %v1: int64 = 3
    %v2: bool = less(%v0, %v1)
    %v3: int32 = in1[%i0] if %v2 else 0
    %v4: int64 = astype(%v3)
    %v5: int64 = n
    %v6: bool = less(%v4, %v5)
    %v7: int64 = 0
    %v8: int64 = negative(%v5)
    %v9: int64 = add(%v4, %v5)
    %v10: bool = less(%v4, %v7)
    %v11: int64 = where(%v10, %v9, %v4)
    %v12: bool = greater_equal(%v4, %v8)
    %v13: bool = logical_and(%v6, %v12)
    %v14: bool = logical_not(%v2)
    %v15: bool = logical_or(%v14, %v13)
    check 0: %v15, else report %v4
    %v16: bool = logical_and(%v2, %v13)
    %v17: float32 = in0[%i1 + 3*%v11] if %v16 else 0
    %v18: float32 = in2[0]
    %v19: float32 = where(%v2, %v17, %v18)
    out0[5*%i0 + %i1] = %v19"""


def test_the_text_of_a_row_kernel() -> None:
    x = parameter(0, float32, (N, 6))
    e = gc.exp(x - gc.max(x, axis=1, keepdims=True))
    kernel = build_kernel(Graph([x], [e / gc.sum(e, axis=1, keepdims=True)]), "row", "softmax")
    assert str(kernel) == SOFTMAX
    assert kernel.symbols == ("n",)


def test_the_text_of_a_gather_within_a_border() -> None:
    x, i, border = parameter(0, float32, (N, 3)), parameter(1, int32, (4,)), parameter(2, float32, ())
    result = gc.pad(gc.take(x, i, axis=0), ((0, 0), (0, 2)), constant_values=border)
    assert str(build_kernel(Graph([x, i, border], [result]), "elementwise", "rows")) == ROWS_OF_A_TABLE


# --- the verifier -----------------------------------------------------------------------------------------

_MATRIX, _ROW = TensorType(float32, (N, 6)), TensorType(float32, (N,))
_LOAD, _STORE = Load(0, float32, 0, I0 * 6 + I1), Store(0, I0 * 6 + I1, 0)
_AXES = (Axis("%i0", N, False), Axis("%i1", 6, True))


def kernel(
    *stages: tuple[bool, list[Instruction]], outputs: tuple[TensorType, ...] = (_MATRIX,), **others: Any
) -> Kernel:
    body = tuple(Stage(full, tuple(code)) for full, code in stages)
    return Kernel("k", "row", _AXES, (_MATRIX,), outputs, body)._replace(**others)


def full(*code: Instruction, **others: Any) -> Kernel:
    return kernel((True, list(code)), **others)


def computed(op: str, dtype: DType, *args: int) -> Kernel:
    """A kernel with an op of two loads: %v0 and %v1 are float32, %v2 is int64, %v3 bool."""
    return full(
        _LOAD,
        Constant(1, float32, np.float32(1)),
        Index(2, int64, I0),
        Compute(3, bool_, "less", (0, 1)),
        Compute(4, dtype, op, args),
        _STORE,
    )


_SUM = (True, [_LOAD, Reduce(1, float32, "sum", 0)])
_CHECKED = RangeCheck("take", 6, gc.errors.NO_ORIGINS)
_ADD = Compute(1, float32, "add", (0, 0))

BROKEN = {
    "axes are named by their position": [full(_LOAD, _STORE, axes=(_AXES[0], Axis("%i7", 6, True)))],
    "it has a reduced axis if it reduces": [
        kernel(_SUM, (True, [Store(0, I0 * 6 + I1, 1)]), axes=(_AXES[0], Axis("%i1", 6, False)))
    ],
    "every output is stored": [
        full(_LOAD),
        full(_LOAD, _STORE, _STORE),
        full(_LOAD, _STORE, outputs=(_MATRIX, _ROW)),
        full(_LOAD, _STORE, Store(1, I0, 0)),
    ],
    "every check that it lists": [
        full(_LOAD, _STORE, checks=(_CHECKED,)),
        full(_LOAD, Constant(1, bool_, np.True_), Index(2, int64, I0), Check(0, 1, 2), _STORE),
    ],
    "values are numbered": [
        full(_LOAD._replace(dest=1), _STORE._replace(value=1)),
        full(_LOAD, _LOAD, _STORE),
    ],
    "its operands are defined before it": [
        full(_ADD._replace(dest=0, args=(1, 1)), _LOAD._replace(dest=1), _STORE),
        full(_LOAD, _ADD._replace(args=(0, 9)), _STORE),
        full(_LOAD, _LOAD._replace(dest=1, when=5), _STORE),
        full(_LOAD, Reduce(1, float32, "sum", 4), _STORE),
        full(_LOAD, _STORE._replace(value=3)),
        full(Constant(0, bool_, np.True_), Check(0, 0, 4), _STORE, checks=(_CHECKED,)),
        kernel((True, [_LOAD]), (True, [_STORE])),  # a value of another full stage
        kernel((True, [_LOAD]), (False, [Store(0, I0, 0)]), outputs=(_ROW,)),
        full(_LOAD, Reduce(1, float32, "sum", 0), _STORE._replace(value=1)),  # a row that is not yet complete
    ],
    "its dims name axes and int64 values": [
        full(_LOAD._replace(offset=axis_symbol(2)), _STORE),
        full(_LOAD, Load(1, float32, 0, value_symbol(7)), _STORE),
        full(_LOAD, Load(1, float32, 0, value_symbol(0)), _STORE),  # a float as an index
        full(_LOAD, Index(1, int64, I0 + axis_symbol(5)), _STORE),
        kernel(_SUM, (False, [Index(2, int64, I1), Store(0, I0, 1)]), outputs=(_ROW,)),
    ],
    "reductions stand in full stages": [
        kernel(_SUM, (False, [Reduce(2, float32, "sum", 1), Store(0, I0, 2)]), outputs=(_ROW,))
    ],
    "its array exists": [full(_LOAD._replace(param=1), _STORE), full(_LOAD._replace(param=-1), _STORE)],
    "its dtypes are those": [
        full(_LOAD._replace(dtype=float64), _STORE),
        full(_LOAD, Load(1, float32, 0, 0, 0), _STORE),  # a float as a condition
        full(_LOAD, Index(1, int32, I0), _STORE),
        full(_LOAD, Constant(1, float32, np.float64(1)), _STORE),
        computed("add", float64, 0, 1),
        computed("add", float32, 0, 2),
        computed("add", float32, 0),
        computed("exp", int64, 2),
        computed("less", float32, 0, 1),
        computed("where", float32, 0, 1, 1),
        computed("astype", float32, 0, 1),
        computed("sum", float32, 0),
        computed("made_up", float32, 0),
        kernel((True, [_LOAD, Reduce(1, float32, "exp", 0)]), (False, [Store(0, I0, 1)]), outputs=(_ROW,)),
        kernel((True, [_LOAD, Reduce(1, float32, "argmax", 0)]), (False, [Store(0, I0, 1)]), outputs=(_ROW,)),
        kernel((True, [_LOAD, Reduce(1, bool_, "any", 0)]), (False, [Store(0, I0, 1)]), outputs=(_ROW,)),
        full(_LOAD, Index(1, int64, I0), Check(0, 1, 1), _STORE, checks=(_CHECKED,)),
        full(_LOAD, Constant(1, bool_, np.True_), Check(0, 1, 1), _STORE, checks=(_CHECKED,)),
        full(Index(0, int64, I0), _STORE),
    ],
    "stores run through all elements": [
        full(_LOAD, _STORE._replace(offset=I0 + I1)),
        full(_LOAD, _STORE._replace(offset=I1 * 6 + I0)),
        full(_LOAD, Store(0, I0, 0), outputs=(_ROW,)),
        full(_LOAD, _STORE, outputs=(TensorType(float32, (N, 7)),), axes=(Axis("%i0", 2, False), _AXES[1]))._replace(
            outputs=(TensorType(float32, (13,)),)
        ),
        kernel(_SUM, (False, [Store(0, I0 * 6, 1)]), outputs=(_ROW,)),
    ],
}  # fmt: skip


def test_sound_kernels_pass() -> None:
    verify_kernel(full(_LOAD, _STORE))
    verify_kernel(kernel(_SUM, (False, [Store(0, I0, 1)]), outputs=(_ROW,)))
    verify_kernel(kernel(_SUM, (True, [Store(0, I0 * 6 + I1, 1)])))
    verify_kernel(computed("where", float32, 3, 0, 1))
    verify_kernel(computed("astype", float64, 0))


@pytest.mark.parametrize("sentence", list(BROKEN))
def test_the_verifier_refuses(sentence: str) -> None:
    for broken in BROKEN[sentence]:
        with pytest.raises(VerifyError, match=f"(?s)not true of.*k.*: .*{sentence}.*row kernel k"):
            verify_kernel(broken)


def test_every_sentence_of_the_specification_is_broken_once() -> None:
    sentences = [sentence for sentence, _ in (*KERNEL_SPEC, *INSTRUCTION_SPEC)]
    assert [sum(part in sentence for part in BROKEN) for sentence in sentences] == [1] * len(BROKEN)


# --- the interpreter --------------------------------------------------------------------------------------

_TRAPS: dict[str, tuple[str, Callable[[], Kernel]]] = {
    "a read behind the end": ("in0 is read outside", lambda: full(_LOAD._replace(offset=I0 * 6 + I1 + 1), _STORE)),
    "a read before the start": ("in0 is read outside", lambda: full(_LOAD._replace(offset=I1 - 1), _STORE)),
    "a write behind the end": ("out0 is written outside", lambda: full(_LOAD, Store(0, I0 * 6 + I1 + 1, 0))),
    "an element twice": (
        r"written \[0, 2\] times",
        lambda: full(_LOAD, Store(0, I0 * 6 + 2 * dims.floordiv(I1, 2), 0)),
    ),
    "no element": (r"written \[0\] times", lambda: full(_LOAD)),
    "another dtype": ("gave float32", lambda: full(_LOAD._replace(dtype=float64), _STORE)),
    "a reduction once a row": (
        "in a row stage",
        lambda: kernel(_SUM, (False, [Reduce(2, float32, "sum", 1), Store(0, I0, 2)]), outputs=(_ROW,)),
    ),
    "a reduced axis once a row": (
        "%i1 in a row stage",
        lambda: kernel((False, [_LOAD, Store(0, I0, 0)]), outputs=(_ROW,)),
    ),
}


@pytest.mark.parametrize(("message", "make"), list(_TRAPS.values()), ids=list(_TRAPS))
def test_the_interpreter_notices(message: str, make: Callable[[], Kernel]) -> None:
    with pytest.raises(InternalError, match=message):
        interpret(make(), [np.zeros((2, 6), np.float32)], {"n": 2})


def test_the_interpreter_wants_the_declared_types() -> None:
    for array in (np.zeros((2, 6)), np.zeros((2, 5), np.float32)):
        with pytest.raises(InternalError, match="an input of another type"):
            interpret(full(_LOAD, _STORE), [array], {"n": 2})


def test_what_is_not_read_may_lie_outside() -> None:
    guard = [Index(0, int64, I1), Constant(1, int64, np.int64(5)), Compute(2, bool_, "less", (0, 1))]
    code = full(*guard, Load(3, float32, 0, I0 * 6 + I1 + 1, 2), Store(0, I0 * 6 + I1, 3))
    array = np.arange(12, dtype=np.float32).reshape(2, 6) + 1
    (shifted,) = interpret(code, [array], {"n": 2})
    assert shifted.tolist() == [[2, 3, 4, 5, 6, 0], [8, 9, 10, 11, 12, 0]]


def test_a_check_names_what_offends() -> None:
    code = full(
        _LOAD,
        Index(1, int64, I1 - 1),
        Constant(2, int64, np.int64(4)),
        Compute(3, bool_, "less", (1, 2)),
        Check(0, 3, 1),
        _STORE,
        checks=(_CHECKED._replace(size=N),),
    )
    with pytest.raises(OutOfRangeError, match=r"(?s)take.*indices from -2 to 1.*indices from 4 to 4"):
        interpret(code, [np.zeros((2, 6), np.float32)], {"n": 2})


# --- merged axes ------------------------------------------------------------------------------------------


def test_axes_of_other_kinds_and_orders_stay() -> None:
    for kept in (full(_LOAD, _STORE), full(_LOAD._replace(offset=I1 * N + I0), _STORE)):
        assert collapse_axes(kept) == kept
    free = (Axis("%i0", N, False), Axis("%i1", 6, False))
    transposed = full(_LOAD._replace(offset=I1 * N + I0), _STORE, axes=free)
    assert collapse_axes(transposed) == transposed
    flat = collapse_axes(full(_LOAD, _STORE, axes=free))
    assert flat.axes == (Axis("%i0", N * 6, False),)
    assert flat.stages == (Stage(True, (Load(0, float32, 0, I0), Store(0, I0, 0))),)


# --- the backend of the tests -----------------------------------------------------------------------------


def test_a_training_step_in_kernels() -> None:
    """The same losses and weights as on the numpy backend, within the rounding of sums in another order."""
    rng = np.random.default_rng(0)
    data, labels = rng.normal(size=(8, 5)).astype(np.float32), rng.integers(0, 3, 8)
    outcomes = []
    for backend in ("numpy", KernelBackend()):
        with gc.Graph() as graph:
            x, y = gc.placeholder("x", ("batch", 5)), gc.placeholder("y", ("batch",), gc.int64)
            w = gc.Variable(np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3), name="w")
            b = gc.Variable(np.zeros(3, np.float32), name="b")
            loss = gc.losses.softmax_cross_entropy(x @ w + b, y, reduction="mean")
            train = gc.optim.Adam(0.1).minimize(loss)
        with gc.Session(graph, backend=backend) as session:
            step = session.compile([loss, train], feeds=[x, y])
            outcomes.append([*(step(data, labels)[0] for _ in range(5)), session.value(w), session.value(b)])
    for expected, got in zip(*outcomes, strict=True):
        assert_close(got, expected, after_steps(5))


def test_a_gather_out_of_range_fails_the_run_of_a_session() -> None:
    with gc.Graph() as graph:
        x, i = gc.placeholder("x", ("n", 3)), gc.placeholder("i", ("m",), gc.int64)
        rows = gc.take(x, i, axis=0) * 2.0
    with gc.Session(graph, backend=KernelBackend()) as session:
        array = np.ones((2, 3), np.float32)
        assert session.run(rows, {x: array, i: [1, -2]}).tolist() == [[2.0] * 3] * 2
        with pytest.raises(OutOfRangeError, match=r"(?s)take.*gc\.take.*indices from 2 to 2"):
            session.run(rows, {x: array, i: [1, 2]})
