"""Dims and numbers as C++ expressions."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from graphc.ir import dims
from graphc.ir.dims import Atom, Dim
from graphc.ir.dtype import DType

VALUE_TYPES = {
    "bool": "bool", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned", "uint64": "unsigned long long",
    "float32": "float", "float64": "double",
}  # fmt: skip
"""What a value of a dtype is while one computes with it."""

STORED_TYPES = {**VALUE_TYPES, "bool": "unsigned char"}
"""What an element of an array is: a bool is a byte, 0 or 1."""

_LARGEST_INT = 2**31 - 1


class Expressions:
    """Prints dims in one integer type.

    Args:
        names: symbol → C++ expression of that type.
        integer: the type, `"int"` or `"long long"`.
    """

    def __init__(self, names: Mapping[str, str], integer: str) -> None:
        self._names = names
        self._integer = integer

    def text(self, dim: Dim) -> str:
        """A dim as a sum of products."""
        if isinstance(dim, int):
            return _whole(dim)
        parts = []
        for monomial, factor in dim.terms:
            factors = [self._atom(atom) for atom, power in monomial for _ in range(power)]
            if abs(factor) != 1 or not factors:
                factors.append(_whole(abs(factor)))
            parts.append((" - " if factor < 0 else " + ") + " * ".join(factors))
        first = parts[0].removeprefix(" + ").replace(" - ", "-", 1) if parts[0].startswith(" - ") else parts[0][3:]
        return first + "".join(parts[1:])

    def operand(self, dim: Dim) -> str:
        """A dim in brackets, unless it is one name or number."""
        text = self.text(dim)
        return text if text.replace("_", "").isalnum() else f"({text})"

    def _atom(self, atom: Atom) -> str:
        first = atom.arguments[0]
        if isinstance(first, str):
            return self._names[first]
        second = atom.arguments[1]
        assert not isinstance(second, str)
        if atom.kind in _OPERATORS and dims.at_least(first, 0) and dims.at_least(second, 0):
            return f"({self.operand(first)} {_OPERATORS[atom.kind]} {self.operand(second)})"
        return f"gc_index_{atom.kind}<{self._integer}>({self.text(first)}, {self.text(second)})"


_OPERATORS = {"floordiv": "/", "mod": "%"}
"""What C++ rounds as Python does where no operand is negative."""


def _whole(number: int) -> str:
    if number == -(2**63):
        return "(-9223372036854775807ll - 1)"
    return f"{number}ll" if abs(number) > _LARGEST_INT else str(number)


def literal(value: np.generic, dtype: DType) -> str:
    """A number of a dtype, digit for digit."""
    if dtype.kind == "bool":
        return "true" if value else "false"
    if dtype.kind == "float":
        return _float_literal(float(value), dtype) if np.isfinite(value) else _special(float(value), dtype)
    if dtype.kind == "uint":
        return f"{int(value)}ull" if int(value) > _LARGEST_INT else str(int(value))
    return "(-2147483647 - 1)" if int(value) == -(2**31) else _whole(int(value))


def _float_literal(value: float, dtype: DType) -> str:
    digits = repr(float(np.float32(value))) if dtype.bits == 32 else repr(value)
    return f"{digits}f" if dtype.bits == 32 else digits


def _special(value: float, dtype: DType) -> str:
    kind = VALUE_TYPES[dtype.name]
    if math.isnan(value):
        return "gc_float_of_bits(0x7fc00000u)" if dtype.bits == 32 else "gc_double_of_bits(0x7ff8000000000000ull)"
    return f"gc_type<{kind}>::{'highest' if value > 0 else 'lowest'}()"
