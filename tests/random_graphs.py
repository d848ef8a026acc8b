"""Typed random graphs: mixed dtypes, broadcasting, reductions, indexing, symbolic sizes, updates, gradients.

A seed makes a `Case`: a recorded graph, and arrays for its leaves at any sizes. While it grows, every node is
evaluated by `error_bound`; what is ambiguous, out of range or hopelessly rounded does not get in, so that all that
stands in a case has one right answer. Every case also holds the graphs of some rewrite rules (`rule_examples`) and
some ops (`op_examples`), taken in turn: a few dozen seeds that follow each other visit all rules and all ops.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from error_bound import IS_WIDER, Ambiguous, Bounded, bounded_values, exact
from op_examples import OP_EXAMPLES
from rule_examples import EXAMPLES

import graphc as gc
from graphc import reference
from graphc.conformance.table import D
from graphc.errors import NO_ORIGINS, GraphcError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, VariableNode
from graphc.ir.walk import toposort

SIZES = {"n": 3, "m": 2}
OTHER_SIZES = ({"n": 1, "m": 4}, {"n": 5, "m": 2}, {"n": 0, "m": 3})
PLANTS = 10
OPS_IN_TURN = 2
_FLOATS = ("float32", "float64") if IS_WIDER else ("float32",)
_INTS = ("int8", "int32", "int64", "uint8", "uint32")
_LARGEST = 400  # elements of a node
_STABLE_READS = ("exp", "log", "log1p", "log_softmax", "logsumexp", "sigmoid", "softmax", "sqrt")
_WORST = 1e-3  # an error above this share of the largest element tells nothing


def reads_no_number(node: Tensor, known: Mapping[Tensor, Any]) -> bool:
    """Whether a function that stable rules are about reads a NaN or an infinity: there they promise nothing."""
    return node.op.name in _STABLE_READS and not np.isfinite(known[node.inputs[0]].value).all()


class Case(NamedTuple):
    """A random graph.

    Attributes:
        seed: makes it again.
        recording: the graph that owns the nodes.
        graph: parameters, results, updates.
        styles: leaf → how its elements are drawn.
        planted: names of the rules whose graphs it holds.
        slopes: scalar y, leaves and gradients of y that are among the results.
    """

    seed: int
    recording: gc.Graph
    graph: Graph
    styles: dict[Tensor, str]
    planted: tuple[str, ...]
    slopes: tuple[tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]], ...]

    def arrays(self, sizes: dict[str, int]) -> dict[Tensor, np.ndarray]:
        """A value for every placeholder and variable."""
        return {node: draw(node, style, self.seed, sizes) for node, style in self.styles.items()}

    def ops(self) -> Counter[str]:
        """How often each op occurs."""
        return Counter(node.op.name for node in self.graph.nodes)


def draw(node: Tensor, style: str, seed: int, sizes: dict[str, int]) -> np.ndarray:
    """An array for a leaf: the same for the same seed, name and shape."""
    shape = reference.static_shape(node.shape, sizes)
    rng = np.random.default_rng([seed, *(node.name or "").encode(), *shape])
    return np.asarray(_drawn(rng, node.dtype.kind, style, shape)).astype(node.dtype.numpy)


def _drawn(rng: np.random.Generator, kind: str, style: str, shape: tuple[int, ...]) -> Any:
    style, *limits = style.split()
    low, high = map(float, limits or (-3 if kind != "float" else -2, 4 if kind != "float" else 2.25))
    if kind == "bool":
        return rng.random(shape) < 0.5
    if kind != "float":
        least = math.ceil(max(low, 0) if kind == "uint" else low)
        return rng.integers(least, max(math.ceil(high), least + 1), shape)
    if style == "dyadic":
        grain = 2.0 ** max(2, 3 - math.floor(math.log2(high - low)))  # some eight numbers at least
        return rng.integers(math.ceil(low * grain), math.ceil(high * grain), shape) / grain
    if style == "special":
        return rng.choice(np.array([0.0, -0.0, 1.0, -1.5, np.nan, np.inf, -np.inf]), shape)
    return rng.uniform(0.3, 1.7, shape) * (1 if style == "positive" else rng.choice([-1, 1], shape))


def make_case(seed: int, size: int = 24) -> Case:
    """The case of a seed, of about `size` calls."""
    return _Growth(seed).grow(size)


class _Growth:
    """A case in the making: the tensors so far, with their values."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.recording = gc.Graph(f"random{seed}")
        self.styles: dict[Tensor, str] = {}
        self.known: dict[Tensor, Any] = {}
        self.pool: list[Tensor] = []
        self.planted: list[str] = []
        self.kept: list[Tensor] = []
        self.slopes: list[tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]] = []
        # Half of the cases are dyadic throughout, so that whole graphs are exact.
        self.style = self.rng.choice(["dyadic", "generic"])

    def grow(self, size: int) -> Case:
        with self.recording:
            self.leaf("float32", (dims.symbol("n"), dims.symbol("m")))  # from which both sizes can be told
            for _ in range(3):
                self.leaf()
            plants = {self.rng.randrange(size) for _ in range(PLANTS)}
            for step in range(size):
                self.try_call(_Growth.plant if step in plants else self.rng.choices(_CALLS, _WEIGHTS)[0])
            for _ in range(PLANTS - len(plants)):
                self.try_call(_Growth.plant)
            for turn in range(self.seed * OPS_IN_TURN, (self.seed + 1) * OPS_IN_TURN):
                self.plant_op(list(OP_EXAMPLES)[turn % len(OP_EXAMPLES)])
            for _ in range(2):
                self.try_slope()
            updates = self.updates()
        results = self.results()
        parameters = [node for node in self.styles if node.op.name == "placeholder"]
        graph = Graph(parameters, results, updates, self.recording.name)
        return Case(self.seed, self.recording, graph, self.styles, tuple(self.planted), tuple(self.slopes))

    # --- leaves ---------------------------------------------------------------------------------------------

    def leaf(self, dtype: str | None = None, shape: Sequence[Dim] | None = None, style: str | None = None) -> Tensor:
        """A new placeholder, or a variable where the shape allows one."""
        dtype = dtype or self.rng.choices([*_FLOATS, "bool", *_INTS], [8, 3, 1, 1, 1, 1, 1, 1][: 6 + len(_FLOATS)])[0]
        if shape is None:
            axes = self.rng.choice([0, 1, 1, 2, 2, 3])
            choices = [1, 2, 3, 4, dims.symbol("n"), dims.symbol("m")]
            shape = tuple(self.rng.choice(choices) for _ in range(axes))
        if style is None:
            style = "special" if self.rng.random() < 0.15 else self.style
        static = all(isinstance(d, int) for d in shape)
        if static and self.rng.random() < 0.3:
            zeros = np.zeros(tuple(map(int, shape)), dtype)  # type: ignore[arg-type]
            node: Tensor = gc.Variable(zeros, name=f"v{len(self.styles)}")
        else:
            node = gc.placeholder(f"x{len(self.styles)}", tuple(shape), dtype)
        self.styles[node] = style
        self.known[node] = exact(draw(node, style, self.seed, SIZES))
        self.pool.append(node)
        return node

    def pick(self, accepts: Callable[[Tensor], bool] = lambda node: True, *, fresh: float = 0.1) -> Tensor | None:
        """A tensor that is accepted, newer ones more often."""
        fitting = [node for node in self.pool if accepts(node)]
        if not fitting or self.rng.random() < fresh:
            return None
        return self.rng.choice(fitting[-8:] if self.rng.random() < 0.6 else fitting)

    def float(self, rank: int = 0) -> Tensor:
        """A float tensor with at least so many axes."""
        found = self.pick(lambda node: node.dtype.kind == "float" and node.ndim >= rank)
        return found if found is not None else self.leaf(self.rng.choice(_FLOATS), self.shape(rank))

    def number(self, rank: int = 0) -> Tensor:
        """A tensor of numbers with at least so many axes."""
        found = self.pick(lambda node: node.dtype.kind != "bool" and node.ndim >= rank)
        return found if found is not None else self.leaf(self.rng.choice(_FLOATS), self.shape(rank))

    def shape(self, rank: int) -> tuple[Dim, ...]:
        return tuple(self.rng.choice([1, 2, 3, dims.symbol("n")]) for _ in range(rank + self.rng.randrange(2)))

    def axis(self, node: Tensor) -> int:
        return self.rng.randrange(-node.ndim, node.ndim)

    def axes(self, node: Tensor) -> Any:
        """`None`, an axis, or several."""
        if node.ndim == 0 or self.rng.random() < 0.3:
            return None
        count = self.rng.randrange(1, node.ndim + 1)
        several = tuple(sorted(self.rng.sample(range(node.ndim), count)))
        return several[0] if count == 1 and self.rng.random() < 0.5 else several

    def partner(self, node: Tensor) -> Any:
        """Something of the same dtype that broadcasts with it without doubt: a tensor or a number."""
        if self.rng.random() < 0.25 and node.dtype.kind != "bool":
            choices = [2, 3, 1, 0, -1] if node.dtype.kind == "int" else [2, 3, 1, 0]
            return self.rng.choice(choices if node.dtype.kind != "float" else [2.0, 0.5, -1.0, 1.0, 0.0, -0.75])
        found = self.pick(lambda other: other.dtype is node.dtype and _broadcast_surely(node, other))
        return found if found is not None else self.leaf(node.dtype.name, node.shape)

    # --- growing ----------------------------------------------------------------------------------------------

    def try_call(self, call: Callable[["_Growth"], Tensor]) -> None:
        """Makes a node, and keeps it if it has one right answer."""
        for _ in range(4):
            try:
                made = call(self)
            except GraphcError:
                dims.take_guards(NO_ORIGINS)
                continue
            if self.admit([made]):
                if call is _Growth.plant:
                    self.planted.append(self.next_rule())
                    self.kept.append(made)
                return

    def admit(self, made: Sequence[Tensor]) -> bool:
        """Takes tensors into the pool if all of them have a value that is worth comparing."""
        if any(not _sizes_hold(node) for node in made):
            return False
        new = [node for node in toposort(made, frozenset(self.known)) if node not in self.known]
        try:
            values = bounded_values(made, self.known, SIZES)
        except (Ambiguous, GraphcError, IndexError):
            return False
        if not all(map(_telling, values)) or any(reads_no_number(node, self.known) for node in new):
            return False
        self.pool += made
        return True

    def next_rule(self) -> str:
        names = list(EXAMPLES)
        return names[(self.seed * PLANTS + len(self.planted)) % len(names)]

    def plant(self) -> Tensor:
        """The graph of the next rule in turn."""
        name = self.next_rule()
        example = EXAMPLES[name]
        dtype = self.rng.choice([d for d in example.dtypes if d in (*_FLOATS, *_INTS, "bool")])
        shape: tuple[Dim, ...] = tuple(
            self.rng.choice([1, 2, 3, 4, 5, 6]) for _ in range(example.rank + self.rng.randrange(1, 3))
        )
        first = self.pick(lambda n: n.dtype.name == dtype and n.ndim >= max(1, example.rank) and _is_lively(n))
        if first is not None and all(isinstance(d, int) and d > 1 for d in first.shape):
            shape = first.shape
        else:
            first = None
        leaves = []
        for kind, scalar in example.kinds(dtype):
            mine = first if first is not None and kind == dtype and not scalar else None
            leaves.append(mine if mine is not None else self.leaf(kind, () if scalar else shape, self.leaf_style(name)))
            first = None
        return (example.planted or example.before)(*leaves)

    def plant_op(self, name: str) -> None:
        """A call of an op, on leaves with few digits: nothing in it is rounded but by the op itself."""

        def leaf(dtype: str, shape: tuple[int, ...], domain: D | None = None) -> Tensor:
            within = "" if domain is None else f" {domain.low} {domain.high}"
            return self.leaf(dtype, shape, "dyadic" + within)

        made = OP_EXAMPLES[name](leaf)
        assert self.admit([made]), f"the example of {name} does not get in"
        self.kept.append(made)
        if made.dtype.kind == "float":
            self.try_slope(made)

    def leaf_style(self, rule: str) -> str:
        return "positive" if rule.startswith(("log_", "pow", "reciprocal", "root")) else self.style

    def try_slope(self, y: Tensor | None = None) -> None:
        """The gradients of the mean square of something with regard to some leaves."""
        if y is None:
            y = self.pick(lambda node: node.dtype.kind == "float" and node.op.kind is not Kind.SOURCE, fresh=0)
        if y is None:
            return
        scalar = gc.mean(gc.square(y)) if y.ndim else y
        reached = [n for n in toposort([scalar]) if n in self.styles and n.dtype.kind == "float"]
        if not reached:
            return
        xs = self.rng.sample(reached, min(len(reached), 3))
        try:
            gradients = gc.gradients(scalar, xs, unconnected="zero")
        except GraphcError:
            dims.take_guards(NO_ORIGINS)
            return
        if self.admit([scalar, *gradients]):
            self.kept += gradients
            self.slopes.append((scalar, tuple(xs), tuple(gradients)))

    def updates(self) -> list[tuple[VariableNode, Tensor]]:
        """New values for about half of the variables."""
        found = []
        for node in self.styles:
            if not isinstance(node, VariableNode) or self.rng.random() < 0.5:
                continue
            value = self.pick(lambda other, mine=node: other.type == mine.type, fresh=0)  # type: ignore[misc]
            assert value is not None
            if value.dtype.kind == "float" and self.rng.random() < 0.7:
                changed = node - 0.5 * value
                value = changed if self.admit([changed]) else value
            found.append((node, value))
        return found

    def results(self) -> list[Tensor]:
        """What was planted, gradients, what nothing reads, and something from the middle."""
        read = {source for node in toposort(self.pool) for source in node.inputs}
        unread = [node for node in self.pool if node not in read]
        middle = self.rng.sample(self.pool, 2)
        return list(dict.fromkeys([*self.kept, *unread[-12:], *middle]))


def _is_lively(node: Tensor) -> bool:
    return any(source.op.name in ("placeholder", "variable") for source in toposort([node]))


def _broadcast_surely(first: Tensor, second: Tensor) -> bool:
    pairs = zip(first.shape[::-1], second.shape[::-1], strict=False)
    return all(a == b or a == 1 or b == 1 for a, b in pairs)


def _sizes_hold(node: Tensor) -> bool:
    """Whether the node is small, and nothing was assumed that does not hold at the usual sizes."""
    count = int(np.prod(reference.static_shape(node.shape, SIZES), dtype=int))
    checked = toposort([node])
    return count <= _LARGEST and all(guard.holds(SIZES) for each in checked for guard in each.guards)


def _telling(bounded: Bounded) -> bool:
    if bounded.value.dtype.kind != "f" or not bounded.value.size:
        return True
    finite = np.abs(bounded.value[np.isfinite(bounded.value)])
    largest = finite.max(initial=0)
    tiny = ((finite > 0) & (finite < 1e-25)).any()
    return bool(largest < 1e12 and not tiny and bounded.error.max(initial=0) <= _WORST * max(largest, 1e-3))


# --- the grammar ------------------------------------------------------------------------------------------------


def _unary(g: _Growth) -> Tensor:
    name = g.rng.choice([
        "negative", "abs", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "tanh", "sigmoid", "erf", "expm1", "log1p",
        "exp2", "log2", "cbrt", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "erfc", "lgamma",
        "square", "sign", "floor", "ceil", "trunc", "round", "relu", "gelu", "softplus", "stop_gradient", "positive",
    ])  # fmt: skip
    function = getattr(gc.nn, name, None) or getattr(gc, name)
    exact_only = name in ("sign", "floor", "ceil", "trunc", "round", "negative", "abs", "square", "relu")
    result: Tensor = function(g.number() if exact_only else g.float())
    return result


def _binary(g: _Growth) -> Tensor:
    name = g.rng.choices(
        ["add", "subtract", "multiply", "divide", "minimum", "maximum", "pow", "floor_divide", "remainder"],
        [4, 4, 4, 2, 2, 2, 1, 1, 1],
    )[0]
    x = g.float() if name in ("divide", "pow") else g.number()
    other = g.partner(x)
    first, second = (x, other) if g.rng.random() < 0.7 else (other, x)
    result: Tensor = getattr(gc, name)(first, second)
    return result


def _comparison(g: _Growth) -> Tensor:
    name = g.rng.choice(["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"])
    x = g.number()
    result: Tensor = getattr(gc, name)(x, g.partner(x))
    return result


def _bool(g: _Growth) -> Tensor:
    found = g.pick(lambda node: node.dtype.kind == "bool")
    return found if found is not None else g.leaf("bool")


def _logical(g: _Growth) -> Tensor:
    name = g.rng.choice(["logical_and", "logical_or", "logical_xor", "logical_not", "bitwise_and", "bitwise_invert"])
    x = _bool(g) if name.startswith("logical") else g.pick(lambda node: node.dtype.kind in ("int", "uint"))
    x = x if x is not None else g.leaf(g.rng.choice(_INTS))
    if name.endswith(("not", "invert")):
        return getattr(gc, name)(x)  # type: ignore[no-any-return]
    return getattr(gc, name)(x, g.partner(x))  # type: ignore[no-any-return]


def _where(g: _Growth) -> Tensor:
    x = g.number()
    condition = g.pick(lambda node: node.dtype.kind == "bool" and _broadcast_surely(node, x))
    condition = condition if condition is not None else g.leaf("bool", x.shape)
    return gc.where(condition, x, g.partner(x))


def _test(g: _Growth) -> Tensor:
    x = g.float()
    result: Tensor = getattr(gc, g.rng.choice(["isnan", "isfinite", "isinf"]))(x)
    return result


def _clip(g: _Growth) -> Tensor:
    x = g.number()
    low, high = (-1, 2) if x.dtype.kind != "uint" else (1, 2)
    return gc.clip(x, low, high)


def _astype(g: _Growth) -> Tensor:
    x = g.pick(fresh=0)
    assert x is not None
    return gc.astype(x, g.rng.choice([*_FLOATS, *_FLOATS, "int32", "int64", "bool"]))


def _reduction(g: _Growth) -> Tensor:
    name = g.rng.choice(["sum", "sum", "mean", "max", "min", "prod", "var", "std", "logsumexp"])
    x = g.float() if name in ("mean", "var", "std", "logsumexp") else g.number()
    result: Tensor = getattr(gc, name)(x, axis=g.axes(x), keepdims=g.rng.random() < 0.5)
    return result


def _any_all(g: _Growth) -> Tensor:
    x = _bool(g)
    result: Tensor = getattr(gc, g.rng.choice(["any", "all"]))(x, axis=g.axes(x), keepdims=g.rng.random() < 0.5)
    return result


def _position(g: _Growth) -> Tensor:
    x = g.number(1)
    result: Tensor = getattr(gc, g.rng.choice(["argmax", "argmin"]))(x, axis=g.axis(x), keepdims=g.rng.random() < 0.5)
    return result


def _softmax(g: _Growth) -> Tensor:
    x = g.float(1)
    result: Tensor = getattr(gc.nn, g.rng.choice(["softmax", "log_softmax"]))(x, axis=g.axis(x))
    return result


def _cross_entropy(g: _Growth) -> Tensor:
    x = g.float(2)
    if not isinstance(x.shape[-1], int) or x.shape[-1] < 1:
        x = g.leaf(g.rng.choice(_FLOATS), (dims.symbol("n"), 4))
    labels = gc.argmax(gc.placeholder(f"x{len(g.styles)}", x.shape, x.dtype), axis=-1)
    leaf = labels.inputs[0]
    g.styles[leaf] = "dyadic"
    g.known[leaf] = exact(draw(leaf, "dyadic", g.seed, SIZES))
    return gc.losses.softmax_cross_entropy(x, labels, reduction=g.rng.choice(["none", "mean", "sum"]))


def _matmul(g: _Growth) -> Tensor:
    x = g.float(1)
    inner = x.shape[-1]
    y = g.pick(lambda n: n.dtype is x.dtype and 1 <= n.ndim <= 2 and n.shape[-2 if n.ndim > 1 else -1] == inner)
    if y is None:
        y = g.leaf(x.dtype.name, g.rng.choice([(inner,), (inner, 3), (inner, dims.symbol("m"))]))
    return gc.matmul(x, y)


def _reshape(g: _Growth) -> Tensor:
    x = g.number(1)
    choice = g.rng.randrange(4)
    if choice == 0:
        return gc.reshape(x, (-1,))
    if choice == 1:
        return gc.expand_dims(x, g.rng.randrange(-x.ndim - 1, x.ndim + 1))
    if choice == 2:
        return gc.reshape(x, (*x.shape[:-1], 1, x.shape[-1]))
    ones = [axis for axis, size in enumerate(x.shape) if size == 1]
    return gc.squeeze(x, tuple(ones)) if ones else gc.reshape(x, (x.shape[0], -1))


def _permute(g: _Growth) -> Tensor:
    x = g.number(2)
    axes = list(range(x.ndim))
    g.rng.shuffle(axes)
    return gc.permute_dims(x, axes)


def _broadcast(g: _Growth) -> Tensor:
    x = g.number()
    wider = tuple(g.rng.choice([2, dims.symbol("m")]) if size == 1 else size for size in x.shape)
    return gc.broadcast_to(x, (g.rng.choice([2, 1]), *wider))


def _join(g: _Growth) -> Tensor:
    x = g.number(1)
    others = [g.pick(lambda n: n.type == x.type, fresh=0) for _ in range(g.rng.randrange(1, 3))]
    parts = [x, *(other for other in others if other is not None)]
    if g.rng.random() < 0.5:
        return gc.stack(parts, axis=g.rng.randrange(-x.ndim - 1, x.ndim + 1))
    return gc.concat(parts, axis=g.axis(x))


def _index(g: _Growth) -> Tensor:
    x = g.number(1)
    entries: list[Any] = []
    for size in x.shape[: g.rng.randrange(1, x.ndim + 1)]:
        choices = [slice(None), slice(None, None, -1), slice(1, None), slice(None, -1), slice(None, None, 2), 0, -1]
        entries.append(g.rng.choice(choices if isinstance(size, int) and size > 1 else choices[:2] + choices[4:]))
    if g.rng.random() < 0.3:
        entries.insert(g.rng.randrange(len(entries) + 1), None)
    return x[tuple(entries)]


def _pad(g: _Growth) -> Tensor:
    x = g.number(1)
    return gc.pad(x, [(g.rng.randrange(3), g.rng.randrange(2)) for _ in range(x.ndim)], constant_values=1)


def _take(g: _Growth) -> Tensor:
    x = g.number(1)
    axis = g.axis(x)
    size = x.shape[axis]
    last = size if isinstance(size, int) else 1
    indices = [g.rng.randrange(-last, last) for _ in range(3)] if last else []
    return gc.take(x, np.array(indices, np.int64), axis=axis)


def _scatter(g: _Growth) -> Tensor:
    x = g.number(1)
    size = x.shape[0]
    last = size if isinstance(size, int) else 1
    indices = np.array([g.rng.randrange(-last, last) for _ in range(2)] if last else [], np.int64)
    return gc.scatter_add(x, indices, gc.take(g.leaf(x.dtype.name, x.shape), indices, axis=0), axis=0)


def _positions(g: _Growth, size: Dim, *shape: int) -> np.ndarray:
    """Positions along an axis, of which some are equal and some count from the end."""
    last = size if isinstance(size, int) else 1
    drawn = [g.rng.randrange(-last, last) for _ in range(math.prod(shape))]
    return np.array(drawn, g.rng.choice(["int8", "int64"])).reshape(shape)


def _held(g: _Growth, indices: np.ndarray) -> Any:
    """As they are, or as a tensor that is computed, which no plan can know."""
    return indices if g.rng.random() < 0.5 else gc.asarray(indices) + gc.argmax(g.leaf("float32", (1,))) * 0


def _filled(g: _Growth, rank: int) -> Tensor:
    """A tensor of numbers with at least so many axes, none of which is known to be empty."""
    x = g.number(rank)
    return x if 0 not in x.shape else g.leaf("float32", (2, 3, 2)[:rank])


def _along(g: _Growth) -> Tensor:
    x = _filled(g, 1)
    axis = g.axis(x) % x.ndim
    shape = [size if isinstance(size, int) and g.rng.random() < 0.6 else 1 for size in x.shape]
    shape[axis] = 2
    return gc.take_along_axis(x, _held(g, _positions(g, x.shape[axis], *shape)), axis=axis)


def _advanced(g: _Growth) -> tuple[Tensor, Any]:
    """A tensor, and an index of several kinds."""
    x = _filled(g, 2)
    shape = g.rng.choice([(), (2,), (2, 1)])
    entries: list[Any] = []
    for size in x.shape:
        kinds = [slice(None), slice(None, None, -1), *[_held(g, _positions(g, size, *shape))] * 2]
        entries.append(g.rng.choice(kinds + [0, -1] * isinstance(size, int)))
    if g.rng.random() < 0.3:
        entries.insert(g.rng.randrange(len(entries) + 1), None)
    return x, tuple(entries)


def _read(g: _Growth) -> Tensor:
    x, index = _advanced(g)
    return x[index]


def _update(g: _Growth) -> Tensor:
    x, index = _advanced(g)
    part = x[index]
    value = g.rng.choice([1, g.leaf(x.dtype.name, part.shape[1:]), g.leaf(x.dtype.name, part.shape)])
    result: Tensor = getattr(x.at[index], g.rng.choice(["set", "add", "multiply", "min", "max"]))(value)
    return result


def _running(g: _Growth) -> Tensor:
    name = g.rng.choice(["sum", "sum", "prod", "max", "min", "logsumexp"])
    x = g.float(1) if name == "logsumexp" else g.number(1)
    options = {"include_initial": g.rng.random() < 0.5} if name in ("sum", "prod") else {}
    result: Tensor = getattr(gc, f"cumulative_{name}")(x, axis=g.axis(x), **options)
    return result


def _order(g: _Growth) -> Tensor:
    x = _filled(g, 1)
    axis, descending = g.axis(x), g.rng.random() < 0.5
    return g.rng.choice([
        lambda: gc.sort(x, axis=axis, descending=descending),
        lambda: gc.argsort(x, axis=axis, descending=descending),
        lambda: gc.top_k(x, 1, axis=axis)[g.rng.randrange(2)],
        lambda: gc.median(x, axis=axis),
    ])()  # fmt: skip


def _found(g: _Growth) -> Tensor:
    """What is found in a few numbers: distinct ones, positions, members of segments."""
    x = g.leaf(g.rng.choice(["int8", "int64", "float32"]), (5,))
    return g.rng.choice([
        lambda: g.rng.choice(gc.unique_all(x, size=4, fill_value=3)),
        lambda: gc.nonzero(x, size=3, fill_value=-1)[0],
        lambda: gc.isin(g.number(), x),
        lambda: gc.segment_sum(x, _held(g, _positions(g, 3, 5)), 3),
        lambda: gc.segment_max(x, _held(g, _positions(g, 3, 5)), 3),
    ])()  # fmt: skip


def _one_hot(g: _Growth) -> Tensor:
    x = g.pick(lambda node: node.dtype.kind in ("int", "uint"))
    return gc.one_hot(x if x is not None else g.leaf("int64"), 4)


def _source(g: _Growth) -> Tensor:
    return g.rng.choice([
        lambda: gc.arange(4, dtype="float32"),
        lambda: gc.eye(3),
        lambda: gc.full((2, 3), 1.5),
        lambda: gc.asarray(np.array([1.0, -2.0, 0.5], np.float32)),
        lambda: gc.dim_value(dims.symbol("n")),
        lambda: gc.arange(dims.symbol("n"), dtype=g.rng.choice(["int64", "float32"])),
        lambda: g.leaf(),
        lambda: g.leaf(style="special"),
    ])()  # fmt: skip


def _effect(g: _Growth) -> Tensor:
    return gc.check_numerics(g.float())


_GRAMMAR: dict[Callable[[_Growth], Tensor], int] = {
    _unary: 8, _binary: 10, _comparison: 2, _logical: 2, _where: 2, _test: 1, _clip: 1, _astype: 2, _reduction: 6,
    _any_all: 1, _position: 1, _softmax: 2, _cross_entropy: 1, _matmul: 4, _reshape: 3, _permute: 2, _broadcast: 1,
    _join: 2, _index: 4, _pad: 1, _take: 2, _scatter: 1, _along: 1, _read: 2, _update: 2,
    _one_hot: 1, _source: 2, _effect: 1, _running: 2, _order: 2, _found: 1,
}  # fmt: skip
_CALLS, _WEIGHTS = list(_GRAMMAR), list(_GRAMMAR.values())
