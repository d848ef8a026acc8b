"""Initialisers: the first values of variables, drawn once, on the host, the same for every backend.

Each function returns an `Initializer`. Random ones draw in float64 and round once, so that float32 and
float64 variables of one key start from the same numbers up to that rounding.

The fans of a weight are those of TensorFlow and Keras: for a shape `(*window, in, out)`, with an empty window
for a dense layer, `fan_in = prod(window) * in` and `fan_out = prod(window) * out`. Weights in another order
of axes, such as the `(out, in, *window)` of "NCHW" convolutions, would get wrong fans: for them, draw in this
order and transpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from graphc import philox
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.surface import show_only

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__all__ = [
    "Initializer", "constant", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "normal", "ones",
    "truncated_normal", "uniform", "zeros",
]  # fmt: skip
show_only(__name__, __all__)

Draw: TypeAlias = "Callable[[philox.Key, tuple[int, ...], np.dtype[Any]], NDArray[Any]]"
Check = Callable[["Initializer", tuple[int, ...], np.dtype[Any]], None]

# In the order in which NumPy promotes: a value may go into its own kind or a later one.
_KINDS = ("bool", "integer", "floating")
_KIND_OF_VALUE = {bool: "bool", int: "integer", float: "floating"}

_CUT = 2.0  # where truncated normals end, in standard deviations
# The standard deviation that is left of a standard normal cut at ±2: sqrt(1 - 4 φ(2) / (2 Φ(2) - 1)).
_STDDEV_AFTER_CUT = 0.8796256610342398


class Initializer:
    """A named function from a key, a shape and a dtype to an array, made by a function of this module.

    Immutable, and a pure function: the same arguments give the same array.

    Attributes:
        name: the function of this module that made it.
        arguments: the arguments that it was made with.
    """

    __slots__ = ("_check", "_draw", "arguments", "name")

    name: str
    arguments: tuple[tuple[str, object], ...]
    _draw: Draw
    _check: Check

    def __init__(self, name: str, arguments: dict[str, object], draw: Draw, check: Check) -> None:
        for slot, value in (
            ("name", name), ("arguments", tuple(arguments.items())), ("_draw", draw), ("_check", check)
        ):  # fmt: skip
            object.__setattr__(self, slot, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an initialiser is immutable; make another one instead of setting {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an initialiser is immutable; {name!r} cannot be deleted")

    def __reduce__(self) -> tuple[Callable[..., Initializer], tuple[str, dict[str, object]]]:
        return _rebuilt, (self.name, dict(self.arguments))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"

    def check(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Raises what a call with this shape and dtype would raise, without drawing.

        Raises:
            ShapeError: the initialiser needs fans, and the shape has fewer than two axes.
            DTypeError: the dtype cannot hold such values.
            ArgumentError: the dtype cannot hold this constant.
        """
        self._check(self, shape, np.dtype(dtype))

    def __call__(self, key: philox.Key, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Draws the values.

        Args:
            key: where randomness comes from; `zeros`, `ones` and `constant` ignore it.
            shape: sizes, possibly none or zero.
            dtype: any floating dtype; bool and integers too for `zeros`, `ones` and `constant`.

        Returns:
            A fresh array of that shape and dtype, on the host.

        Raises:
            ShapeError, DTypeError, ArgumentError: see `check`.
            ArgumentError: a drawn value is too large for the dtype.
        """
        dtype = np.dtype(dtype)
        self._check(self, shape, dtype)
        values = np.asarray(self._draw(key, shape, dtype))  # arithmetic on 0-d arrays gives scalars
        if values.dtype == dtype:
            return values
        with np.errstate(over="ignore"):
            rounded = values.astype(dtype)
        if not np.isfinite(rounded).all():
            raise ArgumentError(
                f"{self!r} draws values that overflow {dtype.name}",
                got=f"magnitudes up to {np.abs(values).max():g}",
                fix="narrow the initialiser's range or use a wider dtype",
            )
        return rounded


def zeros() -> Initializer:
    """All elements 0, or False."""
    return Initializer("zeros", {}, lambda key, shape, dtype: np.zeros(shape, dtype), _check_kind)


def ones() -> Initializer:
    """All elements 1, or True."""
    return Initializer("ones", {}, lambda key, shape, dtype: np.ones(shape, dtype), _check_kind)


def constant(value: float) -> Initializer:
    """All elements `value`, rounded if the dtype is floating.

    Args:
        value: a bool, an int or a float, of Python or of NumPy. NaN and infinities are taken as they are.

    Raises:
        ArgumentError: `value` is no such scalar. Later, when drawn: it does not fit into an integer dtype, or
            it overflows a floating one.
        DTypeError: when drawn: a float for an integer dtype, or a number for bool.
    """
    scalar = value.item() if isinstance(value, np.generic) else value
    if type(scalar) not in _KIND_OF_VALUE:
        raise ArgumentError(
            "constant() takes one number",
            expected="a bool, an int or a float",
            got=repr(value),
            fix="pass an array as the initial value itself, without an initialiser",
        )

    def check(self: Initializer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        _check_value(self, scalar, dtype)

    def draw(key: philox.Key, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.full(shape, np.asarray(scalar).astype(dtype), dtype)

    return Initializer("constant", {"value": scalar}, draw, check)


def uniform(low: float = -0.05, high: float = 0.05) -> Initializer:
    """Uniform in [low, high): `low + (high - low) * philox.uniform`.

    Rounding to the dtype may give `high` itself. The defaults are those of Keras' `RandomUniform`.

    Args:
        low: the lower limit.
        high: the upper limit.

    Raises:
        ArgumentError: `low` is not below `high`, or one of them or their difference is not finite.
    """
    low, high = _number("uniform", "low", low), _number("uniform", "high", high)
    if not low < high:
        raise ArgumentError(
            "uniform() needs low < high",
            expected="two numbers in order",
            got=f"low={low!r}, high={high!r}",
            fix=f"use constant({low!r})" if low == high else "swap the two",
        )
    _number("uniform", "high - low", high - low)
    return Initializer(
        "uniform", {"low": low, "high": high},
        lambda key, shape, dtype: _uniform(key, shape, low, high), _check_floating,
    )  # fmt: skip


def normal(mean: float = 0.0, stddev: float = 0.05) -> Initializer:
    """Normal: `mean + stddev * philox.normal`.

    The defaults are those of Keras' `RandomNormal`.

    Args:
        mean: of the values.
        stddev: their standard deviation.

    Raises:
        ArgumentError: `stddev` is negative, or one of the two is not finite.
    """
    mean, stddev = _moments("normal", mean, stddev)
    return Initializer(
        "normal", {"mean": mean, "stddev": stddev},
        lambda key, shape, dtype: mean + stddev * philox.normal(key, shape, np.float64), _check_floating,
    )  # fmt: skip


def truncated_normal(mean: float = 0.0, stddev: float = 0.05) -> Initializer:
    """Normal, where values further than two standard deviations from the mean are drawn again.

    `stddev` is that of the normal before the cut, as in TensorFlow, JAX and Keras; what remains has 0.8796
    times that. The defaults are those of Keras' `TruncatedNormal`.

    Args:
        mean: of the values.
        stddev: the standard deviation before the cut.

    Raises:
        ArgumentError: `stddev` is negative, or one of the two is not finite.
    """
    mean, stddev = _moments("truncated_normal", mean, stddev)
    return Initializer(
        "truncated_normal", {"mean": mean, "stddev": stddev},
        lambda key, shape, dtype: mean + stddev * _truncated_normal(key, shape), _check_floating,
    )  # fmt: skip


def glorot_uniform() -> Initializer:
    """Uniform within ±sqrt(6 / (fan_in + fan_out)).

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (AISTATS
    2010), equation 16: keeps variances level, forward and backward, through layers that are nearly linear
    around 0. The default of TensorFlow and Keras. The module's docstring defines the fans.

    Raises:
        ShapeError: when drawn: the shape has fewer than two axes.
    """
    return _scaled_uniform("glorot_uniform", lambda fan_in, fan_out: 2.0 / (fan_in + fan_out))


def glorot_normal() -> Initializer:
    """Truncated normal whose standard deviation is sqrt(2 / (fan_in + fan_out)).

    The variance is that of Glorot and Bengio (2010), equation 12. As in Keras and JAX, the normal is cut at
    twice its deviation, and widened before by 1 / 0.8796 so that the stated deviation is that of the result.

    Raises:
        ShapeError: when drawn: the shape has fewer than two axes.
    """
    return _scaled_normal("glorot_normal", lambda fan_in, fan_out: 2.0 / (fan_in + fan_out))


def he_uniform() -> Initializer:
    """Uniform within ±sqrt(6 / fan_in).

    He, Zhang, Ren and Sun, "Delving deep into rectifiers" (ICCV 2015), equation 10: a variance of 2 / fan_in,
    which makes up for the half of the signal that relu removes. The module's docstring defines the fan.

    Raises:
        ShapeError: when drawn: the shape has fewer than two axes.
    """
    return _scaled_uniform("he_uniform", lambda fan_in, fan_out: 2.0 / fan_in)


def he_normal() -> Initializer:
    """Truncated normal whose standard deviation is sqrt(2 / fan_in).

    He, Zhang, Ren and Sun (ICCV 2015), equation 10. Cut and widened as `glorot_normal` is.

    Raises:
        ShapeError: when drawn: the shape has fewer than two axes.
    """
    return _scaled_normal("he_normal", lambda fan_in, fan_out: 2.0 / fan_in)


def _rebuilt(name: str, arguments: dict[str, object]) -> Initializer:
    """An initialiser out of a pickle, or copied."""
    made: Initializer = globals()[name](**arguments)
    return made


def _scaled_uniform(name: str, variance: Callable[[int, int], float]) -> Initializer:
    def draw(key: philox.Key, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        limit = math.sqrt(3.0 * variance(*_fans(shape)))  # a uniform on ±a has the variance a²/3
        return _uniform(key, shape, -limit, limit)

    return Initializer(name, {}, draw, _check_fans)


def _scaled_normal(name: str, variance: Callable[[int, int], float]) -> Initializer:
    def draw(key: philox.Key, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        stddev = math.sqrt(variance(*_fans(shape))) / _STDDEV_AFTER_CUT
        return stddev * _truncated_normal(key, shape)

    return Initializer(name, {}, draw, _check_fans)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """The fans of a weight; at least 1, so that an empty weight does not divide by zero."""
    *window, inputs, outputs = shape
    field = math.prod(window)
    return max(field * inputs, 1), max(field * outputs, 1)


def _uniform(key: philox.Key, shape: tuple[int, ...], low: float, high: float) -> NDArray[Any]:
    return low + (high - low) * philox.uniform(key, shape, np.float64)


def _truncated_normal(key: philox.Key, shape: tuple[int, ...]) -> NDArray[Any]:
    """Rejection: in round r, the values still outside become, in order, normals of `fold_in(key, r)`."""
    values = philox.normal(key, (math.prod(shape),), np.float64)
    outside = np.flatnonzero(np.abs(values) > _CUT)
    attempt = 0
    while outside.size:
        attempt += 1
        values[outside] = philox.normal(philox.fold_in(key, attempt), outside.shape, np.float64)
        outside = outside[np.abs(values[outside]) > _CUT]
    return values.reshape(shape)


def _number(function: str, argument: str, value: object) -> float:
    number = math.nan
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an int beyond the range of float
            number = math.inf
    if not math.isfinite(number):
        raise ArgumentError(
            f"{function}() needs a finite number for {argument}",
            expected="an int or a float",
            got=repr(value),
            fix=f"{function}({argument}=0.05), for example",
        )
    return number


def _moments(function: str, mean: float, stddev: float) -> tuple[float, float]:
    mean, stddev = _number(function, "mean", mean), _number(function, "stddev", stddev)
    if stddev < 0:
        raise ArgumentError(
            f"{function}() needs a standard deviation that is not negative",
            expected="stddev >= 0",
            got=f"stddev={stddev!r}",
            fix=f"{function}(stddev={-stddev!r})",
        )
    return mean, stddev


def _kind(dtype: np.dtype[Any]) -> str | None:
    # By name, because NumPy gives the dtypes of ml_dtypes (bfloat16, float8, int4) the kind of raw bytes.
    if dtype.name.startswith(("float", "bfloat")):
        return "floating"
    if dtype.name.startswith(("int", "uint")):
        return "integer"
    return "bool" if dtype == np.bool_ else None


def _check_kind(initializer: Initializer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if _kind(dtype) is None:
        raise DTypeError(
            f"{initializer!r} cannot fill the dtype {dtype.name}",
            expected="a bool, integer or floating dtype",
            got=dtype.name,
            fix="give the variable another dtype",
        )


def _check_floating(initializer: Initializer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if _kind(dtype) != "floating":
        raise DTypeError(
            f"{initializer!r} draws real numbers, which {dtype.name} cannot hold",
            expected="a floating dtype",
            got=dtype.name,
            fix="use zeros(), ones() or constant(), or pass an array as the initial value itself",
        )


def _check_fans(initializer: Initializer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    _check_floating(initializer, shape, dtype)
    if len(shape) < 2:
        raise ShapeError(
            f"{initializer!r} needs numbers of inputs and outputs, which a shape of rank {len(shape)} lacks",
            expected="(in, out), or (*window, in, out) for a convolution",
            got=f"shape {shape}",
            fix="use zeros() for a bias, ones() for a scale, or normal(stddev=...) or uniform(low, high)",
        )


def _check_value(initializer: Initializer, value: float, dtype: np.dtype[Any]) -> None:
    _check_kind(initializer, (), dtype)
    kind, own = _kind(dtype), _KIND_OF_VALUE[type(value)]
    if _KINDS.index(own) > _KINDS.index(kind or own):
        raise DTypeError(
            f"{initializer!r} cannot fill a variable of {dtype.name}",
            expected=f"a value that NumPy would promote to {dtype.name}",
            got=f"{value!r}, which is {own}",
            fix="give the variable another dtype, or convert the value",
        )
    try:
        with np.errstate(over="ignore"):
            stored = np.asarray(value).astype(dtype)
    except OverflowError:
        stored = None
    if kind == "floating":
        # Rounding is welcome; to lose an infinity, or to make one, is not (float8_e4m3fn has NaN alone).
        fits = stored is not None and bool(
            np.isfinite(stored) == math.isfinite(value) and np.isnan(stored) == math.isnan(value)
        )
    else:
        fits = stored is not None and int(stored) == value
    if not fits:
        raise ArgumentError(
            f"{initializer!r} does not fit into {dtype.name}",
            expected=f"a value that {dtype.name} can hold",
            got=repr(value),
            fix="use a wider dtype",
        )
