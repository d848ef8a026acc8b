"""Data types and their promotion: the array API's rules inside a kind, and what is added to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DTypeError, unknown_name


class DType:
    """An element type. Instances are singletons: compare them with `is` or `==`.

    Attributes:
        name: as in the array API standard, for example `"float32"`.
        kind: one of `"bool"`, `"int"`, `"uint"`, `"float"`.
        bits: width of an element.
        numpy: the equivalent `numpy.dtype`.
    """

    __slots__ = ("bits", "kind", "name", "numpy")

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.numpy = np.dtype(name)
        self.bits = self.numpy.itemsize * 8

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.bits // 8

    def __repr__(self) -> str:
        return self.name


bool_ = DType("bool", "bool")
int8 = DType("int8", "int")
int16 = DType("int16", "int")
int32 = DType("int32", "int")
int64 = DType("int64", "int")
uint8 = DType("uint8", "uint")
uint16 = DType("uint16", "uint")
uint32 = DType("uint32", "uint")
uint64 = DType("uint64", "uint")
float32 = DType("float32", "float")
float64 = DType("float64", "float")

DTYPES = {
    dtype.name: dtype
    for dtype in (
        bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64,
    )
}  # fmt: skip
_ELSEWHERE = {
    **{name: f"did you mean {meant!r}?" for name, meant in (
        ("int", "int64"), ("long", "int64"), ("short", "int16"), ("byte", "int8"),
        ("float", "float32"), ("single", "float32"), ("double", "float64"), ("boolean", "bool"),
    )},
    **dict.fromkeys(("half", "float16", "bfloat16"), "graphc computes in float32 and float64 alone: take float32"),
    **dict.fromkeys(("complex64", "complex128", "complex"), "graphc has no complex numbers: keep two real tensors"),
}  # fmt: skip
"""What other libraries call dtypes → what to do here."""
_BY_NUMPY = {dtype.numpy: dtype for dtype in DTYPES.values()}
_BY_PYTHON = {bool: bool_, int: int64, float: float32}

BOOL = frozenset({bool_})
INTEGER = frozenset(d for d in DTYPES.values() if d.kind in ("int", "uint"))
FLOAT = frozenset({float32, float64})
NUMERIC = INTEGER | FLOAT
ANY = NUMERIC | BOOL
SIGNED = frozenset(d for d in NUMERIC if d.kind != "uint")
_SETS = {
    BOOL: "bool",
    INTEGER: "an integer dtype",
    FLOAT: "float32 or float64",
    NUMERIC: "an integer or float dtype",
    SIGNED: "a signed integer or float dtype",
    BOOL | INTEGER: "bool or an integer dtype",
}


def as_dtype(value: Any) -> DType:
    """The `DType` for a `DType`, a NumPy dtype, a name, or Python's `bool`, `int`, `float` (float32).

    Raises:
        DTypeError: graphc has no such dtype.
        UnknownNameError: no dtype has that name.
    """
    if isinstance(value, DType):
        return value
    if isinstance(value, type) and value in _BY_PYTHON:
        return _BY_PYTHON[value]
    if isinstance(value, str):
        if value not in DTYPES:
            error = unknown_name("dtype", value, list(DTYPES))
            error.fix = _ELSEWHERE.get(value, error.fix)
            raise error
        return DTYPES[value]
    try:
        found = None if value is None else _BY_NUMPY.get(np.dtype(value).newbyteorder("="))  # NumPy's None is float64
    except TypeError:
        found = None
    if found is None:
        raise DTypeError(
            "graphc has no such dtype",
            expected="one of: " + ", ".join(DTYPES),
            got=str(value) if isinstance(value, np.dtype) else repr(value),
            fix="convert the array with .astype to one of these"
            if isinstance(value, np.dtype)
            else "name one of these, gc.float32 for example",
        )
    return found


def names(dtypes: frozenset[DType]) -> str:
    """A set of dtypes in few words."""
    return _SETS.get(dtypes) or ", ".join(name for name, dtype in DTYPES.items() if dtype in dtypes)


def promote(first: DType, second: DType) -> DType:
    """The dtype of an operation on two arrays.

    Inside a kind, and between signed and unsigned integers, the array API's table. Between kinds: bool gives
    way to any number, integers give way to any float.

    Raises:
        DTypeError: for uint64 with a signed integer, which the standard leaves undefined.
    """
    if first is second:
        return first
    if first.kind == second.kind:
        return first if first.bits > second.bits else second
    for low in ("bool", "integer"):
        for a, b in ((first, second), (second, first)):
            if _rank(a) == low and _rank(b) != low:
                return b
    signed, unsigned = (first, second) if first.kind == "int" else (second, first)
    if signed.bits > unsigned.bits:
        return signed
    if unsigned.bits == 64:
        raise DTypeError(
            f"{first} and {second} have no common dtype",
            expected="two integer dtypes whose values one of int8 … int64 can hold",
            got=f"{first} and {second}",
            fix="convert one of them with .astype first",
        )
    return DTYPES[f"int{unsigned.bits * 2}"]


def _rank(dtype: DType) -> str:
    return "integer" if dtype.kind in ("int", "uint") else dtype.kind
