"""What is called otherwise in other libraries: NumPy's functions of tensors, and attributes that tensors have there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from graphc.errors import ArgumentError, StaticGraphError, UnknownAttributeError, UnknownNameError, unknown_name
from graphc.ir.opdef import FUNCTIONS

API_VERSION = "2025.12"
"""The version of the Python array API standard whose names and signatures graphc's functions have."""
_OLDER_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")


def array_namespace(api_version: str | None = None) -> ModuleType:
    """The module that has the functions of the array API.

    Raises:
        ArgumentError: it has not those of that version.
    """
    if api_version not in (None, API_VERSION, *_OLDER_VERSIONS):
        raise ArgumentError(
            "graphc does not know that version of the array API",
            expected="one of: " + ", ".join((*_OLDER_VERSIONS, API_VERSION)),
            got=repr(api_version),
            fix="leave it out",
        )
    return sys.modules["graphc"]


_NUMPY_NAMES = {
    "absolute": "abs", "amax": "max", "amin": "min", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin",
    "arcsinh": "asinh", "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "concatenate": "concat",
    "conjugate": "conj", "cumprod": "cumulative_prod", "cumsum": "cumulative_sum", "degrees": "rad2deg",
    "gammaln": "lgamma", "invert": "bitwise_invert", "left_shift": "bitwise_left_shift", "power": "pow",
    "psi": "digamma", "radians": "deg2rad", "right_shift": "bitwise_right_shift", "rint": "round",
    "transpose": "permute_dims", "true_divide": "divide",
}  # fmt: skip


_UNLIKE_NUMPY = frozenset({"resize"})
"""Functions of graphc that do something else than those of NumPy with the same name."""


def numpy_function(function: Any) -> Callable[..., Any]:
    """The function of graphc for one of NumPy.

    Raises:
        StaticGraphError: there is none.
    """
    name = function.__name__
    found = None if name in _UNLIKE_NUMPY else FUNCTIONS.get(_NUMPY_NAMES.get(name, name))
    if found is None:
        place = str(getattr(function, "__module__", None) or "numpy").replace("numpy", "np", 1)
        raise StaticGraphError(
            f"{place}.{name} of a tensor cannot be recorded: graphc has no such function",
            expected="a function that graphc has, too: dir(gc) lists them",
            got=f"{place}.{name}",
            fix="fetch the value with session.run(t) first, or express it with the functions of graphc",
        )
    return found


def numpy_ufunc(ufunc: Any, method: str, options: Mapping[str, Any]) -> Callable[..., Any]:
    """The function of graphc for a call of a ufunc.

    Raises:
        StaticGraphError: there is none; or the call has options such as `out=`, or is one of a method such as `reduce`.
    """
    if method != "__call__" or options:
        raise StaticGraphError(
            f"this call of np.{ufunc.__name__} cannot be recorded",
            expected=f"np.{ufunc.__name__}(…) of tensors, arrays and numbers",
            got=f"np.{ufunc.__name__}.{method}" if method != "__call__" else ", ".join(f"{k}=" for k in options),
            fix="use the functions of graphc instead, which take no out= and no where=",
        )
    return numpy_function(ufunc)


_INSTEAD = {
    name: instead
    for names, instead in (
        ("numpy item eval tolist value data cpu", "fetch the value: session.run(t)"),
        ("grad backward requires_grad", "gradients are tensors, too: gc.gradients(loss, xs)"),
        ("detach", "gc.stop_gradient(t)"),
        ("assign copy_", "gc.assign(variable, t)"),
        ("float double int long bool half bfloat16 to cast type_as", "t.astype(gc.float32), or another dtype"),
        ("view flatten ravel", "gc.reshape(t, shape)"),
        ("transpose permute", "gc.permute_dims(t, axes); t.mT exchanges the last two"),
        ("unsqueeze", "gc.expand_dims(t, axis)"),
        ("dim get_shape numel", "t.ndim, t.shape, t.size"),
        ("dot mm", "t @ other"),
        ("take gather index_select", "t[indices]; gc.take_along_axis(t, indices, axis=axis)"),
        (
            "put scatter scatter_ scatter_add_ index_add_ index_put_",
            "t.at[index].set(value), .add(value): a new tensor",
        ),
        ("relu gelu softplus softmax log_softmax sigmoid tanh", "it is a function: gc.nn.{name}(t)"),
    )
    for name in names.split()
}


_FUNCTIONS = {
    name: instead
    for names, instead in (
        ("transpose", "gc.permute_dims(x, axes); x.T of a matrix, x.mT of the last two axes"),
        ("dot mm bmm inner", "gc.matmul(x, y), or x @ y"),
        ("cat", "gc.concat([x, y], axis=0)"),
        ("hstack vstack column_stack", "gc.concat([x, y], axis=0) joins along an axis, gc.stack along a new one"),
        ("mul mult", "gc.multiply, or x * y"),
        ("sub", "gc.subtract, or x - y"),
        ("div truediv", "gc.divide, or x / y"),
        ("floordiv", "gc.floor_divide, or x // y"),
        ("mod fmod", "gc.remainder, or x % y"),
        ("neg", "gc.negative, or -x"),
        ("clamp", "gc.clip(x, low, high)"),
        ("swish", "gc.nn.silu(x)"),
        ("logsigmoid", "gc.nn.log_sigmoid(x)"),
        ("cast", "gc.astype(x, dtype), or x.astype(dtype)"),
        ("array tensor convert_to_tensor from_numpy", "gc.asarray(value)"),
        ("gather embedding index_select", "x[indices], or gc.take(x, indices, axis=0)"),
        ("gather_nd", "x[rows, columns]: indices along several axes"),
        (
            "put put_along_axis index_add index_put scatter scatter_nd scatter_update tensor_scatter_nd_update",
            "x.at[index].set(value), or .add, .multiply, .min, .max: a new tensor",
        ),
        ("masked_fill masked_select boolean_mask", "gc.where(mask, x, value) keeps the shape, which must be known"),
        ("topk", "gc.top_k(x, k, axis=-1)"),
        ("unique", "gc.unique_values(x, size=n), and gc.unique_all for positions and counts"),
        ("logcumsumexp", "gc.cumulative_logsumexp(x, axis=axis)"),
        ("cummax cummin", "gc.cumulative_max, gc.cumulative_min"),
        ("unsorted_segment_sum scatter_reduce", "gc.segment_sum(data, ids, n), and so on"),
        ("norm", "gc.linalg.vector_norm(x), gc.linalg.matrix_norm(x)"),
        ("grad gradient GradientTape backward", "gc.gradients(loss, xs)"),
        ("function jit", "gc.compile(outputs, inputs), or session.compile(fetches, feeds)"),
        ("rand", "gc.random.uniform(shape)"),
        ("randn", "gc.random.normal(shape)"),
        ("multinomial", "gc.random.categorical(logits)"),
        ("shuffle", "gc.random.permutation(x)"),
        ("int", "gc.int64 is the dtype"),
        ("float", "gc.float32 is the dtype"),
        ("double", "gc.float64 is the dtype"),
        ("half", "gc.float16 is the dtype"),
        ("cfloat", "gc.complex64 is the dtype"),
        ("cdouble", "gc.complex128 is the dtype"),
        (
            "conv1d conv2d conv3d",
            "gc.nn.conv(x, w): 1 to 3 axes of positions, channels last unless data_format says so",
        ),
        (
            "average interp nanmean nansum split trace vmap",
            "graphc has no {name} yet: compute it with NumPy and feed it, or express it with other functions",
        ),
    )
    for name in names.split()
}


def elsewhere(name: str) -> str | None:
    """How to do what other libraries have a function of that name for, or `None` if they have none.

    A function of graphc's own that is near is a guess only; this is knowledge, and goes before it.
    """
    if name in _NUMPY_NAMES and name not in _FUNCTIONS:
        return f"it is called gc.{_NUMPY_NAMES[name]} here"
    if name.startswith("reduce_") and name[7:] in FUNCTIONS:
        return f"it is called gc.{name[7:]} here"
    instead = _FUNCTIONS.get(name, _INSTEAD.get(name))
    return None if instead is None else instead.format(name=name)


def unknown_attribute(owner: type, name: str) -> UnknownNameError:
    """The error for an attribute that tensors lack, with the function that does what is meant."""
    known = [attribute for attribute in dir(owner) if not attribute.startswith("_")]
    error = unknown_name("attribute of a tensor", name, known, error=UnknownAttributeError)
    if name in _INSTEAD:
        error.fix = _INSTEAD[name].format(name=name)
    elif name in FUNCTIONS:
        error.fix = f"it is a function: gc.{name}(t)"
    return error
