"""What the array API asks about dtypes and about the namespace; nothing is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError, unknown_name
from graphc.ir.device import require_undecided
from graphc.ir.dtype import DTYPES, DType, as_dtype, complex64, float32, int64, promote
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.define import common_dtype, constant_node

_KINDS: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "signed integer": ("int",),
    "unsigned integer": ("uint",),
    "integral": ("int", "uint"),
    "real floating": ("float",),
    "complex floating": ("complex",),
    "numeric": ("int", "uint", "float", "complex"),
}
"""What the standard calls a kind of dtypes → what `DType.kind` calls it."""
_STANDARD = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
    "complex64", "complex128",
)  # fmt: skip


_NUMBERS = (bool, int, float, complex, np.generic)


def _dtype_of(value: Any) -> DType:
    return (
        value.dtype if isinstance(value, Tensor) else as_dtype(value.dtype if isinstance(value, np.ndarray) else value)
    )


# --- promotion --------------------------------------------------------------------------------------------


@public
def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype to which tensors, dtypes and Python numbers promote together; numbers are weak.

    Raises:
        ArgumentError: nothing is given.
        DTypeError: they have no common dtype.
    """
    if not arrays_and_dtypes:
        raise ArgumentError(
            "result_type: nothing is given", expected="tensors, dtypes or numbers", got="no arguments", fix="give one"
        )
    operands = [value if isinstance(value, _NUMBERS) else _one_of(_dtype_of(value)) for value in arrays_and_dtypes]
    return common_dtype(operands)[1]


def _one_of(dtype: DType) -> Tensor:
    """A tensor that stands for all of a dtype."""
    return constant_node(np.zeros((), dtype.numpy))


@public
def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion leads from one dtype to another: whether both together give the second.

    Raises:
        DTypeError: one of them is no dtype.
    """
    source, target = _dtype_of(from_), as_dtype(to)
    try:
        return promote(source, target) is target
    except DTypeError:
        return False


@public
def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind.

    Raises:
        UnknownNameError: there is no such kind.
        ArgumentError: the kind is a tuple that holds tuples.
    """
    found = as_dtype(dtype)
    if isinstance(kind, tuple):
        if any(isinstance(one, tuple) for one in kind):
            raise ArgumentError(
                "isdtype: a tuple of kinds holds no tuples",
                expected="names of kinds, and dtypes",
                got=repr(kind),
                fix="write all of them into one tuple",
            )
        return any(isdtype(found, one) for one in kind)
    if not isinstance(kind, str):
        return found is as_dtype(kind)
    if kind not in _KINDS:
        raise unknown_name("kind of dtypes", kind, list(_KINDS))
    return found.kind in _KINDS[kind]


# --- limits -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FloatInfo:
    """The limits of a dtype of floats.

    Attributes:
        bits: width of a float; of a complex dtype, of one of its parts.
        eps: the distance from 1 to the next larger float.
        max: the largest finite float.
        min: the smallest finite float.
        smallest_normal: the smallest positive float with full precision.
        dtype: of a complex dtype, that of its parts.
    """

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True, slots=True)
class IntegerInfo:
    """The limits of a dtype of integers.

    Attributes:
        bits: its width.
        max: the largest integer.
        min: the smallest integer.
        dtype: the dtype itself.
    """

    bits: int
    max: int
    min: int
    dtype: DType


@public
def finfo(type: Any, /) -> FloatInfo:
    """The limits of a dtype of floats, or of that of a tensor.

    Raises:
        DTypeError: it is of another kind.
    """
    dtype = _dtype_of(type)
    if dtype.kind not in ("float", "complex"):
        raise DTypeError(
            f"finfo: {dtype} is no dtype of floats",
            expected="a float or complex dtype",
            got=str(dtype),
            fix="gc.iinfo is for integers",
        )
    limits = _float_limits(dtype)
    eps, largest, least, normal = map(float, (limits.eps, limits.max, limits.min, limits.smallest_normal))
    return FloatInfo(int(limits.bits), eps, largest, least, normal, as_dtype(limits.dtype))


def _float_limits(dtype: DType) -> Any:
    if not dtype.as_source.startswith("ml_dtypes"):
        return np.finfo(dtype.numpy)
    import ml_dtypes  # takes time that few need

    limits_of: Any = ml_dtypes.finfo
    return limits_of(dtype.numpy)


@public
def iinfo(type: Any, /) -> IntegerInfo:
    """The limits of a dtype of integers, or of that of a tensor.

    Raises:
        DTypeError: it is of another kind.
    """
    dtype = _dtype_of(type)
    if dtype.kind not in ("int", "uint"):
        raise DTypeError(
            f"iinfo: {dtype} is no dtype of integers",
            expected="int8 … int64, uint8 … uint64",
            got=str(dtype),
            fix="gc.finfo is for floats",
        )
    limits = np.iinfo(dtype.numpy)
    return IntegerInfo(limits.bits, int(limits.max), int(limits.min), dtype)


# --- the namespace ----------------------------------------------------------------------------------------


class NamespaceInfo:
    """What the array API lets one ask about a namespace."""

    __slots__ = ()

    def capabilities(self) -> dict[str, Any]:
        """What is possible: shapes are known before values are, and NumPy's arrays have at most 64 axes."""
        return {"boolean indexing": False, "data-dependent shapes": False, "max dimensions": 64}

    def default_device(self) -> None:
        """`None`: where a graph runs is decided when it is compiled."""

    def devices(self) -> list[None]:
        """`[None]`: tensors are on no device."""
        return [None]

    def default_dtypes(self, *, device: None = None) -> dict[str, DType]:
        """The dtypes of what is made of Python numbers.

        Args:
            device: `None`.
        """
        require_undecided(device)
        return {"real floating": float32, "complex floating": complex64, "integral": int64, "indexing": int64}

    def dtypes(self, *, device: None = None, kind: str | tuple[str, ...] | None = None) -> dict[str, DType]:
        """The dtypes of the standard by name.

        Args:
            device: `None`.
            kind: as `isdtype` takes it; by default all.
        """
        require_undecided(device)
        known = {name: DTYPES[name] for name in _STANDARD}
        return known if kind is None else {name: dtype for name, dtype in known.items() if isdtype(dtype, kind)}


def namespace_info() -> NamespaceInfo:
    """What the array API lets one ask about this namespace."""
    return NamespaceInfo()
