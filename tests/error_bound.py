"""The oracle of random graphs: values in extended precision, each with a running bound on its rounding error.

`bounded_values` walks a graph once. Beside every value v, computed in `numpy.longdouble`, it carries an e such that
any faithful computation of the same graph in its own dtypes lies within v ± e (Wilkinson's running error analysis;
Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapter 3). e is zero exactly where nothing is rounded,
so that e == 0 calls for equal numbers. Where the bound cannot tell what is right, as where a rounded number decides
a comparison, it raises `Ambiguous`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import linalg_bounds
import numpy as np
import zero_signs

from graphc import reference
from graphc.conformance.rows import ROWS
from graphc.conformance.tolerances import VALUES, Tolerance
from graphc.ir.dtype import DType
from graphc.ir.opdef import OPS, Kind
from graphc.ir.tensor import Tensor
from graphc.ir.types import TensorType, TupleType
from graphc.ir.walk import toposort

Wide = np.longdouble
IS_WIDER = np.finfo(Wide).nmant > np.finfo(np.float64).nmant
_ELEMENTARY = VALUES["elementary"].ulps


Accuracy = Mapping[str, Tolerance]
"""op → its own rounding on some backend, where that is another than NumPy's."""
NUMPY: Accuracy = {}


class Ambiguous(Exception):
    """A correct computation could come out in more than one way."""


class Bounded(NamedTuple):
    """A value in extended precision (integers and bools as they are), and the bound on its error.

    Attributes:
        value, error: see there.
        open_signs: zeros whose sign is not specified; `None` if there are none.
    """

    value: np.ndarray
    error: np.ndarray
    open_signs: np.ndarray | None = None

    @property
    def is_exact(self) -> bool:
        return not self.error.any()


def exact(array: np.ndarray) -> Bounded:
    """An array without any error."""
    wide = array.astype(Wide) if array.dtype.kind == "f" else array
    return Bounded(wide, np.zeros(array.shape, Wide))


def wide_values(
    outputs: Iterable[Tensor], leaves: Mapping[Tensor, np.ndarray], sizes: Mapping[str, int]
) -> list[np.ndarray]:
    """The values of some nodes in extended precision; floats of the leaves may be wide already."""
    known: dict[Tensor, Any] = {
        node: array.astype(Wide) if array.dtype.kind == "f" else array for node, array in leaves.items()
    }
    with np.errstate(all="ignore"):
        for node in toposort(outputs, frozenset(known)):
            if node not in known:
                known[node] = _wide(node, [known[source] for source in node.inputs], sizes)
    return [known[node] for node in outputs]


def bounded_values(
    outputs: Iterable[Tensor], known: dict[Tensor, Any], sizes: Mapping[str, int], accuracy: Accuracy = NUMPY
) -> list[Bounded]:
    """The values of some nodes with their bounds; `known` holds the leaves, and keeps what is computed.

    Raises:
        Ambiguous: see there.
    """
    outputs = list(outputs)
    with np.errstate(all="ignore"):
        for node in toposort(outputs, frozenset(known)):
            if node not in known:
                known[node] = _bounded(node, [known[source] for source in node.inputs], sizes, accuracy)
    return [known[node] for node in outputs]


def decided_values(
    outputs: Iterable[Tensor], known: dict[Tensor, Any], sizes: Mapping[str, int], accuracy: Accuracy
) -> list[Bounded | None]:
    """As `bounded_values`, with `None` for what is ambiguous, or computed from something that is."""
    outputs = list(outputs)
    for node in toposort(outputs, frozenset(known)):
        if node not in known:
            known[node] = _decided(node, known, sizes, accuracy)
    return [known[node] for node in outputs]


def _decided(node: Tensor, known: dict[Tensor, Any], sizes: Mapping[str, int], accuracy: Accuracy) -> Any:
    inputs = [known[source] for source in node.inputs]
    if any(source is None for source in inputs):
        return None
    try:
        with np.errstate(all="ignore"):
            return _bounded(node, inputs, sizes, accuracy)
    except Ambiguous:
        return None


def _wide(node: Tensor, inputs: list[Any], sizes: Mapping[str, int]) -> Any:
    """One node in extended precision."""
    if node.op.array_fn is None:
        parts = _parts(node)
        values = wide_values(parts, dict(zip(node.inputs, inputs, strict=True)), sizes)
        return tuple(values) if isinstance(node.type, TupleType) else values[0]
    attrs = reference.bind_attrs(node.attrs, sizes)
    if node.op.name == "astype":
        kind = attrs["dtype"]
        return inputs[0].astype(Wide) if kind.kind == "float" else _cast(inputs[0], kind)
    if node.op.name == "nextafter":  # the next number of its own dtype
        return np.nextafter(*(array.astype(node.dtype.numpy) for array in inputs)).astype(Wide)
    if node.op.name in linalg_bounds.WIDE:
        return _by_loops(node, inputs, attrs)
    function = node.op.array_fn
    value = getattr(np, function)(*inputs, **attrs) if isinstance(function, str) else function(np, *inputs, **attrs)
    if isinstance(value, tuple):
        return value
    array = np.asarray(value)
    return array.astype(Wide) if array.dtype.kind == "f" else array


def _by_loops(node: Tensor, inputs: list[Any], attrs: Mapping[str, Any]) -> Any:
    try:
        return linalg_bounds.WIDE[node.op.name](*inputs, **attrs)
    except linalg_bounds.Undecided as error:
        raise Ambiguous(str(error)) from None


def _of_matrices(node: Tensor, values: Any, inputs: list[Bounded], sizes: Mapping[str, int]) -> Any:
    """The results of an op of linear algebra. One whose numbers are not compared is `None`."""
    if not all(source.is_exact for source in inputs):
        raise Ambiguous(f"{node.op.name} of a rounded number")
    several = isinstance(values, tuple)
    found = values if several else (values,)
    eps = float(np.finfo(node.inputs[0].dtype.numpy).eps)
    attrs = reference.bind_attrs(node.attrs, sizes)
    try:
        bounds = linalg_bounds.errors(node.op.name, found, inputs[0].value, attrs, eps)
    except linalg_bounds.Undecided as error:
        raise Ambiguous(str(error)) from None
    bounded = [
        None if bound is None else Bounded(np.asarray(value, Wide), bound.astype(Wide))
        for value, bound in zip(found, bounds, strict=True)
    ]
    return tuple(bounded) if several else bounded[0]


def _cast(array: np.ndarray, kind: DType) -> np.ndarray:
    function = OPS["astype"].array_fn
    assert callable(function)
    return np.asarray(function(np, array, dtype=kind))


def _parts(node: Tensor) -> tuple[Tensor, ...]:
    assert node.op.decompose is not None, f"{node.op.name} has no value"
    parts = node.op.decompose(node)
    return parts if isinstance(parts, tuple) else (parts,)


def _bounded(node: Tensor, inputs: list[Any], sizes: Mapping[str, int], accuracy: Accuracy) -> Any:
    if node.op.name == "project":
        part = inputs[0][node.attrs["index"]]
        if part is None:
            raise Ambiguous(f"{node.inputs[0].op.name}: numbers are not specified")
        return part
    if node.op.array_fn is None:
        parts = bounded_values(_parts(node), dict(zip(node.inputs, inputs, strict=True)), sizes, accuracy)
        return tuple(parts) if isinstance(node.type, TupleType) else parts[0]
    value = _wide(node, [source.value for source in inputs], sizes)
    if node.op.name in linalg_bounds.WIDE:
        return _of_matrices(node, value, inputs, sizes)
    kind = node.type
    if isinstance(kind, TupleType):
        return _several(node, kind, value, inputs, sizes)
    if kind.dtype.kind != "float":
        _require_decided(node, inputs)
        return Bounded(value, np.zeros(value.shape, Wide))
    if node.op.kind is Kind.SOURCE:
        return Bounded(value, np.zeros(value.shape, Wide))
    signs = _open_signs(node, value, inputs, sizes)
    propagate, ulps = BOUNDS.get(node.op.name) or _from_row(node.op.name)
    own = accuracy.get(node.op.name)
    if own is not None and node.op.name == "multiply":
        _require_no_choice(inputs)
    ulps, floor = (ulps, 0.0) if own is None else (own.ulps, own.floor)
    if all(source.is_exact for source in inputs) and ulps == 0:
        return Bounded(value, np.zeros(value.shape, Wide), signs)
    call = Call(node, value, inputs, reference.bind_attrs(node.attrs, sizes))
    error = propagate(call) if not all(source.is_exact for source in inputs) or ulps is None else _zero(call)
    if ulps:
        error = error + _rounding(value, kind, ulps, floor)
    finite = np.isfinite(value)
    error = np.where(finite, error, np.where(error == 0, 0, _touched(call)))
    if not np.isfinite(error).all():
        raise Ambiguous(f"{node.op.name}: the error is not bounded")
    return Bounded(value, np.broadcast_to(error, value.shape), signs)


def _several(
    node: Tensor, kind: TupleType, values: Sequence[Any], inputs: list[Bounded], sizes: Mapping[str, int]
) -> tuple[Bounded, ...]:
    """The results of an op with several: of exact numbers alone, each rounded as the row has it."""
    if not all(source.is_exact for source in inputs):
        raise Ambiguous(f"{node.op.name} of a rounded number")
    ulps = _from_row(node.op.name)[1]
    found = []
    for position, (part, element) in enumerate(zip(values, kind.elements, strict=True)):
        if element.dtype.kind != "float":
            found.append(Bounded(np.asarray(part), np.zeros(np.shape(part), Wide)))
            continue
        value = np.asarray(part, Wide)
        error = _rounding(value, element, ulps, 0.0) if ulps else np.zeros(value.shape, Wide)
        found.append(Bounded(value, error, _open_signs(node, value, inputs, sizes, position)))
    return tuple(found)


def _open_signs(
    node: Tensor, value: np.ndarray, inputs: list[Bounded], sizes: Mapping[str, int], position: int | None = None
) -> np.ndarray | None:
    def evaluate(given: Sequence[np.ndarray]) -> np.ndarray:
        found = _wide(node, list(given), sizes)
        return np.asarray(found if position is None else found[position])

    try:
        attrs = reference.bind_attrs(node.attrs, sizes)
        return zero_signs.open_signs(node.op.name, value, inputs, attrs, evaluate)
    except zero_signs.SignDecides:
        raise Ambiguous(f"{node.op.name} reads a zero whose sign is not specified") from None


class Call(NamedTuple):
    """A node with its values."""

    node: Tensor
    value: np.ndarray
    inputs: list[Bounded]
    attrs: Mapping[str, Any]

    @property
    def values(self) -> list[np.ndarray]:
        return [source.value for source in self.inputs]

    @property
    def errors(self) -> list[np.ndarray]:
        return [source.error for source in self.inputs]

    def apply(self, *arrays: np.ndarray) -> np.ndarray:
        """The op itself, on other arrays."""
        function = self.node.op.array_fn
        assert function is not None
        call = getattr(np, function) if isinstance(function, str) else lambda *a, **k: function(np, *a, **k)
        return np.asarray(call(*arrays, **self.attrs))


def _zero(call: Call) -> np.ndarray:
    return np.zeros(call.value.shape, Wide)


def _touched(call: Call) -> float:
    """The error of an infinity or NaN: none if all that it may come from is exact."""
    return 0.0 if all(source.is_exact for source in call.inputs) else float("inf")


def _rounding(value: np.ndarray, kind: TensorType, ulps: float, floor: float) -> np.ndarray:
    """What rounding to the dtype may add; nothing to a number that the dtype has, if the op is correctly rounded."""
    info = np.finfo(kind.dtype.numpy)
    magnitude = np.maximum(np.abs(value) + floor, Wide(info.smallest_normal))
    error = np.where(value == 0, 0, ulps * Wide(info.eps) * magnitude)
    if ulps == 1:
        error = np.where(value.astype(kind.dtype.numpy) == value, 0, error)
    overflows = magnitude > Wide(info.max) / 2
    return np.where(np.isfinite(value) & overflows, np.inf, error)


def _require_decided(node: Tensor, inputs: list[Bounded]) -> None:
    """Whatever becomes an integer or bool must not depend on rounding, nor on what is not specified."""
    if node.op.name == "signbit" and (inputs[0].open_signs is not None or np.isnan(inputs[0].value).any()):
        raise Ambiguous("signbit of a zero whose sign is open, or of a NaN")
    if all(source.is_exact for source in inputs):
        return
    if node.op.name in ("equal", "not_equal", "less", "less_equal"):
        (x, y) = inputs
        if (np.abs(x.value - y.value) > x.error + y.error).all():
            return
    raise Ambiguous(f"{node.op.name} reads a rounded number")


def _require_no_choice(inputs: list[Bounded]) -> None:
    """Where a product may be a choice between x and 0 (`tolerances.XLA`), 0 times what is not finite is undecided."""
    (x, y) = (source.value for source in inputs)
    if (((x == 0) & ~np.isfinite(y)) | ((y == 0) & ~np.isfinite(x))).any():
        raise Ambiguous("multiply: 0 times what is not finite")


# --- how each op hands errors on ------------------------------------------------------------------------------


def _unchanged(call: Call) -> np.ndarray:
    return np.asarray(call.errors[0])


def _sum_of_errors(call: Call) -> np.ndarray:
    return np.asarray(call.errors[0] + call.errors[1])


def _multiply(call: Call) -> np.ndarray:
    (x, y), (a, b) = call.values, call.errors
    # 0 · ∞ would be NaN: an exact operand brings no error, however large the other.
    return np.where(b == 0, 0, np.abs(x) * b) + np.where(a == 0, 0, np.abs(y) * a) + a * b


def _divide(call: Call) -> np.ndarray:
    (x, y), (a, b) = call.values, call.errors
    low = np.abs(y) - b
    if ((low <= 0) & ((a > 0) | (b > 0))).any():
        raise Ambiguous("divide: the divisor may be zero")
    share = np.where(b == 0, 0, np.abs(x) * b / np.abs(y))
    return np.where((a == 0) & (b == 0), 0, (share + a) / np.where(low > 0, low, 1))


def _larger(call: Call) -> np.ndarray:
    return np.asarray(np.maximum(*call.errors))


def _monotone(call: Call) -> np.ndarray:
    (x,), (a,) = call.values, call.errors
    low, high = call.apply(x - a), call.apply(x + a)
    if (np.isnan(low) | np.isnan(high))[a > 0].any():
        raise Ambiguous(f"{call.node.op.name}: the operand may leave the domain")
    error = np.maximum(np.abs(high - call.value), np.abs(low - call.value))
    return np.where(a == 0, 0, error)


def _pow(call: Call) -> np.ndarray:
    (x, y), (a, b) = call.values, call.errors
    if ((x - a <= 0) & ((a > 0) | (b > 0))).any():
        raise Ambiguous("pow: the base may not be positive")
    corners = [call.apply(x + s * a, y + t * b) for s in (-1, 1) for t in (-1, 1)]
    error = np.max([np.abs(corner - call.value) for corner in corners], axis=0)
    return np.where((a == 0) & (b == 0), 0, error)


def _unit(call: Call) -> Any:
    kind = call.node.type
    assert isinstance(kind, TensorType)
    return Wide(np.finfo(kind.dtype.numpy).eps)


def _fits(call: Call, terms: np.ndarray, scale: np.ndarray) -> bool:
    """Whether a sum is exact in any order: all terms are multiples of a unit of which Σ|terms| is not too many."""
    kind = call.node.type
    assert isinstance(kind, TensorType)
    finite = np.abs(terms[np.isfinite(terms) & (terms != 0)])
    if not finite.size:
        return True
    mantissa, exponent = np.frexp(finite)
    digits = 60
    whole = np.ldexp(mantissa, digits)
    if (whole != np.floor(whole)).any():
        return False
    trailing = np.array([(int(w) & -int(w)).bit_length() - 1 for w in whole])
    grain = np.ldexp(Wide(1), int((exponent - digits + trailing).min()))
    largest = np.max(scale[np.isfinite(scale)], initial=0)
    return bool(largest / grain <= 2.0 ** (np.finfo(kind.dtype.numpy).nmant + 1))


def _summed(call: Call, terms: np.ndarray, scale: np.ndarray, count: int, carried: np.ndarray) -> np.ndarray:
    """γₙ·Σ|terms| beside the errors that the terms carry, or only those if the sum is exact."""
    if not carried.any() and _fits(call, terms, scale):
        return carried
    return np.where(np.isfinite(scale), carried + count * _unit(call) * scale, 0)


def _count(call: Call) -> int:
    """How many terms a result has at most."""
    axes = call.attrs["axis"]
    sizes = [call.values[0].shape[axis] for axis in (axes if isinstance(axes, tuple) else (axes,))]
    return int(np.prod(sizes, dtype=int))


def _sum(call: Call) -> np.ndarray:
    (x,), (a,) = call.values, call.errors
    return _summed(call, x, call.apply(np.abs(x)), _count(call), call.apply(a))


def _largest(call: Call) -> np.ndarray:
    return np.asarray(np.max(call.errors[0], axis=call.attrs["axis"], keepdims=call.attrs["keepdims"]))


def _largest_so_far(call: Call) -> np.ndarray:
    return np.asarray(np.maximum.accumulate(call.errors[0], axis=call.attrs["axis"]))


def _logsumexp_so_far(call: Call) -> np.ndarray:
    """It follows its operands by less than these move; each step is rounded as log(1 + exp(x)) and a sum are."""
    size = np.where(np.isfinite(call.value), np.abs(call.value), 0)
    own = np.maximum.accumulate(1 + size, axis=call.attrs["axis"])
    return _largest_so_far(call) + VALUES["softmax"].ulps * _count(call) * _unit(call) * own


def _recurrence(call: Call) -> np.ndarray:
    """As products of sums: each place rounds twice, and what is added to it has been rounded before."""
    (factors, terms), (a, b) = call.values, call.errors
    high, own = call.apply(np.abs(factors) + a, np.abs(terms) + b), call.apply(np.abs(factors), np.abs(terms))
    return np.where(np.isfinite(high), (high - own) + 2 * _count(call) * _unit(call) * high, 0)


def _prod(call: Call) -> np.ndarray:
    (x,), (a,) = call.values, call.errors
    high, own = call.apply(np.abs(x) + a), call.apply(np.abs(x))
    kind = call.node.type
    assert isinstance(kind, TensorType)
    if not a.any() and _fits(call, x, np.asarray(_finest(call, x))):
        return np.zeros_like(own)
    return (high - own) + _count(call) * _unit(call) * high


def _finest(call: Call, x: np.ndarray) -> Any:
    """As many units as the product of whole mantissas may need: so that `_fits` holds for partial products, too."""
    finite = x[np.isfinite(x) & (x != 0)]
    if not finite.size:
        return Wide(0)
    mantissa = np.abs(np.ldexp(np.frexp(finite)[0], 60))
    odd = [Wide(int(m) // (int(m) & -int(m))) for m in mantissa]
    return np.prod(np.array(odd, Wide)) * np.min(np.abs(finite))


def _matmul(call: Call) -> np.ndarray:
    (x, y), (a, b) = call.values, call.errors
    for this, its_error, other in ((x, a, np.isinf(y)), (y, b, np.isinf(x))):
        zero_or_not = ((its_error > 0) & (np.abs(this) <= its_error)).astype(Wide)
        product = np.matmul(zero_or_not, other) if this is x else np.matmul(other, zero_or_not)
        if product.any():
            raise Ambiguous("matmul: an infinity times what may be zero")
    scale = np.matmul(np.abs(x), np.abs(y))
    carried = np.matmul(np.abs(x), b) + np.matmul(a, np.abs(y)) + np.matmul(a, b)
    carried = np.where(np.isnan(carried), 0, carried)
    inner = x.shape[-1]
    columns = y[:, None] if y.ndim == 1 else y
    terms = x[..., :, None] * columns[..., None, :, :] if x.ndim > 1 else x[:, None] * columns
    return _summed(call, terms, scale, inner, carried)


def _layout(call: Call) -> np.ndarray:
    """Ops that move elements move their errors; integer operands say where to."""
    pairs = zip(call.node.inputs, call.inputs, strict=True)
    return call.apply(*(s.error if node.dtype.kind == "float" else s.value for node, s in pairs))


def _scatter_add(call: Call) -> np.ndarray:
    (x, indices, values), (a, _, b) = call.values, call.errors
    scale = call.apply(np.abs(x), indices, np.abs(values))
    terms = np.concatenate([x.ravel(), values.ravel()])
    return _summed(call, terms, scale, indices.size + 1, call.apply(a, indices, b))


def _scatter_multiply(call: Call) -> np.ndarray:
    (x, indices, values), (a, _, b) = call.values, call.errors
    own = call.apply(np.abs(x), indices, np.abs(values))
    high = call.apply(np.abs(x) + a, indices, np.abs(values) + b)
    return (high - own) + (indices.size + 1) * _unit(call) * high


def _scatter_extreme(call: Call) -> np.ndarray:
    """The larger of the errors of what meets."""
    (_, indices, _), (a, _, b) = call.values, call.errors
    return np.asarray(OPS["scatter_max"].array_fn(np, a, indices, b, **call.attrs))  # type: ignore[operator, misc]


def _where(call: Call) -> np.ndarray:
    return np.where(call.values[0], call.errors[1], call.errors[2])


def _undecided(call: Call) -> np.ndarray:
    raise Ambiguous(f"{call.node.op.name} of a rounded number")


def _sign(call: Call) -> np.ndarray:
    if (np.abs(call.values[0]) <= call.errors[0])[call.errors[0] > 0].any():
        raise Ambiguous("sign of a number that may be zero")
    return np.zeros(call.value.shape, Wide)


def _copysign(call: Call) -> np.ndarray:
    y, b = call.values[1], call.errors[1]
    if ((np.abs(y) <= b) & (b > 0)).any():
        raise Ambiguous("copysign of a number that may be zero")
    return np.asarray(call.errors[0])


def _tan(call: Call) -> np.ndarray:
    """Between two poles it rises; across one it falls."""
    (x,), (a,) = call.values, call.errors
    if ((a > 1) | (call.apply(x + a) < call.apply(x - a))).any():
        raise Ambiguous("tan: a pole may be near")
    return _monotone(call)


def _cosh(call: Call) -> np.ndarray:
    (x,), (a,) = call.values, call.errors
    return np.where(a == 0, 0, call.apply(np.abs(x) + a) - call.value)


def _logaddexp(call: Call) -> np.ndarray:
    """Its slopes add up to 1; it rounds as a sum of a number and a logarithm of at most 2 does."""
    carried = np.maximum(*call.errors)
    return np.where(np.isfinite(call.value), carried + _ELEMENTARY * _unit(call) * (np.abs(call.value) + 1), 0)


def _atan2(call: Call) -> np.ndarray:
    """Its slope is 1 by the radius; below the negative axis it jumps."""
    (y, x), (a, b) = call.values, call.errors
    rounded = (a > 0) | (b > 0)
    radius = np.hypot(y, x) - np.hypot(a, b)
    if (rounded & ((radius <= np.hypot(y, x) / 2) | ((np.abs(y) <= a) & (x <= b)))).any():
        raise Ambiguous("atan2 of a point that may be the origin, or on the other side of the axis")
    return np.where(rounded, (a + b) / np.where(rounded, radius, 1), 0)


def _log_gamma(call: Call) -> np.ndarray:
    """The slope is digamma, which rises. Left of 0 it comes of a difference, which rounds as its terms do."""
    (x,), (a,) = call.values, call.errors
    low, high = _gamma_slopes("digamma", x, a)
    carried = np.where(a == 0, 0, a * np.maximum(np.abs(low), np.abs(high)))
    return np.where(np.isfinite(call.value), carried + _ELEMENTARY * _unit(call) * _reflected(call, np.abs(x)), 0)


def _digamma(call: Call) -> np.ndarray:
    (x,), (a,) = call.values, call.errors
    low, high = _gamma_slopes("digamma", x, a)
    carried = np.where(a == 0, 0, high - low)
    return np.where(np.isfinite(call.value), carried + _ELEMENTARY * _unit(call) * _reflected(call, 1 - x), 0)


def _gamma_slopes(name: str, x: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if ((x - a <= 0) & (a > 0)).any():
        raise Ambiguous("a rounded number that may be at a pole of the gamma function")
    function = OPS[name].array_fn
    assert callable(function)
    return function(np, x - a), function(np, x + a)


def _reflected(call: Call, mirror: np.ndarray) -> np.ndarray:
    """The size of the result, or of what it is the difference of."""
    left = call.values[0] < 0
    return np.abs(call.value) + np.where(left, np.abs(call.apply(np.where(left, mirror, 3.0))) + 2, 0)


_MONOTONE = (
    "exp expm1 exp2 log log1p log2 log10 rsqrt cbrt asin acos atan sinh tanh asinh acosh atanh sigmoid erf erfc erfinv"
)
Bound = tuple[Callable[[Call], np.ndarray], float | None]
BOUNDS: dict[str, Bound] = {
    **dict.fromkeys(("add", "subtract"), (_sum_of_errors, 1)),
    **dict.fromkeys(("negative", "abs", "relu", "stop_gradient", "check_numerics", "print"), (_unchanged, 0)),
    **dict.fromkeys(("minimum", "maximum"), (_larger, 0)),
    **dict.fromkeys(("max", "min"), (_largest, 0)),
    **dict.fromkeys(("floor", "ceil", "trunc", "round"), (_undecided, 0)),
    **dict.fromkeys(("floor_divide", "remainder"), (_undecided, 1)),
    **dict.fromkeys(_MONOTONE.split(), (_monotone, _ELEMENTARY)),
    **dict.fromkeys(("sin", "cos"), (_unchanged, _ELEMENTARY)),
    **dict.fromkeys(
        ("reshape", "permute_dims", "broadcast_to", "slice", "slice_update", "concat", "pad", "take"), (_layout, 0)
    ),
    **dict.fromkeys(("scatter_set", "take_along_axis", "take_last"), (_layout, 0)),
    "astype": (_unchanged, 1),
    "atan2": (_atan2, _ELEMENTARY),
    "copysign": (_copysign, 0),
    "cosh": (_cosh, _ELEMENTARY),
    "digamma": (_digamma, None),
    "hypot": (_sum_of_errors, _ELEMENTARY),
    "lgamma": (_log_gamma, None),
    "logaddexp": (_logaddexp, None),
    "tan": (_tan, _ELEMENTARY),
    "cumulative_logsumexp": (_logsumexp_so_far, None),
    "cumulative_max": (_largest_so_far, 0),
    "cumulative_min": (_largest_so_far, 0),
    "cumulative_prod": (_prod, None),
    "cumulative_sum": (_sum, None),
    "divide": (_divide, 1),
    "linear_recurrence": (_recurrence, None),
    "matmul": (_matmul, None),
    "multiply": (_multiply, 1),
    "pow": (_pow, VALUES["pow"].ulps),
    "prod": (_prod, None),
    **dict.fromkeys(("scatter_add", "add_along_axis"), (_scatter_add, None)),
    **dict.fromkeys(("scatter_min", "scatter_max"), (_scatter_extreme, 0)),
    "scatter_multiply": (_scatter_multiply, None),
    "sign": (_sign, 0),
    "sqrt": (_monotone, 1),
    "sum": (_sum, None),
    "where": (_where, 0),
}
"""op → how errors pass, and the ulps that its own rounding adds: 0 nothing is computed, 1 correctly rounded,
`None` the row sees to it. An op without an entry reads exact numbers only, and rounds
as its row of the op table has it."""


def _from_row(name: str) -> Bound:
    return _undecided, VALUES[_TOLERANCES[name]].ulps


_TOLERANCES = {name: row.tolerance for row in ROWS for name in (*row.covers, row.name)}
