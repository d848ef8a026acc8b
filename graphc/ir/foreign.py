"""What is called otherwise in other libraries: NumPy's functions of tensors, and attributes that tensors have there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.errors import StaticGraphError, UnknownAttributeError, UnknownNameError, unknown_name
from graphc.ir.opdef import FUNCTIONS

_NUMPY_NAMES = {
    "absolute": "abs", "amax": "max", "amin": "min", "concatenate": "concat", "invert": "bitwise_invert",
    "power": "pow", "rint": "round", "transpose": "permute_dims", "true_divide": "divide",
}  # fmt: skip


def numpy_function(function: Any) -> Callable[..., Any]:
    """The function of graphc for one of NumPy.

    Raises:
        StaticGraphError: there is none.
    """
    name = function.__name__
    found = FUNCTIONS.get(_NUMPY_NAMES.get(name, name))
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
        ("float double int long bool to cast type_as", "t.astype(gc.float32), or another dtype"),
        ("view flatten ravel", "gc.reshape(t, shape)"),
        ("transpose permute swapaxes", "gc.permute_dims(t, axes); t.mT exchanges the last two"),
        ("unsqueeze", "gc.expand_dims(t, axis)"),
        ("dim get_shape numel", "t.ndim, t.shape, t.size"),
        ("dot mm", "t @ other"),
        ("relu gelu softplus softmax log_softmax sigmoid tanh", "it is a function: gc.nn.{name}(t)"),
    )
    for name in names.split()
}


def unknown_attribute(owner: type, name: str) -> UnknownNameError:
    """The error for an attribute that tensors lack, with the function that does what is meant."""
    known = [attribute for attribute in dir(owner) if not attribute.startswith("_")]
    error = unknown_name("attribute of a tensor", name, known, error=UnknownAttributeError)
    if name in _INSTEAD:
        error.fix = _INSTEAD[name].format(name=name)
    elif name in FUNCTIONS:
        error.fix = f"it is a function: gc.{name}(t)"
    return error
