"""Data types and their promotion: the array API's rules inside a kind, and what is added to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import DTypeError, unknown_name


class DType:
    """An element type. Instances are singletons: compare them with `is` or `==`.

    Attributes:
        name: as in the array API standard, for example `"float32"`.
        kind: one of `"bool"`, `"int"`, `"uint"`, `"float"`, `"complex"`.
        bits: width of an element.
        numpy: the equivalent `numpy.dtype`; of `ml_dtypes` for those that NumPy lacks.
    """

    __slots__ = ("bits", "kind", "name", "numpy")

    numpy: np.dtype[Any]

    def __init__(self, name: str, kind: str, bits: int) -> None:
        self.name = name
        self.kind = kind
        self.bits = bits
        if name not in _OF_ML_DTYPES:
            self.numpy = np.dtype(name)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Called for what is not set: the dtypes of a library that costs time to import, when they are needed."""
            if name != "numpy":
                raise AttributeError(name)
            import ml_dtypes

            self.numpy = np.dtype(getattr(ml_dtypes, self.name))
            return self.numpy

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.bits // 8

    @property
    def as_source(self) -> str:
        """How code that uses NumPy names it."""
        return f"ml_dtypes.{self.name}" if self.name in _OF_ML_DTYPES else f"np.{self.name}"

    def __repr__(self) -> str:
        return self.name


_OF_ML_DTYPES = frozenset({"bfloat16", "float8_e4m3fn", "float8_e5m2"})

bool_ = DType("bool", "bool", 8)
int8 = DType("int8", "int", 8)
int16 = DType("int16", "int", 16)
int32 = DType("int32", "int", 32)
int64 = DType("int64", "int", 64)
uint8 = DType("uint8", "uint", 8)
uint16 = DType("uint16", "uint", 16)
uint32 = DType("uint32", "uint", 32)
uint64 = DType("uint64", "uint", 64)
float8_e4m3fn = DType("float8_e4m3fn", "float", 8)
float8_e5m2 = DType("float8_e5m2", "float", 8)
float16 = DType("float16", "float", 16)
bfloat16 = DType("bfloat16", "float", 16)
float32 = DType("float32", "float", 32)
float64 = DType("float64", "float", 64)
complex64 = DType("complex64", "complex", 64)
complex128 = DType("complex128", "complex", 128)

DTYPES = {
    dtype.name: dtype
    for dtype in (
        bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float8_e4m3fn, float8_e5m2, float16, bfloat16,
        float32, float64, complex64, complex128,
    )
}  # fmt: skip
_ELSEWHERE = {
    **{name: f"did you mean {meant!r}?" for name, meant in (
        ("int", "int64"), ("long", "int64"), ("short", "int16"), ("byte", "int8"),
        ("float", "float32"), ("single", "float32"), ("double", "float64"), ("boolean", "bool"), ("half", "float16"),
        ("complex", "complex64"), ("cfloat", "complex64"), ("cdouble", "complex128"),
    )},
    **dict.fromkeys(
        ("float8", "fp8", "float8_e4m3", "float8_e4m3fnuz", "float8_e5m2fnuz"),
        "graphc stores two kinds: 'float8_e4m3fn' and 'float8_e5m2'",
    ),
}  # fmt: skip
"""What other libraries call dtypes → what to do here."""
_BY_PYTHON = {bool: bool_, int: int64, float: float32, complex: complex64}

BOOL = frozenset({bool_})
INTEGER = frozenset(d for d in DTYPES.values() if d.kind in ("int", "uint"))
FLOAT = frozenset({float32, float64})
COMPLEX = frozenset({complex64, complex128})
INEXACT = FLOAT | COMPLEX
LOW = frozenset({float16, bfloat16})
"""Stored only: ops take them as float32, and round their results once."""
FLOAT8 = frozenset({float8_e4m3fn, float8_e5m2})
"""Stored only, and converted by the user."""
NUMERIC = INTEGER | FLOAT
ARITHMETIC = NUMERIC | COMPLEX
COMPUTED = BOOL | ARITHMETIC
STORED_ONLY = LOW | FLOAT8
ANY = COMPUTED | STORED_ONLY
SIGNED = frozenset(d for d in NUMERIC if d.kind != "uint")
_SETS = {
    BOOL: "bool",
    INTEGER: "an integer dtype",
    FLOAT: "float32 or float64",
    COMPLEX: "complex64 or complex128",
    INEXACT: "a float or complex dtype",
    NUMERIC: "an integer or float dtype",
    ARITHMETIC: "an integer, float or complex dtype",
    SIGNED: "a signed integer or float dtype",
    SIGNED | COMPLEX: "a signed integer, float or complex dtype",
    BOOL | INTEGER: "bool or an integer dtype",
    BOOL | NUMERIC: "bool, an integer or float dtype",
    COMPUTED: "any dtype but float8",
}


def as_dtype(value: Any) -> DType:
    """The `DType` for a `DType`, a NumPy dtype, a name, or one of Python's types (`float` is float32).

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
        found = None if value is None else DTYPES.get(np.dtype(value).name)  # NumPy's None is float64
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

    Inside a kind, and between signed and unsigned integers, and between floats and complex numbers, the array API's
    table. Between other kinds: bool gives way to any number, integers give way to any float or complex dtype. float16
    and bfloat16 have float32 in common.

    Raises:
        DTypeError: for uint64 with a signed integer, which the standard leaves undefined; for float8 with anything.
    """
    if first is second:
        return first
    if first in FLOAT8 or second in FLOAT8:
        fix = "float8 is for storage: compute with x.astype(gc.float32), and store with .astype again"
        raise _no_common_dtype(first, second, "a float8 dtype with itself alone", fix)
    if "complex" in (first.kind, second.kind):
        return complex128 if float64 in (first, second) or complex128 in (first, second) else complex64
    if first.kind == second.kind:
        return float32 if first in LOW and second in LOW else first if first.bits > second.bits else second
    for low in ("bool", "integer"):
        for a, b in ((first, second), (second, first)):
            if _rank(a) == low and _rank(b) != low:
                return b
    signed, unsigned = (first, second) if first.kind == "int" else (second, first)
    if signed.bits > unsigned.bits:
        return signed
    if unsigned.bits == 64:
        expected = "two integer dtypes whose values one of int8 … int64 can hold"
        raise _no_common_dtype(first, second, expected, "convert one of them with .astype first")
    return DTYPES[f"int{unsigned.bits * 2}"]


def _no_common_dtype(first: DType, second: DType, expected: str, fix: str) -> DTypeError:
    return DTypeError(
        f"{first} and {second} have no common dtype",
        expected=expected,
        got=f"{first} and {second}",
        fix=fix,
    )


def _rank(dtype: DType) -> str:
    return "integer" if dtype.kind in ("int", "uint") else dtype.kind


def real_dtype(dtype: DType) -> DType:
    """Of the parts of complex numbers; another dtype is its own."""
    return {complex64: float32, complex128: float64}.get(dtype, dtype)


def complex_dtype(dtype: DType) -> DType:
    """Of complex numbers whose parts have the precision of a dtype."""
    return complex128 if dtype in (float64, complex128) else complex64
