"""graphc: write a computation once, as a graph; compile it; run the same plan at the speed of the machine.

Names are imported when they are first used (PEP 562), so that `import graphc` costs next to nothing.
"""

from typing import Any

__version__ = "0.1.0"

_OPS = {
    "arithmetic": "abs add ceil divide floor floor_divide multiply negative positive remainder round sign square "
    "subtract trunc",
    "comparison": "bitwise_and bitwise_invert bitwise_or bitwise_xor clip equal greater greater_equal isfinite isinf "
    "isnan less less_equal logical_and logical_not logical_or logical_xor maximum minimum not_equal where",
    "complex": "angle complex conj imag real",
    "contraction": "matmul",
    "creation": "empty empty_like from_dlpack linspace meshgrid tril triu",
    "cumulative": "cumulative_logsumexp cumulative_max cumulative_min cumulative_prod cumulative_sum",
    "define": "astype",
    "exponential": "cos exp expm1 log log1p pow rsqrt sigmoid sin sqrt tanh",
    "along": "take_along_axis",
    "gather": "one_hot scatter_add take",
    "inspection": "can_cast finfo iinfo isdtype result_type",
    "layout": "broadcast_to concat expand_dims matrix_transpose permute_dims reshape squeeze stack",
    "manipulation": "broadcast_arrays broadcast_shapes diff flip moveaxis roll swapaxes unstack",
    "padding": "pad",
    "linalg": "einsum tensordot vecdot",
    "reductions": "all any argmax argmin logsumexp max mean min prod std sum var",
    "repetition": "repeat tile",
    "searching": "argwhere count_nonzero nonzero searchsorted",
    "segments": "bincount histogram segment_max segment_mean segment_min segment_prod segment_sum",
    "sets": "isin unique_all unique_counts unique_inverse unique_values",
    "sorting": "argsort median percentile quantile sort top_k",
    "sources": "arange asarray dim_value eye full full_like ones ones_like zeros zeros_like",
    "special": "erf erfc erfinv",
    "bessel": "i0e i1e",
    "floats": "allclose bitwise_left_shift bitwise_right_shift copysign "
    "isclose nan_to_num nextafter reciprocal signbit",
    "gamma": "betaln digamma lgamma polygamma",
    "incomplete_gamma": "gammainc gammaincc",
    "powers": "cbrt exp2 hypot log10 log2 logaddexp",
    "trigonometry": "acos acosh asin asinh atan atan2 atanh cosh deg2rad rad2deg sinh tan",
    "structure": "check_numerics print stop_gradient",
}

_DTYPES = (
    "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float8_e4m3fn float8_e5m2 float16 bfloat16 float32 float64 "
    "complex64 complex128"
)

_NAMES: dict[str, tuple[str, str]] = {
    **{name: (f"graphc.ops.{module}", name) for module, names in _OPS.items() for name in names.split()},
    **{name: ("graphc.ir.dtype", name) for name in _DTYPES.split()},
    **{name: ("math", name) for name in ["e", "inf", "nan", "pi"]},
    "newaxis": ("numpy", "newaxis"),
    "__array_api_version__": ("graphc.ir.foreign", "API_VERSION"),
    "__array_namespace_info__": ("graphc.ops.inspection", "namespace_info"),
    "DType": ("graphc.ir.dtype", "DType"),
    "bool": ("graphc.ir.dtype", "bool_"),
    "Tensor": ("graphc.ir.tensor", "Tensor"),
    "Graph": ("graphc.builder.graph", "Graph"),
    "Variable": ("graphc.builder.graph", "Variable"),
    "constant": ("graphc.builder.graph", "constant"),
    "name_scope": ("graphc.builder.graph", "name_scope"),
    "placeholder": ("graphc.builder.graph", "placeholder"),
    "Update": ("graphc.builder.update", "Update"),
    "assign": ("graphc.builder.update", "assign"),
    "assign_add": ("graphc.builder.update", "assign_add"),
    "assign_sub": ("graphc.builder.update", "assign_sub"),
    "group": ("graphc.builder.update", "group"),
    "gradients": ("graphc.builder.gradients", "gradients"),
    "jvp": ("graphc.builder.gradients", "jvp"),
    "CompileOptions": ("graphc.options", "CompileOptions"),
    "Session": ("graphc.session.session", "Session"),
    "Snapshot": ("graphc.session.state", "Snapshot"),
    "Executable": ("graphc.session.executable", "Executable"),
    "CompiledPlan": ("graphc.compiler", "CompiledPlan"),
    "compile": ("graphc.session.standalone", "compile_function"),
    "evaluate": ("graphc.session.standalone", "evaluate"),
    "bisect": ("graphc.bisection", "bisect"),
    "Culprit": ("graphc.bisection", "Culprit"),
    "reproduce": ("graphc.reproducer", "reproduce"),
    "GraphcError": ("graphc.errors", "GraphcError"),
}
_MODULES = ("errors", "fft", "init", "linalg", "losses", "metrics", "nn", "optim", "random")

__all__ = sorted(name for name in (*_NAMES, *_MODULES) if not name.startswith("__"))


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"graphc.{name}")
    if name not in _NAMES:
        raise _unknown(name)
    module, attribute = _NAMES[name]
    import_module("graphc.ops")
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def _unknown(name: str) -> AttributeError:
    """The error for `gc.name`, with the module where such a name stands."""
    from importlib import import_module
    from importlib.machinery import PathFinder

    # Before `from graphc import philox` imports the file, it asks for the attribute; inspection asks for dunders.
    if name.startswith("__") or PathFinder.find_spec(f"graphc.{name}", __path__):
        return AttributeError(f"module 'graphc' has no attribute {name!r}")
    error: AttributeError = import_module("graphc.surface").unknown_attribute("graphc", name, __all__)
    import_module("graphc.ops")
    error.fix = import_module("graphc.ir.foreign").elsewhere(name) or error.fix  # type: ignore[attr-defined]
    for place in _MODULES:
        module = import_module(f"graphc.{place}")
        if name in dir(module):
            error.fix = f"did you mean graphc.{place}.{name}?"  # type: ignore[attr-defined]
    return error


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in (*_NAMES, *globals()) if name.startswith("__"))})
