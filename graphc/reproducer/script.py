"""Prints a problem as a Python script that stands alone: it needs graphc, NumPy, and nothing else."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc import nn
from graphc.errors import NO_ORIGINS, GraphcError
from graphc.ir import dims
from graphc.ir.dtype import DType
from graphc.ir.key import structural_key
from graphc.ir.opdef import FUNCTIONS
from graphc.ir.tensor import Tensor, VariableNode, inherit
from graphc.options import NO_WISHES, CompileOptions
from graphc.reproducer.literals import array_text
from graphc.reproducer.problem import Problem


class Setting(NamedTuple):
    """Where a problem goes wrong, and what counts as wrong.

    Attributes:
        backend: the argument of `gc.Session`, as source.
        imports: lines that this source needs.
        options: of the compilation.
        allowed: how far numbers may be off, absolutely; `None`: as far as `graphc.bisection.differs` lets them.
        predicate: lines that define `is_wrong(computed, expected)` in place of both.
        expected: the right results and new values of variables; those of the reference interpreter if `None`.
        note: the first lines of the script: what it shows.
    """

    backend: str = '"numpy"'
    imports: Sequence[str] = ()
    options: CompileOptions = CompileOptions()
    allowed: float | None = None
    predicate: Sequence[str] = ()
    expected: Sequence[np.ndarray] | None = None
    note: str = "A wrong answer."


def print_script(problem: Problem, setting: Setting) -> str:
    """The script: it builds the graph with public functions as far as there are some, runs it, shows the computed and
    the expected values, lets `gc.bisect` name the culprit, and ends with an error if the answer is wrong.
    """
    return _Printer(problem, setting).run()


WRONG = "the answer is wrong"
"""How a script ends that shows what it should."""
RESERVED: Mapping[str, str] = {
    **dict.fromkeys(
        ("dims", "apply", "OPS", "graph", "feeds", "session", "step", "culprit", "computed", "expected", "is_wrong"), ""
    ),
    "gc": "import graphc as gc",
    "np": "import numpy as np",
}
"""Names of every script → the import that makes them."""


class _Printer:
    def __init__(self, problem: Problem, setting: Setting) -> None:
        self.problem = problem
        self.setting = setting
        self.imports = {"import numpy as np", "import graphc as gc", *setting.imports}
        self.names: dict[Tensor, str] = {}
        self.symbols: dict[str, str] = {}
        self.taken = set(RESERVED)
        self.taken.update(re.findall(r"^\w+", "\n".join(setting.predicate), re.MULTILINE))

    def run(self) -> str:
        graph = self.problem.graph
        sources = (*graph.parameters, *graph.variables)
        self.taken.update(dims.symbols(size for node in graph.parameters for size in node.shape))
        body = [line for node in dict.fromkeys((*sources, *graph.nodes)) for line in self._lines(node)]
        lines = ["", f"with gc.Graph({graph.name!r}) as graph:", *(f"    {line}" for line in body), ""]
        lines += [*self._call(), *self._comparison()]
        lines_of_imports = sorted(self.imports, key=lambda line: (line.split()[0] == "from", line))
        outside = [line for line in lines_of_imports if not line.split()[1].startswith("graphc")]
        inside = [line for line in lines_of_imports if line not in outside]
        note = textwrap.fill(self.setting.note, 100, initial_indent="# ", subsequent_indent="# ")
        return "\n".join([note, "", *outside, "", *inside, *lines, ""])

    def _call(self) -> list[str]:
        """Session and executable."""
        graph = self.problem.graph
        fetches = [self.names[node] for node in graph.results]
        fetches += [f"gc.assign({self.names[v]}, {self.names[value]})" for v, value in graph.updates]
        parameters = ", ".join(self.names[node] for node in graph.parameters)
        feeds = ", ".join(array_text(self.problem.values[node]) for node in graph.parameters)
        return [
            f"feeds = [{feeds}]",
            f"session = gc.Session(graph, backend={self.setting.backend}{self._options()})",
            f"step = session.compile([{', '.join(fetches)}], feeds=[{parameters}])",
        ]

    def _options(self) -> str:
        fields = [name for name in CompileOptions.__slots__ if name not in ("verify", "dump")]
        words = [
            f"{name}={getattr(self.setting.options, name)!r}"
            for name in fields
            if getattr(self.setting.options, name) != getattr(NO_WISHES, name)  # whatever the environment says
        ]
        return f", options=gc.CompileOptions({', '.join(words)})" if words else ""

    def _comparison(self) -> list[str]:
        """The run, the right answer, and what is made of both."""
        setting, graph = self.setting, self.problem.graph
        lines = ["culprit = gc.bisect(step, *feeds, is_wrong=is_wrong)  # on copies: the state stays as it is"]
        lines.append("computed = step(*feeds)")
        if graph.updates:
            states = ", ".join(f"session.value({self.names[variable]})" for variable, _ in graph.updates)
            lines.append(f"computed = [*computed[:{len(graph.results)}], {states}]")
        if setting.expected is None:
            lines.append("expected = culprit.expected  # by the reference interpreter")
        else:
            lines.append(f"expected = [{', '.join(map(array_text, setting.expected))}]")
        head = ["", *setting.predicate, ""] if setting.predicate else []
        if not head and setting.allowed is None:
            self.imports.add("from graphc.bisection import differs as is_wrong")
        elif not head and setting.allowed is not None:
            head = _is_wrong(setting.allowed)
        return [
            *head,
            *lines,
            'print("computed", *computed, sep="\\n")',
            'print("expected", *expected, sep="\\n")',
            "print(culprit)",
            "if is_wrong(computed, expected):",
            f'    raise SystemExit("{WRONG}")',
        ]

    # --- nodes ----------------------------------------------------------------------------------------------------

    def _lines(self, node: Tensor) -> list[str]:
        name = self.names[node] = self._name(node)
        lines = [f"{name} = {self._expression(node)}"]
        if node.op.name == "placeholder":
            for axis, size in enumerate(node.shape):
                symbol = dims.symbol_name(size)
                if symbol is not None and symbol not in self.symbols:
                    self.symbols[symbol] = symbol + "_size" * (symbol in RESERVED or keyword.iskeyword(symbol))
                    lines.append(f"{self.symbols[symbol]} = {name}.shape[{axis}]")
        return lines

    def _name(self, node: Tensor) -> str:
        wanted = re.sub(r"\W", "_", node.name or "", flags=re.ASCII)
        free = wanted.isidentifier() and not keyword.iskeyword(wanted) and wanted not in self.taken
        number = len(self.names)
        while not free:
            wanted = f"t{number}"
            free, number = wanted not in self.taken, number + 1
        self.taken.add(wanted)
        return wanted

    def _expression(self, node: Tensor) -> str:
        if node.op.name in ("placeholder", "run_key"):
            shape = "".join(f"{size!r}, " if isinstance(size, int) else f'"{size}", ' for size in node.shape)
            return f"gc.placeholder({node.name!r}, ({shape.strip() if node.ndim < 2 else shape[:-2]}), gc.{node.dtype})"
        if isinstance(node, VariableNode):
            return f"gc.Variable({array_text(self.problem.values[node])}, name={node.name!r})"
        if node.op.name == "constant":
            return f"gc.asarray({array_text(node.attrs['value'])})"
        public = self._public(node)
        return public if public is not None else self._applied(node)

    def _public(self, node: Tensor) -> str | None:
        """The call of a public function that records this very node, if there is one: it is tried."""
        spelling = SPELLINGS.get(node.op.name, _plain)
        try:
            args, words = spelling(node)
            made = node.inputs[0][args[0]] if node.op.name == "slice" else _called(node, args, words)
        except (GraphcError, TypeError, ValueError, LookupError):
            dims.take_guards(NO_ORIGINS)
            return None
        if made is None or structural_key(made) != structural_key(node):
            return None
        if node.op.name == "slice":
            return f"{self.names[node.inputs[0]]}[{_index_text(args[0])}]"
        written = [*map(self._argument, args), *(f"{word}={self._argument(value)}" for word, value in words.items())]
        place = "gc.nn" if node.op.name in nn.__all__ else "gc"
        return f"{place}.{node.op.name}({', '.join(written)})"

    def _applied(self, node: Tensor) -> str:
        """The general way to record any op."""
        self.imports |= {"from graphc.ir.opdef import OPS", "from graphc.ir.tensor import apply"}
        inputs = ", ".join(self.names[source] for source in node.inputs)
        words = "".join(f", {name}={self._argument(value)}" for name, value in node.attrs.items())
        return f'apply(OPS["{node.op.name}"], [{inputs}]{words})'

    def _argument(self, value: Any) -> str:
        if isinstance(value, Tensor):
            return self.names[value]
        if isinstance(value, list):
            return f"[{', '.join(map(self._argument, value))}]"
        if isinstance(value, tuple):
            return "(" + ", ".join(map(self._argument, value)) + (",)" if len(value) == 1 else ")")
        if isinstance(value, DType):
            return f"gc.{value}"
        if isinstance(value, dims.Poly):
            return self._size(value)
        return array_text(value) if isinstance(value, np.ndarray) else repr(value)

    def _size(self, size: dims.Poly) -> str:
        """A formula of sizes, over the names that stand for the symbols."""
        text = str(size).replace("^", "**").replace("min(", "dims.minimum(").replace("max(", "dims.maximum(")
        text = text.replace("floordiv(", "dims.floordiv(").replace("mod(", "dims.mod(")
        if "dims." in text:
            self.imports.add("from graphc.ir import dims")
        return re.sub(r"(?<![\w.])[A-Za-z_]\w*(?![\w(.])", lambda found: self.symbols[found[0]], text)


def _is_wrong(allowed: float) -> list[str]:
    return [
        "",
        "def is_wrong(computed, expected):",
        f'    """Whether a dtype, a shape, or a number is another one, by more than {allowed!r}."""',
        "    return any(",
        f"        c.dtype != e.dtype or c.shape != e.shape or not np.allclose(c, e, 0, {allowed!r}, equal_nan=True)",
        "        for c, e in zip(computed, expected, strict=True)",
        "    )",
        "",
    ]


# --- how public functions are called ----------------------------------------------------------------------------

Arguments = tuple[list[Any], dict[str, Any]]


def _plain(node: Tensor) -> Arguments:
    """The operands by position, the attributes by name."""
    return list(node.inputs), dict(node.attrs)


def _sliced(node: Tensor) -> Arguments:
    """x[a:b:c] of static bounds."""
    (x,), found = node.inputs, []
    for start, length, step, size in zip(
        *(node.attrs[n] for n in ("starts", "lengths", "steps")), x.shape, strict=True
    ):
        stop = start + length * step
        whole = (start, length, step) == (0, size, 1)
        found.append(slice(None) if whole else slice(start, None if isinstance(stop, int) and stop < 0 else stop, step))
    return [tuple(found)], {}


SPELLINGS: dict[str, Callable[[Tensor], Arguments]] = {
    "concat": lambda node: ([list(node.inputs)], dict(node.attrs)),
    "pad": lambda node: ([node.inputs[0], node.attrs["pad_width"]], {"constant_values": node.inputs[1]}),
    "slice": _sliced,
    **dict.fromkeys(
        ("sum", "prod"), lambda node: (list(node.inputs), {**node.attrs, **_summed_in(node.inputs[0].dtype)})
    ),
    "dim_value": lambda node: ([node.attrs["dim"]], {"dtype": node.attrs["dtype"]}),
    "astype": lambda node: ([node.inputs[0], node.attrs["dtype"]], {}),
    **dict.fromkeys(
        ("reshape", "broadcast_to", "permute_dims"),
        lambda node: ([node.inputs[0], node.attrs["axes" if "axes" in node.attrs else "shape"]], {}),
    ),
}
"""op → the arguments with which its public function records a node; by default operands and attributes."""


def _summed_in(dtype: DType) -> Mapping[str, Any]:
    """Sums of small integers are taken in int64 unless they say otherwise."""
    return {} if dtype.kind == "float" or dtype.name in ("int64", "uint64") else {"dtype": dtype}


def _called(node: Tensor, args: Sequence[Any], words: Mapping[str, Any]) -> Tensor | None:
    """What the public function of a node's op records, if it has one."""
    function = FUNCTIONS.get(node.op.name)
    if function is None:
        return None
    with inherit(node.origins):
        made = function(*args, **words)
    return made if isinstance(made, Tensor) else None


def _index_text(entries: Sequence[slice]) -> str:
    parts = []
    for entry in entries:
        step = "" if entry.step in (None, 1) else f":{entry.step}"
        start = "" if entry.start is None else entry.start
        parts.append(f"{start}:{'' if entry.stop is None else entry.stop}{step}")
    return ", ".join(parts)
