"""The Python array API standard: its list of functions by name and signature, and programs that are written against it.

`array_api_strict` has the standard's functions and nothing else, and so is the list, and the second oracle.
"""

import inspect
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc as gc
from graphc.errors import (
    ArgumentError,
    DTypeError,
    FeedError,
    GraphcError,
    ShapeError,
    StaticGraphError,
    UnknownNameError,
)
from graphc.ir.dtype import DTYPES
from graphc.ir.opdef import FUNCTIONS

PAGE = Path(__file__).parents[1] / "docs" / "array-api.md"
needs_strict = pytest.mark.requires("array_api_strict")

# --- names and signatures -----------------------------------------------------------------------------------


_SIZE = "size=, fill_value=: the shape of the result depends on values, so it is given"
OTHER_SIGNATURES = {
    "nonzero": _SIZE,
    "repeat": _SIZE,
    "permute_dims": "axes=None reverses them, as np.transpose(t) asks for",
    "unique_all": _SIZE,
    "unique_counts": _SIZE,
    "unique_inverse": _SIZE,
    "unique_values": _SIZE,
}
"""Functions that take more than the standard says, and why. Every call that it allows is one of theirs."""

_REBINDS = "Python makes x = x + y of x += y, as a tensor never changes"
OTHER_METHODS = {
    **{f"__i{name}__": _REBINDS for name in (
        "add", "and", "floordiv", "lshift", "matmul", "mod", "mul", "or", "pow", "rshift", "sub", "truediv", "xor",
    )},
    "__buffer__": "not of the standard: Python's way to the memory of an array, and a tensor has none",
}  # fmt: skip
"""Methods of the standard's arrays that tensors lack, and why."""

_OF_STRICT = {
    "ArrayAPIStrictFlags", "Device", "get_array_api_strict_flags", "reset_array_api_strict_flags",
    "set_array_api_strict_flags",
}  # fmt: skip
CONSTANTS = {"e", "inf", "nan", "newaxis", "pi"}


class Parameter(NamedTuple):
    """One of a signature."""

    name: str
    kind: Any
    default: Any


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    """The signature; array_api_strict says "not given" where the standard says `None`."""
    found = inspect.signature(function).parameters.values()
    return [Parameter(p.name, p.kind, None if "UNDEF" in repr(p.default) else p.default) for p in found]


def module(library: Any, name: str) -> Any:
    return getattr(library, name, None) if name else library


def listed(place: str) -> dict[str, Callable[..., Any]]:
    """The standard's functions in the main namespace or in an extension."""
    import array_api_strict

    found = module(array_api_strict, place)
    names = set(found.__all__) - _OF_STRICT
    values = {name: getattr(found, name) for name in names if not name.startswith("__version")}
    return {name: value for name, value in values.items() if inspect.isfunction(value)}


PLACES = ("", "linalg", "fft")


@needs_strict
@pytest.mark.parametrize("place", PLACES)
def test_functions_have_the_names_and_signatures_of_the_standard(place: str) -> None:
    ours = module(gc, place)
    functions = listed(place)
    assert not {name for name in functions if not hasattr(ours, name)}
    for name, function in functions.items():
        standard, mine = parameters(function), parameters(getattr(ours, name))
        if name in OTHER_SIGNATURES:
            assert mine != standard, f"{name} is no exception"
            assert takes_all_of(mine, standard), name
        else:
            assert mine == standard, name


def takes_all_of(mine: list[Parameter], standard: list[Parameter]) -> bool:
    """Whether every call of the standard's function is a call of mine, with the same meaning."""
    known = {p.name for p in standard}
    added = [p for p in mine if p.name not in known]
    kept = [p for p in mine if p.name in known]
    if any(p.kind is not inspect.Parameter.KEYWORD_ONLY or p.default is inspect.Parameter.empty for p in added):
        return False
    same = [p.default in (q.default, p.default if q.default is inspect.Parameter.empty else q.default)
            for p, q in zip(kept, standard, strict=True)]  # fmt: skip
    return [p[:2] for p in kept] == [p[:2] for p in standard] and all(same)


@needs_strict
def test_every_exception_is_about_a_function_of_the_standard() -> None:
    assert OTHER_SIGNATURES.keys() <= {name for place in PLACES for name in listed(place)}


@needs_strict
def test_tensors_have_the_methods_of_the_standard() -> None:
    from array_api_strict._array_object import Array

    own = {name for name in vars(Array) if not re.match("_[^_]|__(new|slots|module|doc|weakref|annotations)__", name)}
    assert {name for name in own if not hasattr(gc.Tensor, name)} == OTHER_METHODS.keys()


@needs_strict
def test_dtypes_and_constants_have_the_names_of_the_standard() -> None:
    import array_api_strict

    dtypes = array_api_strict.__array_namespace_info__().dtypes()
    assert gc.__array_namespace_info__().dtypes() == {name: getattr(gc, name) for name in dtypes}
    constants = {name for name in array_api_strict.__all__ if isinstance(getattr(array_api_strict, name), float)}
    assert constants | {"newaxis"} == CONSTANTS
    for name in CONSTANTS:
        assert repr(getattr(gc, name)) == repr(getattr(array_api_strict, name))


@needs_strict
def test_the_version_is_the_newest_that_the_oracle_knows() -> None:
    import array_api_strict

    assert gc.__array_api_version__ == array_api_strict.__array_api_version__


@needs_strict
def test_the_page_counts_what_there_is() -> None:
    """The page says n of n per module, and why what differs does."""
    text = PAGE.read_text(encoding="utf-8")
    for place in PLACES:
        functions = listed(place)
        there = sum(hasattr(module(gc, place), name) for name in functions)
        row = f"| `{'gc' + ('.' + place if place else '')}` | {there} of {len(functions)} |"
        sys.stdout.write(row + "\n")
        assert row in text, row
    for name in OTHER_SIGNATURES:
        assert f"`{name}`" in text, name


# --- the namespace ------------------------------------------------------------------------------------------


def test_a_tensor_knows_its_namespace() -> None:
    x = gc.asarray([1.0])
    assert x.__array_namespace__() is gc
    assert x.__array_namespace__(api_version="2022.12") is gc
    with pytest.raises(ArgumentError, match="does not know that version"):
        x.__array_namespace__(api_version="2020.01")


def test_the_namespace_tells_what_it_can() -> None:
    info = gc.__array_namespace_info__()
    assert info.capabilities() == {"boolean indexing": False, "data-dependent shapes": False, "max dimensions": 64}
    assert info.default_dtypes()["real floating"] is gc.zeros(1).dtype
    assert info.default_dtypes()["integral"] is gc.asarray(1).dtype
    assert info.default_dtypes()["indexing"] is gc.argmax(gc.zeros(1)).dtype
    assert info.default_dtypes()["complex floating"] is gc.asarray(1j).dtype
    assert list(info.dtypes(kind=("bool", "signed integer"))) == ["bool", "int8", "int16", "int32", "int64"]
    assert info.devices() == [info.default_device()] == [gc.zeros(1).device]


def test_tensors_have_no_device_yet() -> None:
    x = gc.zeros((2, 2))
    assert x.to_device(x.device) is x
    assert gc.ones(2, device=x.device).device is None
    for call in (
        lambda: x.to_device("cpu"), lambda: gc.asarray([1], device="gpu"), lambda: gc.eye(2, device="cpu"),
        lambda: gc.zeros_like(x, device="cpu"), lambda: gc.astype(x, gc.int8, device="cpu"),
        lambda: gc.arange(2, device="cpu"), lambda: gc.linspace(0, 1, 2, device="cpu"),
        lambda: gc.empty(2, device="cpu"), lambda: gc.__array_namespace_info__().dtypes(device="cpu"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match="no device before the graph runs"):
            call()


def test_values_are_copied_unless_they_are_tensors() -> None:
    array = np.zeros(2)
    x = gc.asarray(array, copy=True)
    array[0] = 1
    assert gc.evaluate(x).tolist() == [0, 0]
    assert gc.asarray(x, copy=False) is gc.from_dlpack(x, copy=False) is x
    assert gc.reshape(x, (2,), copy=True) is gc.astype(x, gc.float64, copy=True) is x
    for function in (gc.asarray, gc.from_dlpack):
        with pytest.raises(ArgumentError, match="holds copies"):
            function(array, copy=False)


def test_a_tensor_hands_nothing_out() -> None:
    x = gc.zeros(2)
    for call in (lambda: np.from_dlpack(x), lambda: complex(x), x.__dlpack__, x.__dlpack_device__):
        with pytest.raises(StaticGraphError, match="no value before the graph runs"):
            call()


def test_arrays_come_in_through_dlpack() -> None:
    frozen = np.arange(6.0).reshape(2, 3)
    frozen.flags.writeable = False
    for array in (np.arange(6, dtype=np.int16)[::2], frozen.T, np.array(True)):
        x = gc.from_dlpack(array)
        assert x.dtype.name == array.dtype.name
        np.testing.assert_array_equal(gc.evaluate(x), array)
    with pytest.raises(ArgumentError, match="cannot be had"):
        gc.from_dlpack([1.0])


class Handed:
    """An array of some library, as NumPy's protocol has it."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values if dtype is None else self.values.astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "int8", "bool", "uint32", "complex128"])
def test_arrays_of_other_libraries_keep_their_dtype(dtype: str) -> None:
    array = np.array([1, 0, 3]).astype(dtype)
    for handed in (Handed(array), memoryview(array)):
        x = gc.asarray(handed)
        assert x.dtype.name == dtype
        assert gc.where([True, False, True], x, gc.zeros(3, dtype="int8")).dtype is gc.result_type(gc.int8, x)
        assert gc.evaluate(x).tolist() == array.tolist()
        assert gc.asarray(handed, dtype="complex128").dtype is gc.complex128
    assert gc.asarray(bytearray(b"ab")).dtype is gc.uint8


def test_a_mask_is_not_lost() -> None:
    masked = np.ma.masked_array([1.0, 2.0], mask=[False, True])
    for call in (gc.asarray, lambda value: gc.add(value, 1.0), gc.exp):
        with pytest.raises(ArgumentError, match="mask would be lost"):
            call(masked)


@pytest.mark.requires("jax")
def test_an_array_of_jax_comes_in_through_dlpack() -> None:
    import jax.numpy as jnp

    array = jnp.arange(3, dtype="int32")
    for x in (gc.from_dlpack(array), gc.asarray(array)):
        assert x.dtype is gc.int32
        assert gc.evaluate(x).tolist() == [0, 1, 2]


# --- dtypes -------------------------------------------------------------------------------------------------

STANDARD = gc.__array_namespace_info__().dtypes()
each_pair = pytest.mark.parametrize(("first", "second"), list(itertools.product(STANDARD, STANDARD)))


@needs_strict
@each_pair
def test_promotion_is_that_of_the_standard_where_it_has_one(first: str, second: str) -> None:
    import array_api_strict as xp

    mine = STANDARD[first], STANDARD[second]
    theirs = getattr(xp, first), getattr(xp, second)
    try:
        expected = xp.result_type(*theirs)
    except TypeError:
        return  # the standard leaves it open: docs/semantics.md says what is done
    assert gc.result_type(*mine).name == str(expected).rpartition(".")[2]
    assert gc.can_cast(*mine) == xp.can_cast(*theirs)


def test_result_types() -> None:
    x = gc.zeros(2, dtype=gc.int8)
    assert gc.result_type(x, gc.float64) is gc.float64
    assert gc.result_type(x, 3) is gc.int8
    assert gc.result_type(x, 3.0) is gc.result_type(1, 2.0) is gc.float32
    assert gc.result_type(gc.float64, 3.0, x) is gc.float64
    assert gc.result_type(np.zeros(2, np.uint8), x) is gc.int16
    assert np.result_type(x, np.float64) is gc.float64
    with pytest.raises(DTypeError, match="no common dtype"):
        gc.result_type(gc.uint64, gc.int8)
    with pytest.raises(ArgumentError, match="nothing is given"):
        gc.result_type()


def test_casts_are_those_of_promotion() -> None:
    assert gc.can_cast(gc.int8, gc.int16)
    assert gc.can_cast(gc.zeros(2, dtype=gc.int64), "float32")  # int64 + float32 is float32
    assert not gc.can_cast(gc.float64, gc.float32)
    assert not gc.can_cast(gc.uint64, gc.int64)
    with pytest.raises(GraphcError):
        gc.can_cast(3, gc.int8)


@needs_strict
@pytest.mark.parametrize("name", STANDARD)
def test_kinds_and_limits_are_those_of_the_standard(name: str) -> None:
    import array_api_strict as xp

    mine, theirs = STANDARD[name], getattr(xp, name)
    kinds = ("bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric")
    for kind in (*kinds, ("bool", "integral")):
        assert gc.isdtype(mine, kind) == xp.isdtype(theirs, kind), kind
    limits = {"iinfo": ("bits", "max", "min"), "finfo": ("bits", "eps", "max", "min", "smallest_normal")}
    for function, fields in limits.items():
        try:
            expected = getattr(xp, function)(theirs)
        except ValueError:
            with pytest.raises(DTypeError):
                getattr(gc, function)(mine)
            continue
        found = getattr(gc, function)(gc.zeros(1, dtype=mine))
        assert [getattr(found, field) for field in fields] == [getattr(expected, field) for field in fields]
        assert found.dtype.name == str(expected.dtype).rpartition(".")[2]


def test_limits_of_dtypes_beyond_the_standard() -> None:
    assert gc.finfo("bfloat16").max == 2.0**128 - 2.0**120
    assert gc.finfo("float16").eps == 2.0**-10
    assert gc.finfo("float8_e4m3fn").max == 448
    assert all(gc.isdtype(dtype, dtype) and gc.isdtype(dtype, (gc.bool, dtype)) for dtype in DTYPES.values())
    with pytest.raises(UnknownNameError, match="no kind of dtypes"):
        gc.isdtype(gc.int8, "integer")
    with pytest.raises(ArgumentError, match="no tuples"):
        gc.isdtype(gc.int8, ("bool", ("integral",)))


# --- programs that are written against the standard ----------------------------------------------------------


def namespace(x: Any) -> Any:
    """What such a program begins with."""
    return x.__array_namespace__()


def softmax(x: Any) -> Any:
    xp = namespace(x)
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True, dtype=x.dtype)


def standardised(x: Any) -> Any:
    xp = namespace(x)
    scale = xp.std(x, axis=0, correction=1, keepdims=True)
    return (x - xp.mean(x, axis=0, keepdims=True)) / xp.where(scale == 0, xp.ones_like(scale), scale)


def k_means_step(points: Any, centres: Any) -> Any:
    """The centres after one round; one without points stays."""
    xp = namespace(points)
    apart = xp.expand_dims(points, axis=1) - xp.expand_dims(centres, axis=0)
    nearest = xp.argmin(xp.sum(apart * apart, axis=-1, dtype=points.dtype), axis=1)
    count = centres.shape[0]
    ids = xp.arange(count, dtype=nearest.dtype, device=points.device)
    owns = xp.astype(xp.equal(nearest[:, None], ids[None, :]), points.dtype)
    sizes = xp.sum(owns, axis=0, dtype=points.dtype)[:, None]
    moved = xp.matmul(xp.matrix_transpose(owns), points) / xp.clip(sizes, 1.0, None)
    return xp.where(sizes > 0, moved, centres)


def trapezoid(x: Any) -> Any:
    """The area under sin(x), at points which need not be evenly apart."""
    xp = namespace(x)
    y = xp.sin(x)
    return xp.sum(xp.diff(x) * (y[1:] + y[:-1]), dtype=x.dtype) / 2


def image_of_distances(x: Any) -> Any:
    """Distances on a grid, with its rows rolled, tiled and joined."""
    xp = namespace(x)
    rows, columns = xp.meshgrid(x, xp.flip(x), indexing="ij")
    picture = xp.sqrt(rows**2 + columns**2)
    turned = xp.moveaxis(xp.stack([picture, xp.roll(picture, 1, axis=0)], axis=-1), -1, 0)
    first, second = xp.unstack(turned)
    return xp.concat([xp.tile(xp.tril(first), (1, 2)), xp.repeat(second, 2, axis=1)], axis=0)


def generic(x: Any) -> Any:
    """Asks the namespace what it needs to know first."""
    xp = namespace(x)
    info = xp.__array_namespace_info__()
    if not xp.isdtype(x.dtype, "real floating"):
        x = xp.astype(x, info.default_dtypes()["real floating"])
    grid = xp.linspace(0.0, 1.0, x.shape[0], dtype=x.dtype, device=x.device, endpoint=False)
    return xp.broadcast_arrays(grid[:, None] + xp.finfo(x.dtype).eps, x)[0] * xp.pi + xp.reshape(x, (-1,), copy=True)[0]


def plane_through(points: Any) -> Any:
    """The normal of the plane nearest to some points, up to its sign, and how far they are from it."""
    xp = namespace(points)
    centred = points - xp.mean(points, axis=0)
    sizes, directions = xp.linalg.eigh(xp.matmul(centred.T, centred))
    normal = directions[:, 0] * xp.sign(directions[0, 0])
    return xp.concat([normal, xp.abs(xp.vecdot(centred, normal)), xp.cumulative_sum(xp.sqrt(xp.abs(sizes[1:])))])


def periodogram(x: Any) -> Any:
    """The strength of each frequency, the strongest first, and where it stands."""
    xp = namespace(x)
    strength = xp.abs(xp.fft.rfft(x - xp.mean(x))) ** 2
    order = xp.argsort(strength, descending=True)
    frequencies = xp.take(xp.fft.rfftfreq(x.shape[0], d=0.5, dtype=x.dtype, device=x.device), order)
    return xp.stack([xp.take(strength, order), frequencies, xp.log1p(xp.sort(strength, descending=True))])


_POINTS = np.array([[0.0, 1.0], [0.5, 0.0], [4.0, 4.0], [5.0, 4.5], [-3.0, 2.0]], np.float32)
PROGRAMS: list[tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = [
    (softmax, (_POINTS * 30,)),
    (standardised, (np.c_[_POINTS, np.ones(5, np.float32)],)),
    (k_means_step, (_POINTS, np.array([[0.0, 0.0], [4.0, 5.0], [90.0, 90.0]], np.float32))),
    (trapezoid, (np.array([0, 0.5, 0.6, 1.5, 3.0]),)),
    (image_of_distances, (np.array([1.0, -2.0, 0.5]),)),
    (generic, (_POINTS,)),
    (plane_through, (np.array([[0.0, 0, 1], [1, 0, 1.1], [0, 1, 0.9], [2, 3, 1.2], [-1, 2, 0.8]]),)),
    (periodogram, (np.sin(np.arange(16.0)) + 0.1 * np.cos(np.arange(16.0) ** 2),)),
]


@needs_strict
@pytest.mark.parametrize(("program", "arrays"), PROGRAMS, ids=[program.__name__ for program, _ in PROGRAMS])
def test_a_program_for_the_standard_builds_a_graph(program: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> None:
    import array_api_strict

    with gc.Graph():
        inputs = [gc.placeholder(f"x{i}", array.shape, array.dtype) for i, array in enumerate(arrays)]
    result = program(*inputs)
    assert isinstance(result, gc.Tensor)
    got = gc.compile(result, inputs, backend="numpy")(*arrays)
    expected = np.from_dlpack(program(*map(array_api_strict.asarray, arrays)))
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-5 if got.dtype == np.float32 else 1e-12, atol=1e-7)


def test_the_gradient_of_such_a_program() -> None:
    with gc.Graph():
        points, centres = gc.placeholder("points", (5, 2)), gc.placeholder("centres", (3, 2))
    (slope,) = gc.gradients(gc.sum(k_means_step(points, centres)), [points])
    start = np.float32([[0, 0], [4, 5], [90, 90]])
    found = gc.compile(slope, [points, centres], backend="numpy")(_POINTS, start)
    np.testing.assert_allclose(found[:, 0], [1 / 3, 1 / 3, 1 / 2, 1 / 2, 1 / 3], rtol=1e-6)  # each is a share of a mean


# --- NumPy's protocols, by the same names --------------------------------------------------------------------

_M = np.arange(6.0).reshape(2, 3)
NUMPY_CALLS: list[Callable[[Any], Any]] = [
    lambda x: np.flip(x, axis=1), lambda x: np.roll(x, 1, axis=0), lambda x: np.moveaxis(x, 0, 1), lambda x: np.tril(x),
    lambda x: np.swapaxes(x, 0, 1), lambda x: np.tile(x, (2, 1)), lambda x: np.repeat(x, 2, axis=1),
    lambda x: np.diff(x, axis=0), lambda x: np.pad(x, 1, mode="edge"), lambda x: np.pad(x, ((1, 0), (0, 2)), "wrap"),
    lambda x: np.triu(x, k=1), lambda x: np.expand_dims(x, 0), lambda x: np.broadcast_to(x, (2, 2, 3)),
    lambda x: np.broadcast_arrays(x, x[:1])[1], lambda x: np.meshgrid(x[0], x[1])[0], lambda x: np.empty_like(x) * 0,
    lambda x: np.transpose(x), lambda x: np.unstack(x, axis=1)[2], lambda x: np.zeros_like(x, dtype="int8"),
]  # fmt: skip


@pytest.mark.parametrize("call", NUMPY_CALLS)
def test_numpys_functions_record_nodes(call: Callable[[Any], Any]) -> None:
    x = call(gc.asarray(_M))
    assert isinstance(x, gc.Tensor)
    expected = call(_M)
    got = gc.evaluate(x)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


# --- the second oracle ---------------------------------------------------------------------------------------


def oracle_calls() -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Calls that the standard allows: name, operands and arguments."""
    a, v, i = np.arange(24.0).reshape(2, 3, 4) - 7.5, np.array([3, -1, 2, 0], np.int32), np.array([1, 0, 2])
    yield from (("flip", (a,), {"axis": axis}) for axis in (None, 0, (0, -1)))
    yield from (
        ("roll", (a,), {"shift": shift, "axis": axis}) for shift, axis in ((5, None), (-1, 1), ((1, 2), (0, 2)))
    )
    yield from (("moveaxis", (a, *axes), {}) for axes in ((0, -1), ((0, 1), (1, 2))))
    yield from (("tile", (v, times), {}) for times in ((2,), (2, 3), (1, 1, 2)))
    yield from (("repeat", (v, times), {"axis": 0}) for times in (0, 3, np.array([2, 0, 1, 1])))
    yield from ((name, (a,), {"k": k}) for name in ("tril", "triu") for k in (-1, 0, 2))
    yield from (("diff", (v,), {"n": n}) for n in (0, 1, 3))
    yield "diff", (v,), {"prepend": np.array([9], np.int32), "append": np.array([1, 1], np.int32)}
    yield from (("linspace", limits, {"num": 5, "dtype": "float32"}) for limits in ((0, 1), (2.5, -7)))
    yield from (("linspace", (0.0, 1.0), {"num": n, "endpoint": False, "dtype": "float64"}) for n in (0, 1, 4))
    yield from (("arange", limits, {"dtype": "int64"}) for limits in ((5,), (2, 9, 3), (5, 0, -2)))
    yield from (("eye", sizes, {"k": k, "dtype": "int8"}) for sizes in ((3,), (2, 4)) for k in (-1, 0, 1))
    yield from (("full", ((2, 3), 7), {"dtype": dtype}) for dtype in ("int16", "float64", "bool"))
    yield from (("squeeze", (a[:1],), {"axis": 0}), ("expand_dims", (a,), {"axis": -1}), ("matrix_transpose", (a,), {}))
    yield from (("permute_dims", (a,), {"axes": (2, 0, 1)}), ("reshape", (a,), {"shape": (-1, 6)}))
    yield from (("take", (a, i), {"axis": 1}), ("concat", ([v, v],), {}), ("stack", ([v, v],), {"axis": -1}))
    yield from ((name, (a,), {"axis": (0, 2), "keepdims": True}) for name in ("max", "min", "mean", "std", "var"))
    yield from ((name, (a,), {"axis": 1}) for name in ("argmax", "argmin", "all", "any"))
    yield from (
        (name, (v,), {}) for name in ("abs", "negative", "positive", "sign", "square", "floor", "ceil", "trunc")
    )
    yield from ((name, (v, v[::-1]), {}) for name in ("add", "maximum", "less", "equal", "multiply", "bitwise_and"))
    yield from ((name, (a,), {}) for name in ("exp", "isfinite", "round", "tanh", "astype_to_int32"))
    yield from ((name, (v,), {"descending": down}) for name in ("sort", "argsort") for down in (False, True))
    yield from (("cumulative_sum", (a,), {"axis": 1, "include_initial": first}) for first in (False, True))
    yield from (("cumulative_prod", (v,), {"dtype": "float64"}), ("count_nonzero", (v,), {}), ("isin", (v, v[:2]), {}))
    yield from (("searchsorted", (np.sort(v), v), {"side": side}) for side in ("left", "right"))
    yield from (("take_along_axis", (a, np.array([[[1], [3], [0]]] * 2)), {}), ("atan2", (a, a[::-1]), {}))
    yield from (("tensordot", (a, a), {"axes": axes}) for axes in (0, ((0, 1), (0, 1))))
    yield from ((name, (a, a[::-1]), {}) for name in ("vecdot", "hypot", "copysign", "logaddexp", "nextafter"))
    yield from ((name, (a / 8,), {}) for name in ("asinh", "tan", "sinh", "signbit", "atan", "reciprocal"))
    yield from ((name, (v, i[:1]), {}) for name in ("bitwise_left_shift", "bitwise_right_shift"))
    square = a[:, :, :3] + 9 * np.eye(3)
    names = ("det", "inv", "matrix_norm", "matrix_rank", "pinv", "svdvals", "trace", "diagonal", "vector_norm")
    yield from ((f"linalg.{name}", (square,), {}) for name in names)
    yield "linalg.solve", (square, a[:, :, 3:]), {}
    yield "linalg.cholesky", (square @ square.mT,), {"upper": True}
    yield from ((f"fft.{name}", (a,), {"norm": "ortho"}) for name in ("rfft", "ihfft", "rfftn"))
    yield from (
        (f"fft.{name}", (a + 1j * a[::-1],), {}) for name in ("fft", "ifft", "fftn", "irfft", "hfft", "fftshift")
    )


def result_of(library: Any, name: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A call with arrays and dtypes of a library."""

    def own(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return library.asarray(value)
        return [own(item) for item in value] if isinstance(value, list) else value

    if name == "astype_to_int32":
        return library.astype(own(operands[0]), library.int32)
    named = {key: getattr(library, value) if key == "dtype" else own(value) for key, value in options.items()}
    function = library
    for part in name.split("."):
        function = getattr(function, part)
    return function(*map(own, operands), **named)


@needs_strict
@pytest.mark.parametrize(("name", "operands", "options"), list(oracle_calls()))
def test_the_second_oracle_agrees(name: str, operands: tuple[Any, ...], options: dict[str, Any]) -> None:
    import array_api_strict

    got = gc.evaluate(result_of(gc, name, operands, options))
    expected = np.from_dlpack(result_of(array_api_strict, name, operands, options))
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-6 if got.dtype == np.float32 else 1e-12, atol=1e-12)


@needs_strict
def test_shapes_broadcast_as_the_standard_says() -> None:
    import array_api_strict

    shapes: list[tuple[int, ...]] = [(), (1,), (3,), (2, 1), (2, 3), (1, 0), (4, 1, 1)]
    for several in itertools.product(shapes, repeat=2):
        try:
            expected = array_api_strict.broadcast_shapes(*several)
        except ValueError:
            with pytest.raises(ShapeError):
                gc.broadcast_shapes(*several)
            continue
        assert gc.broadcast_shapes(*several) == expected
    assert gc.broadcast_shapes() == ()


# --- what the rows cannot tell --------------------------------------------------------------------------------


def test_sizes_that_are_known_later_broadcast_too() -> None:
    with gc.Graph():
        x, y = gc.placeholder("x", ("n", 1)), gc.placeholder("y", ("m", 3))
    shape = gc.broadcast_shapes(x.shape, (3,))
    assert shape == (x.shape[0], 3)
    both = gc.broadcast_arrays(x, y)
    assert len({node.shape for node in both}) == 1
    call = gc.compile(gc.add(*both), [x, y], backend="numpy")
    assert call(np.ones((2, 1), np.float32), np.ones((2, 3), np.float32)).shape == (2, 3)
    with pytest.raises(FeedError, match="does not broadcast"):
        call(np.ones((2, 1), np.float32), np.ones((4, 3), np.float32))
    assert not gc.sum(x).guards  # the guards of a shape alone reach no other node


def test_borders_along_several_axes() -> None:
    x = np.arange(6.0).reshape(2, 3)
    for mode in ("reflect", "symmetric", "edge", "wrap"):
        for widths in (2, ((1, 4), (0, 3))):
            np.testing.assert_array_equal(gc.evaluate(gc.pad(x, widths, mode)), np.pad(x, widths, mode))


def test_numbers_of_repetitions_that_are_computed_need_a_size() -> None:
    with gc.Graph():
        x, times = gc.placeholder("x", ("n",)), gc.placeholder("times", ("n",), gc.int64)
    with pytest.raises(ArgumentError, match="depends on the data"):
        gc.repeat(x, times)
    some = gc.repeat(x, times, size=4, fill_value=-1.0)
    (slope,) = gc.gradients(gc.sum(some * [1.0, 2.0, 4.0, 8.0]), [x])
    call = gc.compile([some, slope], [x, times], backend="numpy")
    for numbers, expected, slopes in (
        ([2, 0, 1], [5, 5, 7, -1], [3, 0, 4]), ([1, 9, 9], [5, 6, 6, 6], [1, 14, 0]),
        ([-1, 1, 0], [6, -1, -1, -1], [0, 1, 0]),
    ):  # fmt: skip
        got, gradient = call([5.0, 6.0, 7.0], numbers)
        assert (got.tolist(), gradient.tolist()) == (expected, slopes)


def test_numbers_of_repetitions_hold_a_size_to_theirs() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
    call = gc.compile(gc.repeat(x, [2, 0, 1]), [x], backend="numpy")
    assert call([5.0, 6.0, 7.0]).tolist() == [5, 5, 7]
    with pytest.raises(FeedError, match="numbers do not fit"):
        call([5.0, 6.0])


@pytest.mark.parametrize("backend", ["numpy", pytest.param("jax", marks=pytest.mark.requires("jax"))])
def test_numbers_in_a_row_up_to_a_size(backend: str) -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
    n = x.shape[0]
    rows = [
        gc.arange(n),
        gc.arange(1, n + 1, 2),
        gc.arange(n, 0, -2, dtype=gc.float32),
        gc.arange(n, 7),
        gc.arange(n, 0),
    ]
    call = gc.compile(rows, [x], backend=backend)
    for size in (5, 0, 1, 6):
        expected = np.arange(size), np.arange(1, size + 1, 2), np.arange(size, 0, -2), np.arange(size, 7), np.arange(0)
        for got, wanted in zip(call(np.zeros(size, np.float32)), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
    assert [row.dtype.name for row in rows] == ["int64", "int64", "float32", "int64", "int64"]
    for wrong in (lambda: gc.arange(n, 2.5), lambda: gc.arange(0, n, 0), lambda: gc.arange(0, n, 0.5)):
        with pytest.raises(ArgumentError, match="no limits"):
            wrong()


def test_functions_that_give_no_tensor_have_no_other_test() -> None:
    """Rows of the op table say that these are tested here."""
    for name in ("broadcast_shapes", "can_cast", "finfo", "iinfo", "isdtype", "result_type"):
        assert name in FUNCTIONS
