"""How ops are made and recorded: factories per kind, conversion and promotion of operands, axes."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from graphc.errors import ArgumentError, DTypeError, Origins, ShapeError
from graphc.ir import dims
from graphc.ir.device import require_undecided
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtype import (
    ANY,
    FLOAT,
    FLOAT8,
    INEXACT,
    LOW,
    STORED_ONLY,
    DType,
    as_dtype,
    bfloat16,
    bool_,
    complex64,
    complex128,
    complex_dtype,
    float8_e4m3fn,
    float8_e5m2,
    float16,
    float32,
    float64,
    int64,
    names,
    promote,
    uint64,
)
from graphc.ir.opdef import FUNCTIONS, Infer, Kind, OpDef, Trait, VjpOfInput, VjpOfNode, public, register
from graphc.ir.tensor import Tensor, apply, current_origins
from graphc.ir.types import TensorType
from graphc.ops.arrays import own_array

TensorLike: TypeAlias = Tensor | bool | int | float | complex | np.generic | np.ndarray | Sequence[Any]
Axes: TypeAlias = int | Sequence[int] | None
Attrs: TypeAlias = Mapping[str, Any]

Vjp: TypeAlias = tuple[VjpOfInput | None, ...] | VjpOfNode | str | None


def _constant_type(types: tuple[TensorType, ...], attrs: Attrs) -> TensorType:
    value: np.ndarray = attrs["value"]
    return TensorType(as_dtype(value.dtype), value.shape)


CONSTANT = register(OpDef("constant", Kind.SOURCE, _constant_type, vjp=(), array_fn=lambda xp, value: value))


def constant_node(value: np.ndarray) -> Tensor:
    """A constant that holds a frozen, contiguous copy of an array."""
    frozen = np.array(value, order="C", copy=True)
    frozen.flags.writeable = False
    return apply(CONSTANT, (), value=frozen)


def as_tensor(value: TensorLike, dtype: DType | None = None) -> Tensor:
    """A tensor for a tensor, a number, an array or a nested list.

    Args:
        value: arrays of any library keep their dtype; Python floats become float32 and ints int64, in lists too.
        dtype: what a number is to become; an error if it does not fit.

    Raises:
        DTypeError: graphc has no such dtype, or the number does not fit into it.
        ArgumentError: an array is masked.
    """
    if isinstance(value, Tensor):
        return value
    found = own_array(value)
    if found is not None:
        return constant_node(found.astype(as_dtype(found.dtype).numpy, copy=False))
    if isinstance(value, (list, tuple)):
        _reject_tensors_inside(value)
    if dtype is None:
        dtype = _natural_dtype(value)
    number = value.item() if isinstance(value, np.generic) else value  # a NumPy scalar would wrap around
    array = _held(number, dtype)
    if array is None:
        wider = next((d for d in _WIDER if _RANK[d.kind] >= _RANK[dtype.kind] and _holds(number, d)), None)
        raise DTypeError(
            f"{_shorten(value)} does not fit into {dtype}",
            expected=_range(dtype),
            got=_shorten(value),
            fix="use such numbers"
            + (f", or a dtype that holds it: x.astype(gc.{wider}), dtype=gc.{wider}" if wider else ""),
        )
    return constant_node(array)


_WIDER = (int64, uint64, float32, float64, complex64, complex128)


def _held(number: Any, dtype: DType) -> np.ndarray | None:
    """A number, or a list of numbers, as an array of that dtype; `None` if it does not fit."""
    if dtype in STORED_ONLY:
        wide = _held(number, float32)
        return None if wide is None else _narrowed(wide, dtype)
    try:
        with np.errstate(over="raise"):
            array = np.asarray(number, dtype=dtype.numpy)
        is_int = isinstance(number, int)  # NumPy itself refuses one that does not fit
        if not is_int and dtype.kind in ("int", "uint") and not np.array_equal(array, np.asarray(number)):
            return None  # digits behind the point would be lost
        return array
    except (FloatingPointError, OverflowError, TypeError, ValueError):
        return None


def _narrowed(wide: np.ndarray, dtype: DType) -> np.ndarray | None:
    """A float32 array in a dtype that is only stored; `None` where an infinity would come or go."""
    with np.errstate(all="ignore"):
        array = wide.astype(dtype.numpy)
        back = array.astype(np.float32)
    kept = all(np.array_equal(test(back), test(wide)) for test in (np.isfinite, np.isnan))
    return array if kept else None


def _holds(number: Any, dtype: DType) -> bool:
    """Whether a dtype is worth a suggestion: large ints lose too many digits in float32."""
    too_coarse = dtype is float32 and isinstance(number, int)
    return not too_coarse and _held(number, dtype) is not None


def _range(dtype: DType) -> str:
    if dtype is bool_:
        return "True or False"
    if dtype.kind == "complex":
        return f"complex numbers with parts up to {np.finfo(dtype.numpy).max}"
    if dtype.kind != "float":
        limits: Any = np.iinfo(dtype.numpy)
        return f"whole numbers from {limits.min} to {limits.max}"
    largest = _LARGEST[dtype] if dtype in STORED_ONLY else np.finfo(dtype.numpy).max
    return f"numbers from {-largest} to {largest}"


_LARGEST = {float16: 65504, bfloat16: 3.3895e38, float8_e4m3fn: 448, float8_e5m2: 57344}


def _natural_dtype(value: Any) -> DType:
    try:
        array = np.asarray(value)
    except ValueError:
        raise ShapeError(
            "the rows of a nested list differ in length",
            expected="rows of one length",
            got=_shorten(value),
            fix="pad the short rows, or keep them as separate tensors",
        ) from None
    if array.dtype.kind == "f" or array.dtype.name.startswith(("bfloat", "float8")):
        return float32
    if array.dtype.kind == "c":
        return complex64
    if array.dtype.kind in "iu" and not isinstance(value, np.generic):
        return int64
    if array.dtype.kind == "O" and isinstance(value, int):
        return int64  # which it is too large for
    if array.dtype.kind in "OSU":
        fix = "turn it into numbers first: float(text), or np.asarray(data, np.float32)"
        if value is None:
            fix = "find out where the None comes from: a function without return, or a gradient that is not connected"
        if isinstance(value, dims.Poly):
            fix = "a size becomes a tensor with gc.dim_value(x.shape[0])"
        got = f"the size {value}" if isinstance(value, dims.Poly) else _shorten(value)
        raise DTypeError("this cannot become a tensor", expected=_OPERANDS, got=got, fix=fix)
    return as_dtype(array.dtype)


_OPERANDS = "a tensor, a number, an array, or a nested list of numbers"


def _reject_tensors_inside(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Tensor):
            raise DTypeError(
                "a list of tensors is no tensor yet",
                expected=_OPERANDS,
                got=f"a {type(value).__name__} that holds {item!r}",
                fix="gc.stack makes one tensor of several, gc.concat joins them along an axis",
            )
        if isinstance(item, (list, tuple)):
            pending += item


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (bool, int, float, complex, np.generic))


_RANK = {"bool": 0, "int": 1, "uint": 1, "float": 2, "complex": 3}


def common_dtype(operands: Sequence[TensorLike]) -> tuple[list[Any], DType]:
    """Operands (arrays become tensors, numbers stay) and the dtype they promote to. Numbers are weak."""
    values = [value if _is_scalar(value) else as_tensor(value) for value in operands]
    result: DType | None = None
    for value in values:
        if isinstance(value, Tensor):
            result = value.dtype if result is None else promote(result, value.dtype)
    for value in values:
        if not isinstance(value, Tensor):
            weak = _natural_dtype(value)
            if result is None or _RANK[weak.kind] > _RANK[result.kind]:
                result = complex_dtype(result or weak) if weak.kind == "complex" else weak
    assert result is not None
    return values, result


_BOOLS = "combine bools with gc.logical_and, gc.logical_or, gc.logical_not; count them after .astype(gc.int64)"
_TRUTHS = "convert with .astype first; for truth values there are gc.logical_and, gc.logical_or, gc.logical_not"
_PARTS = "take gc.real(x), gc.imag(x) or gc.abs(x), which are real"
_STORAGE = "float8 is for storage: compute with x.astype(gc.float32)"


def record(op: OpDef, *operands: TensorLike, **attrs: Any) -> Tensor:
    """Promotes the operands to one dtype that the op takes, and records the node.

    Integers and bools in an op for floats only become float32. Operands of float16 or bfloat16 are computed with as
    float32, and a result of float32 is rounded to their dtype.

    Raises:
        DTypeError: the op does not take that dtype.
    """
    values, dtype = common_dtype(operands)
    stored = dtype
    if dtype in LOW:
        values = [value if isinstance(value, Tensor) else as_tensor(value, stored) for value in values]
        dtype = float32
    elif dtype not in op.dtypes and op.dtypes <= INEXACT and _RANK[dtype.kind] < _RANK["float"]:
        dtype = float32
    if dtype not in op.dtypes:
        raise DTypeError(
            f"{op.name} does not take {stored}",
            expected=names(op.dtypes),
            got=", ".join(str(v.type) if isinstance(v, Tensor) else repr(v) for v in values),
            fix=_instead_of(stored, op),
        )
    result = apply(op, [convert(value, dtype) for value in values], **attrs)
    return convert(result, stored) if stored in LOW and result.dtype is float32 else result


def require_computed(name: str, dtype: DType) -> None:
    """Refuses float8, which is for storage.

    Raises:
        DTypeError: it is that.
    """
    if dtype in FLOAT8:
        raise DTypeError(f"{name} does not take {dtype}", expected=names(INEXACT), got=str(dtype), fix=_STORAGE)


def _instead_of(dtype: DType, op: OpDef) -> str:
    if dtype.kind == "complex":
        return _PARTS
    if dtype in FLOAT8 and op.dtypes & FLOAT:
        return _STORAGE
    return _BOOLS if dtype is bool_ else _TRUTHS if bool_ in op.dtypes else "convert with .astype first"


def _cast_type(types: tuple[TensorType, ...], attrs: Attrs) -> TensorType:
    source, target = types[0].dtype, attrs["dtype"]
    if source.kind == "complex" and target.kind not in ("complex", "bool"):
        raise DTypeError(
            f"complex numbers cannot become {target}: a part of them would be lost",
            expected="a complex dtype, or bool",
            fix="say which part is meant: gc.real(x), gc.imag(x), gc.abs(x) or gc.angle(x)",
        )
    return TensorType(target, types[0].shape)


def _cast(xp: Any, x: Any, dtype: DType) -> Any:
    result = xp.astype(x, dtype.numpy)
    if dtype.kind in ("int", "uint") and x.dtype.kind not in "biuc":
        saturate(result, x)
    return result


def saturate(result: np.ndarray, x: np.ndarray) -> None:
    """Puts the limits of an integer dtype, and 0 for NaN, where floats that were converted to it are out of its range.

    What a conversion itself makes of those is up to the processor. Two passes see whether there are any.
    """
    limits = np.iinfo(result.dtype)
    low, above = float(limits.min), float(limits.max // 2 + 1) * 2.0  # a power of two: nothing is rounded
    if not x.size or (low - 1.0 < x.min() and x.max() < above):
        return
    result[x >= above] = limits.max
    result[x <= low] = limits.min
    result[x != x] = 0


def _cast_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """Of a real number that became complex, only the real part can move."""
    source = node.inputs[0].dtype
    part = FUNCTIONS["real"](ct) if ct.dtype.kind == "complex" and source.kind != "complex" else ct
    return convert(part, source)


ASTYPE = register(
    OpDef(
        "astype",
        Kind.ELEMENTWISE,
        _cast_type,
        vjp=(_cast_vjp,),
        array_fn=_cast,
        traits=frozenset({Trait.OWN_CONJUGATE}),
    )
)


def convert(value: TensorLike, dtype: DType) -> Tensor:
    """A number as a constant of that dtype, or a tensor with an `astype` node if it needs one.

    Between float16, bfloat16 or float8 and anything else the way is by float32: two nodes where it is not the end.
    """
    if isinstance(value, Tensor):
        if value.dtype is dtype:
            return value
        if float32 not in (value.dtype, dtype) and (value.dtype in STORED_ONLY or dtype in STORED_ONLY):
            value = apply(ASTYPE, (value,), dtype=float32)
        return apply(ASTYPE, (value,), dtype=dtype)
    if isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
        return _number(value, str(value) == "-0.0", dtype, current_origins())
    return as_tensor(value, dtype)


@lru_cache(maxsize=1024, typed=True)
def _number(value: float, negative_zero: bool, dtype: DType, origins: Origins) -> Tensor:
    """A loop, and gradient rules, meet the same numbers on the same line over and over: one constant serves them."""
    return as_tensor(value, dtype)


@public
def astype(x: TensorLike, dtype: Any, /, *, copy: bool = True, device: None = None) -> Tensor:
    """The elements in another dtype. Floats are truncated towards zero; numbers become bool by `!= 0`.

    Args:
        x: any tensor.
        dtype: what the elements become.
        copy: makes no difference, as a tensor never changes.
        device: `None`.

    Raises:
        DTypeError: complex numbers would become real: `gc.real`, `gc.imag` and `gc.abs` say which part is meant.
    """
    require_undecided(device)
    return convert(as_tensor(x), as_dtype(dtype))


# --- factories ----------------------------------------------------------------------------------------


def elementwise(
    name: str,
    arity: int,
    dtypes: frozenset[DType],
    vjp: Vjp,
    *,
    result: DType | Callable[[DType], DType] | None = None,
    array_fn: str | Callable[..., Any] | None = None,
    traits: Iterable[Trait] = (),
) -> OpDef:
    """An op over operands of one dtype that broadcast; `result`: its dtype where it is another, or what makes it."""

    def infer(types: tuple[TensorType, ...], attrs: Attrs) -> TensorType:
        if len(types) != arity:
            raise ArgumentError(f"{name} takes {arity} operands, not {len(types)}")
        dtype = types[0].dtype
        if dtype not in dtypes or any(t.dtype is not dtype for t in types):
            raise DTypeError(f"{name} takes operands of one dtype", expected=names(dtypes))
        if result is None and types.count(types[0]) == arity:
            return types[0]  # shared by all the nodes of a chain
        given = result(dtype) if callable(result) else result or dtype
        return TensorType(given, dims.broadcast([t.shape for t in types]))

    return register(OpDef(name, Kind.ELEMENTWISE, infer, dtypes, vjp, array_fn or name, traits=frozenset(traits)))


def reduction(
    name: str,
    dtypes: frozenset[DType],
    vjp: Vjp,
    *,
    result: DType | None = None,
    nonempty: bool = False,
    array_fn: Callable[..., Any] | None = None,
    traits: Iterable[Trait] = (),
) -> OpDef:
    """An op over `axis` (a sorted tuple of non-negative ints) with `keepdims`."""

    def infer(types: tuple[TensorType, ...], attrs: Attrs) -> TensorType:
        (operand,) = types
        if operand.dtype not in dtypes:
            raise DTypeError(f"{name} does not take {operand.dtype}", expected=names(dtypes))
        axes = attrs["axis"]
        if nonempty:
            for axis in axes:
                require_nonempty(operand.shape[axis], name)
        return TensorType(result or operand.dtype, reduced_shape(operand.shape, axes, attrs["keepdims"]))

    return register(OpDef(name, Kind.REDUCTION, infer, dtypes, vjp, array_fn or name, traits=frozenset(traits)))


def require_nonempty(size: Dim, what: str) -> None:
    """Holds an axis for not empty, for ops that have no value over nothing."""
    fix = "pass at least one element, or treat the empty case apart"
    dims.require_at_least(size, 1, f"{what} over an empty axis has no value", fix=fix)


def define(
    name: str,
    kind: Kind,
    infer: Infer,
    vjp: Vjp,
    *,
    dtypes: frozenset[DType] = ANY,
    array_fn: str | Callable[..., Any] | None = None,
    decompose: Callable[[Tensor], Any] | None = None,
    traits: Iterable[Trait] = (),
) -> OpDef:
    """An op of any other kind."""
    return register(OpDef(name, kind, infer, dtypes, vjp, array_fn, decompose, frozenset(traits)))


# --- axes, shapes -----------------------------------------------------------------------------------------


def normalise_axis(axis: Any, rank: int, what: str = "axis") -> int:
    """A non-negative axis.

    Raises:
        ShapeError: it is out of range or not an int.
    """
    try:
        value = operator.index(axis)
    except TypeError:
        raise ArgumentError(
            f"{what} must be an int",
            expected="an int, or several",
            got=repr(axis),
            fix="axes count from 0; -1 is the last",
        ) from None
    if not -rank <= value < rank:
        raise ShapeError(
            f"{what} {value} is out of range for a tensor with {rank} axes",
            expected=f"an int from {-rank} to {rank - 1}" if rank else "no axis: a scalar has none",
            got=str(value),
            fix=f"axes count from 0: the last one is {rank - 1}, or -1" if rank else "add an axis with gc.expand_dims",
        )
    return value % rank


def normalise_axes(axis: Axes, rank: int) -> tuple[int, ...]:
    """A sorted tuple of non-negative axes; `None` means all.

    Raises:
        ShapeError: one is out of range, or given twice.
    """
    if axis is None:
        return tuple(range(rank))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = sorted(normalise_axis(a, rank) for a in given)
    for first, second in itertools.pairwise(axes):
        if first == second:
            raise ShapeError(
                f"axis {first} is given twice",
                expected="every axis once",
                got=repr(axis),
                fix=f"name it once; negative axes count from the end, so {first - rank} is axis {first}",
            )
    return tuple(axes)


def reduced_shape(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """The shape after a reduction."""
    if keepdims:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def as_shape(shape: Any) -> Shape:
    """A tuple of dims for an int, a dim, or a sequence of those.

    Raises:
        ArgumentError: an entry is negative or no dim.
    """
    entries = shape if isinstance(shape, (tuple, list)) else (shape,)
    return tuple(_as_dim(entry) for entry in entries)


def _as_dim(entry: Any) -> Dim:
    if isinstance(entry, dims.Poly):
        return entry
    try:
        size = operator.index(entry)
    except TypeError:
        raise ArgumentError(
            "this is not a size",
            expected="an int, or a symbolic size such as x.shape[0]",
            got=repr(entry),
            fix="shapes are tuples of sizes: (3, 4), (x.shape[0], 4)",
        ) from None
    if size < 0:
        raise ArgumentError(
            "a size cannot be negative",
            expected="an int >= 0",
            got=str(size),
            fix="only gc.reshape takes a -1, and once",
        )
    return size


def float_operand(x: TensorLike) -> Tensor:
    """A tensor of float32 or float64: integers, bools, float16 and bfloat16 become float32.

    Raises:
        DTypeError: it holds complex numbers, or float8.
    """
    node = as_tensor(x)
    if node.dtype.kind == "complex":
        raise DTypeError("this function takes real numbers", expected=names(FLOAT), got=repr(node), fix=_PARTS)
    return inexact_operand(node)


def inexact_operand(x: TensorLike) -> Tensor:
    """A tensor of a float or complex dtype that ops compute in: integers, bools, float16 and bfloat16 become float32.

    Raises:
        DTypeError: it holds float8.
    """
    node = as_tensor(x)
    require_computed("this function", node.dtype)
    return node if node.dtype in INEXACT else convert(node, float32)


def bool_operand(x: TensorLike) -> Tensor:
    """A tensor of bools: numbers are compared with zero.

    Raises:
        DTypeError: it is not convertible.
    """
    node = as_tensor(x)
    return node if node.dtype is bool_ else convert(node, bool_)


def index_operand(x: TensorLike, what: str) -> Tensor:
    """A tensor of integers.

    Raises:
        DTypeError: it holds something else.
    """
    node = as_tensor(x)
    if node.dtype.kind not in ("int", "uint"):
        raise DTypeError(
            f"{what}: indices are integers",
            expected="a tensor of an integer dtype",
            got=str(node.type),
            fix="convert them with .astype(gc.int64)",
        )
    return node
