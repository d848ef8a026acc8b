"""The user's own `is_wrong` as source, so that a script can ask the very question for which it was shrunk."""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from graphc.bisection import IsWrong
from graphc.reproducer.literals import array_text

_LARGEST = 64  # elements of an array that the predicate reads
_PLAIN = (bool, int, float, str, type(None))


class Predicate(NamedTuple):
    """A predicate that stands alone.

    Attributes:
        imports: lines that its source needs.
        lines: its source: what it reads from outside, then a definition of `is_wrong`.
        function: made of this source, so that what it says is what a script will say.
    """

    imports: tuple[str, ...]
    lines: tuple[str, ...]
    function: IsWrong


def embed(is_wrong: IsWrong, reserved: Mapping[str, str]) -> Predicate | None:
    """A predicate as source, or `None`: its source is not to be had, or reads what cannot be written down.

    Args:
        is_wrong: a function or a lambda of a file; it may read modules, numbers, texts and small arrays from outside.
        reserved: names that the script uses itself → the import that makes them, or an empty text.
    """
    found = _definition(is_wrong) if isinstance(is_wrong, FunctionType) else None
    if found is None:
        return None
    outside = _outside(found, is_wrong)  # type: ignore[arg-type]
    if outside is None:
        return None
    written = {name: _written(name, value) for name, value in outside.items()}
    if any(line is None or reserved.get(name, line) != line for name, line in written.items()):
        return None
    imports = tuple(line for line in written.values() if line is not None and line.startswith("import "))
    values = {name: line for name, line in written.items() if line is not None and line not in imports}
    lines = (*values.values(), *_assigned(found))
    names: dict[str, Any] = {"np": np}
    exec("\n".join((*imports, *lines)), names)
    return Predicate(imports, lines, names["is_wrong"])


def _definition(function: FunctionType) -> ast.FunctionDef | ast.Lambda | None:
    """Where it is defined, unless the file has changed since."""
    try:
        lines, _ = inspect.findsource(function)
        module = ast.parse("".join(lines))
    except (OSError, SyntaxError):
        return None
    found = [node for node in ast.walk(module) if _is_source(node, function)]
    node = found[0] if len(found) == 1 else None
    return node if isinstance(node, (ast.FunctionDef, ast.Lambda)) else None


def _is_source(node: ast.AST, function: FunctionType) -> bool:
    code = function.__code__
    if isinstance(node, ast.FunctionDef):
        return (node.lineno, node.name) == (code.co_firstlineno, code.co_name) and not node.decorator_list
    if not isinstance(node, ast.Lambda) or code.co_name != "<lambda>":
        return False
    body = node.body  # what it returns: that tells two lambdas of a line apart
    return (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset) in code.co_positions()


def _assigned(node: ast.FunctionDef | ast.Lambda) -> list[str]:
    if isinstance(node, ast.Lambda):
        return [f"is_wrong = {ast.unparse(node)}"]
    for each in ast.walk(node):  # annotations read names that nothing else may need
        if isinstance(each, ast.arg):
            each.annotation = None
    node.returns, node.name = None, "is_wrong"
    return ast.unparse(node).split("\n")


def _outside(node: ast.FunctionDef | ast.Lambda, function: FunctionType) -> dict[str, Any] | None:
    """What it reads from outside, or `None` if some of it is not there."""
    body = node.body if isinstance(node.body, list) else [node.body]
    inner = [each for part in (*body, *node.args.defaults, *node.args.kw_defaults) if part for each in ast.walk(part)]
    loads = [each.id for each in inner if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)]
    own = {each.id for each in inner if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)}
    own |= {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    try:
        known = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    except ValueError:  # a cell that is still empty
        return None
    names = [name for name in dict.fromkeys(loads) if name not in own]
    if any(name not in known and not hasattr(builtins, name) for name in names):
        return None
    return {name: known[name] for name in names if name in known}


def _written(name: str, value: Any) -> str | None:
    """The line that makes a name what it is."""
    if isinstance(value, ModuleType):
        return f"import {value.__name__}" + (f" as {name}" if name != value.__name__ else "")
    if type(value) in _PLAIN and value == value:
        return f"{name} = {value!r}" if value not in (np.inf, -np.inf) else f'{name} = float("{value}")'
    if type(value) is tuple and all(type(item) in (bool, int, str) for item in value):
        return f"{name} = {value!r}"
    if isinstance(value, (np.ndarray, np.number)) and value.size <= _LARGEST and value.dtype.kind in "fiub":
        return f"{name} = {array_text(np.asarray(value))}"
    return None
