"""The text form of a graph: lines of Python syntax that print and parse back.

    graph("digits")
    x: float32[batch, 64] = placeholder(name="x", dtype=float32, shape=(dim("batch"), 64))
    v3: float32[batch, 10] = matmul(x, w)  # at train.py:12 in main
    parameters(x)
    results(v3)
    update(w, v9)

Initial values of variables are not part of it.
"""

from __future__ import annotations

import ast
import binascii
import itertools
import keyword
import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc.errors import NO_ORIGINS, GraphcError, Line, Origins, TextSyntaxError
from graphc.ir import dims
from graphc.ir.dtype import DTYPES, DType, as_dtype
from graphc.ir.graph import Graph
from graphc.ir.opdef import lookup
from graphc.ir.tensor import Tensor, VariableNode, apply, current_origins, inherit

_SHORT = 16  # elements of a constant that are printed as numbers


def print_graph(graph: Graph) -> str:
    """The graph as text; equal graphs give equal text up to the names of values."""
    names = _names(graph)
    lines = [f"graph({graph.name!r})"]
    for node in names:  # the nodes in order, then the sources that nothing reads
        arguments = [names[source] for source in node.inputs]
        arguments += [f"{name}={print_attr(value)}" for name, value in node.attrs.items()]
        line = f"{names[node]}: {_type_text(node)} = {node.op.name}({', '.join(arguments)})"
        lines.append(line + _comment(node.origins))
    lines.append(f"parameters({', '.join(names[node] for node in graph.parameters)})")
    lines.append(f"results({', '.join(names[node] for node in graph.results)})")
    lines += [f"update({names[variable]}, {names[value]})" for variable, value in graph.updates]
    return "\n".join(lines) + "\n"


def _names(graph: Graph) -> dict[Tensor, str]:
    names: dict[Tensor, str] = {}
    taken: set[str] = set()
    numbers = itertools.count()
    extra = [variable for variable, _ in graph.updates]
    for node in (*graph.nodes, *graph.parameters, *extra):
        if node in names:
            continue
        wanted = re.sub(r"\W", "_", node.name or "", flags=re.ASCII)  # Python would normalise others
        if not wanted or wanted in taken or keyword.iskeyword(wanted) or not wanted.isidentifier():
            wanted = f"v{next(numbers)}"
            while wanted in taken:
                wanted = f"v{next(numbers)}"
        names[node] = wanted
        taken.add(wanted)
    return names


def _comment(origins: Origins) -> str:
    if not origins.lines:
        return ""
    places = "; ".join(f"{_escape(line.file)}:{line.number} in {line.function}" for line in origins.lines)
    return f"  # at {places} of {origins.total}"


def _escape(path: str) -> str:
    """A path without the characters that end it in a comment."""
    return path.replace("%", "%25").replace(";", "%3B").replace("\n", "%0A").replace("\r", "%0D")


def _unescape(path: str) -> str:
    return path.replace("%0D", "\r").replace("%0A", "\n").replace("%3B", ";").replace("%25", "%")


def _type_text(node: Tensor) -> str:
    """The type as an annotation; that of a scalar, `float32[]`, is no Python."""
    return str(node.type).replace("[]", "[()]")


def print_attr(value: Any) -> str:
    """One attribute in the syntax that `parse_graph` reads."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(print_attr, value)) + (",)" if len(value) == 1 else ")")
    if isinstance(value, dims.Poly):
        return f'dim("{value}")'
    if isinstance(value, float):
        return repr(float(value))  # NumPy's own floats print as calls
    if isinstance(value, np.ndarray):
        return _print_array(value)
    if isinstance(value, Graph):
        return f"region({print_graph(value)!r})"
    return repr(value)


def _print_array(value: np.ndarray) -> str:
    head = f"array({value.dtype.name}, {value.shape}, "
    numbers_round_trip = value.size <= _SHORT and value.dtype.kind in "biuf" and not np.isnan(value).any()
    if numbers_round_trip:
        return head + repr(value.ravel().tolist()) + ")"
    return head + repr(binascii.b2a_base64(np.ascontiguousarray(value).tobytes(), newline=False).decode()) + ")"


# --- parsing ------------------------------------------------------------------------------------------------


def parse_graph(text: str) -> Graph:
    """The graph that was printed.

    Raises:
        TextSyntaxError: the text is not the text form of a graph.
        UnknownNameError: an op or dtype is not known.
    """
    try:
        module = ast.parse(text)
    except SyntaxError as error:
        raise TextSyntaxError(f"line {error.lineno} is not in the text form of a graph", got=error.text) from None
    return _Parser(text.split("\n")).run(module)


class _TextOwner:
    """The owner of all the nodes of one text."""

    name = "text"


class _Parser:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.values: dict[str, Tensor] = {}
        self.name = "graph"
        self.parameters: list[Tensor] = []
        self.results: list[Tensor] = []
        self.updates: list[tuple[VariableNode, Tensor]] = []
        self.owner = _TextOwner()

    def run(self, module: ast.Module) -> Graph:
        for statement in module.body:
            try:
                self._statement(statement)
            except GraphcError:
                raise
            except (ArithmeticError, LookupError, SyntaxError, TypeError, ValueError) as error:
                raise self._error(statement, f"{type(error).__name__}: {error}") from error
        return Graph(self.parameters, self.results, self.updates, self.name)

    def _statement(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            self._assign(statement, statement.target.id)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            self._directive(statement.value)
        else:
            raise self._error(statement)

    def _error(self, node: ast.stmt | ast.expr, why: str = "this is not a line of a graph") -> TextSyntaxError:
        return TextSyntaxError(f"line {node.lineno}: {why}", got=self.lines[node.lineno - 1])

    def _directive(self, call: ast.Call) -> None:
        name = _called(call)
        if name == "graph":
            self.name = str(self._attr(call.args[0]))
        elif name == "parameters":
            self.parameters = [self._value(argument) for argument in call.args]
        elif name == "results":
            self.results = [self._value(argument) for argument in call.args]
        elif name == "update":
            variable, value = (self._value(argument) for argument in call.args)
            if not isinstance(variable, VariableNode):
                raise self._error(call, "only a variable can be updated")
            self.updates.append((variable, value))
        else:
            raise self._error(call)

    def _assign(self, statement: ast.AnnAssign, name: str) -> None:
        call = statement.value
        if not isinstance(call, ast.Call) or name in self.values:
            raise self._error(statement)
        op = lookup(_called(call))
        inputs = [self._value(argument) for argument in call.args]
        attrs = {str(word.arg): self._attr(word.value) for word in call.keywords}
        line = self.lines[statement.lineno - 1].encode()  # columns count bytes
        with inherit(_parse_comment(line[statement.end_col_offset or 0 :].decode())):
            if op.name == "variable":
                node: Tensor = VariableNode(op, attrs, self.owner, None, True)
            elif op.name in ("placeholder", "run_key"):
                kind = op.infer((), attrs)
                node = Tensor(op, (), MappingProxyType(attrs), kind, current_origins(), self.owner)
            else:
                node = apply(op, inputs, **attrs)
        note = statement.annotation
        declared, inferred = line[note.col_offset : note.end_col_offset].decode(), _type_text(node)
        if declared != inferred and _normal(declared) != _normal(inferred):
            raise self._error(statement, f"the type of {name} is {node.type}")
        self.values[name] = node

    def _value(self, node: ast.expr) -> Tensor:
        if not isinstance(node, ast.Name) or node.id not in self.values:
            raise self._error(node, f"{ast.unparse(node)} is not defined")
        return self.values[node.id]

    def _attr(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Tuple):
            return tuple(self._attr(item) for item in node.elts)
        if isinstance(node, ast.List):
            return [self._attr(item) for item in node.elts]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._attr(node.operand)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return {"inf": np.inf, "nan": np.nan, **DTYPES}[node.id]
        if isinstance(node, ast.Call) and _called(node) in _CONSTRUCTORS:
            return _CONSTRUCTORS[_called(node)](*(self._attr(argument) for argument in node.args))
        raise self._error(node, f"{ast.unparse(node)} is not an attribute")


def _normal(annotation: str) -> str:
    """A type as Python writes it, for those that were typed by hand."""
    return ast.unparse(ast.parse(annotation.replace("^", "**"), mode="eval"))


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def parse_dim(text: str) -> dims.Dim:
    """A dim in the syntax in which it is printed, for example `2*batch^2 + 1`."""
    return _dim(ast.parse(text.replace("^", "**"), mode="eval").body)


_DIM_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Pow: lambda a, b: dims.product([a] * b),
}
_DIM_FUNCTIONS: dict[str, Callable[..., dims.Dim]] = {
    "floordiv": dims.floordiv,
    "mod": dims.mod,
    "min": dims.minimum,
    "max": dims.maximum,
}


def _dim(node: ast.expr) -> dims.Dim:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return dims.symbol(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return 0 - _dim(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _DIM_OPERATORS:
        result: dims.Dim = _DIM_OPERATORS[type(node.op)](_dim(node.left), _dim(node.right))
        return result
    if isinstance(node, ast.Call) and _called(node) in _DIM_FUNCTIONS:
        return _DIM_FUNCTIONS[_called(node)](*(_dim(argument) for argument in node.args))
    raise TextSyntaxError("this is not a dim", got=ast.unparse(node))


def _parse_array(dtype: DType, shape: tuple[int, ...], data: Any) -> np.ndarray:
    kind = as_dtype(dtype).numpy
    if isinstance(data, str):
        array = np.frombuffer(binascii.a2b_base64(data), kind).reshape(shape).copy()
    else:
        array = np.array(data, kind).reshape(shape)
    array.flags.writeable = False
    return array


_CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "dim": parse_dim,
    "array": _parse_array,
    "region": parse_graph,
}


def _parse_comment(rest: str) -> Origins:
    """The origins in what follows a statement."""
    if not rest.startswith("  # at "):
        return NO_ORIGINS
    places, _, total = rest.removeprefix("  # at ").rpartition(" of ")
    found = []
    for place in places.split("; "):
        where, _, function = place.rpartition(" in ")
        file, _, number = where.rpartition(":")
        found.append(Line(_unescape(file), int(number), function))
    return Origins(tuple(found), int(total))
