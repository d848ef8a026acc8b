"""float16 and bfloat16 are stored, and computed with as float32: the decorator that makes functions do so."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce, wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from graphc.ir.dtype import LOW, DType, float32, promote
from graphc.ir.tensor import Tensor
from graphc.ops.define import as_tensor, convert, require_computed

_P = ParamSpec("_P")
_R = TypeVar("_R")


def rounded_once(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorator: takes operands of float16 and bfloat16 as float32, and rounds results of float32 to their dtype once.

    For public functions that record several ops, or apply their op themselves; `record` does the same for a single one.
    Where operands of several float dtypes meet, the result has what they promote to; `dtype=` has the last word.
    """

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not any(map(_is_low, args)) and not any(map(_is_low, kwargs.values())):
            return function(*args, **kwargs)
        nodes = [as_tensor(value) for value in (*args, *kwargs.values()) if isinstance(value, (Tensor, np.ndarray))]
        stored = reduce(promote, [node.dtype for node in nodes if node.dtype.kind in ("float", "complex")])
        wide: Any = [_widened(value) for value in args]
        named: Any = {name: _widened(value) for name, value in kwargs.items()}
        result: _R = function(*wide, **named)
        if stored in LOW and kwargs.get("dtype") is None:
            result = _rounded(result, stored)
        return result

    return call


def kept_by_first(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorator: likewise, but the result has the dtype of the first operand, to which the others add something.

    Raises:
        DTypeError: that is float8.
    """

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        first = as_tensor(args[0])  # type: ignore[arg-type]
        require_computed(function.__name__, first.dtype)
        if first.dtype not in LOW:
            return function(*args, **kwargs)
        wide: Any = [_widened(value) for value in args]
        result: _R = _rounded(function(*wide, **kwargs), first.dtype)
        return result

    return call


def _is_low(value: object) -> bool:
    if isinstance(value, Tensor):
        return value.dtype in LOW
    return isinstance(value, np.ndarray) and value.dtype.name in ("float16", "bfloat16")


def _widened(value: Any) -> Any:
    return convert(as_tensor(value), float32) if _is_low(value) else value


def _rounded(result: Any, dtype: DType) -> Any:
    if isinstance(result, Tensor):
        return convert(result, dtype) if result.dtype is float32 else result
    if isinstance(result, tuple):
        parts = [_rounded(part, dtype) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    return [_rounded(part, dtype) for part in result] if isinstance(result, list) else result
