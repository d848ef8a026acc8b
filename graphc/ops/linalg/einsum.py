"""Sums of products by the names of axes, broken down into products of two operands at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.dtype import NUMERIC, bool_, names
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.arithmetic import multiply
from graphc.ops.contraction import matmul
from graphc.ops.define import TensorLike
from graphc.ops.layout import permute_dims, reshape
from graphc.ops.linalg.parts import diagonal
from graphc.ops.linalg.products import common_tensors
from graphc.ops.precision import rounded_once
from graphc.ops.reductions import sum as reduce_sum

_FORM = 'letters for axes, commas between operands, an arrow before the result: "ij,jk->ik"'
_STAND_IN = 64  # what the order of contractions takes a symbolic size for

Sizes = Mapping[str, Dim]


class _Term(NamedTuple):
    """A tensor with a name for each axis: a letter, or one like "...1" for those of an ellipsis, from the last on."""

    tensor: Tensor
    names: tuple[str, ...]


@public
@rounded_once
def einsum(subscripts: str, /, *operands: TensorLike) -> Tensor:
    """Sums of products (Einstein's convention): axes with one letter are multiplied, and summed if the result lacks it.

    More than two operands are multiplied two at a time, in the order that opt_einsum finds for their sizes. A letter
    that an operand has twice stands for a diagonal, an ellipsis for further axes, which broadcast.

    Args:
        subscripts: "ij,jk->ik" is the matrix product. Without an arrow the result has the axes of the ellipsis, and
            then the letters that occur once, in alphabetical order.
        operands: numbers, one tensor for each part between commas.

    Raises:
        ArgumentError: the subscripts are no such text, or name an axis of the result that no operand has.
        ShapeError: an operand has another number of axes, or two sizes of one letter differ.
    """
    inputs, output = _parsed(subscripts, len(operands))
    tensors = common_tensors(*operands)
    if tensors[0].dtype is bool_:
        fix = "convert with .astype(gc.int64) first; gc.any and gc.all are sums and products of truth values"
        raise DTypeError("einsum does not take bool", expected=names(NUMERIC), got=repr(tensors[0]), fix=fix)
    terms = [_Term(node, _axis_names(part, node, subscripts)) for part, node in zip(inputs, tensors, strict=True)]
    result = _result_names(output, inputs, terms, subscripts)
    sizes = _sizes(terms, subscripts)
    terms = [_without_ones(_without_repeats(term), sizes) for term in terms]
    for picked in _order(terms, result, sizes):
        chosen = [terms[at] for at in picked]
        terms = [term for at, term in enumerate(terms) if at not in picked]
        terms.append(_contracted(chosen, {*result, *(name for term in terms for name in term.names)}, sizes))
    return _arranged(_summed(terms[0], result), result)


# --- the text ---------------------------------------------------------------------------------------------------


def _parsed(subscripts: str, count: int) -> tuple[list[str], str | None]:
    """The part of each operand, and that of the result if it is given."""
    if not isinstance(subscripts, str):
        raise ArgumentError(
            "einsum: the subscripts come first, as a text",
            expected=_FORM,
            got=repr(subscripts),
            fix='einsum("ij,jk->ik", x, y)',
        )
    text = subscripts.replace(" ", "")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    for part in (*inputs, output):
        rest = part.replace("...", "", 1)
        if rest and not rest.isalpha():
            wrong = next(character for character in rest if not character.isalpha())
            raise ArgumentError(
                f"einsum: {part!r} holds {wrong!r}", expected=_FORM, got=repr(subscripts), fix="name axes by letters"
            )
    if len(inputs) != count:
        raise ArgumentError(
            f"einsum: the subscripts are for {len(inputs)} operands, not {count}",
            expected="a part between commas for each operand",
            got=repr(subscripts),
            fix='einsum("ij,jk->ik", x, y) takes two',
        )
    return inputs, output if arrow else None


def _axis_names(part: str, node: Tensor, subscripts: str) -> tuple[str, ...]:
    before, ellipsis, behind = part.partition("...")
    extra = node.ndim - len(before) - len(behind)
    if extra < 0 or (extra and not ellipsis):
        raise ShapeError(
            f"einsum: {part!r} names {len(before + behind)} axes of a tensor with {node.ndim}",
            expected="a letter for each axis, or an ellipsis for those that are not named",
            got=f"{node.type} for {part!r} in {subscripts!r}",
            fix=f"write {'...' + part!r} for axes in front" if extra > 0 else "leave letters out, or add axes",
        )
    return (*before, *(f"...{position}" for position in range(extra, 0, -1)), *behind)


def _result_names(
    output: str | None, inputs: Sequence[str], terms: Sequence[_Term], subscripts: str
) -> tuple[str, ...]:
    extra = max(sum(name.startswith("...") for name in term.names) for term in terms)
    further = tuple(f"...{position}" for position in range(extra, 0, -1))
    counts = Counter(letter for part in inputs for letter in part.replace("...", ""))
    if output is None:
        return (*further, *sorted(letter for letter, count in counts.items() if count == 1))
    before, ellipsis, behind = output.partition("...")
    for letter, count in Counter(before + behind).items():
        if letter not in counts or count > 1:
            why = f"{letter!r} twice" if count > 1 else f"{letter!r}, which no operand has"
            raise ArgumentError(
                f"einsum: the result names {why}",
                expected="letters of the operands, each once",
                got=repr(subscripts),
                fix="write letters of the operands behind the arrow; gc.linalg.diagonal is for a letter twice",
            )
    if further and not ellipsis:
        raise ArgumentError(
            f"einsum: the result lacks the ellipsis, which stands for {extra} axes",
            expected='an ellipsis behind the arrow: "...ij,...jk->...ik"',
            got=repr(subscripts),
            fix="name the axes that are to be summed by letters",
        )
    return (*before, *further, *behind)


def _sizes(terms: Sequence[_Term], subscripts: str) -> dict[str, Dim]:
    """The size of each name: that of axes of size 1 gives way to others. What is undecided is left to a guard."""
    sizes: dict[str, Dim] = {}
    for term in terms:
        own: dict[str, Dim] = {}
        for name, size in zip(term.names, term.tensor.shape, strict=True):
            _require_one_size(name, own.setdefault(name, size), size, term, subscripts)
            if size != 1:
                _require_one_size(name, sizes.get(name, size), size, term, subscripts)
                sizes[name] = sizes.get(name, size)
    for term in terms:
        for name, size in zip(term.names, term.tensor.shape, strict=True):
            if size != 1:
                dims.require_equal(sizes[name], size, f"einsum: the sizes of {name!r} in {subscripts!r} differ")
    return {**{name: 1 for term in terms for name in term.names}, **sizes}


def _require_one_size(name: str, known: Dim, size: Dim, term: _Term, subscripts: str) -> None:
    if known != size and isinstance(known - size, int):
        raise ShapeError(
            f"einsum: {name!r} has the sizes {known} and {size} in {subscripts!r}",
            expected="one size for one letter, or 1 in another operand",
            got=f"{term.tensor.type} for {''.join(term.names)!r}",
            fix="give axes that do not belong together letters of their own",
        )


# --- one operand ------------------------------------------------------------------------------------------------


def _arranged(term: _Term, order: Sequence[str]) -> Tensor:
    """The tensor with its axes in that order."""
    return permute_dims(term.tensor, [term.names.index(name) for name in order])


def _without_repeats(term: _Term) -> _Term:
    """The diagonals of axes that share a name."""
    repeated = next((name for name, count in Counter(term.names).items() if count > 1), None)
    if repeated is None:
        return term
    pair = [at for at, name in enumerate(term.names) if name == repeated][:2]
    others = [at for at in range(len(term.names)) if at not in pair]
    moved = permute_dims(term.tensor, [*others, *pair])
    return _without_repeats(_Term(diagonal(moved), (*(term.names[at] for at in others), repeated)))


def _without_ones(term: _Term, sizes: Sizes) -> _Term:
    """Without axes of size 1 that another operand has in another size: they broadcast."""
    kept = [
        (name, size) for name, size in zip(term.names, term.tensor.shape, strict=True) if size != 1 or sizes[name] == 1
    ]
    return _Term(reshape(term.tensor, tuple(size for _, size in kept)), tuple(name for name, _ in kept))


def _summed(term: _Term, needed: Collection[str]) -> _Term:
    """Without the axes that nobody needs any more."""
    axes = tuple(at for at, name in enumerate(term.names) if name not in needed)
    if not axes:
        return term
    total = reduce_sum(term.tensor, axis=axes, dtype=term.tensor.dtype)
    return _Term(total, tuple(name for name in term.names if name in needed))


# --- products ---------------------------------------------------------------------------------------------------


def _order(terms: Sequence[_Term], result: Sequence[str], sizes: Sizes) -> list[tuple[int, ...]]:
    """Which terms are multiplied in turn; the product of each turn comes last."""
    if len(terms) < 3:
        return [(0, 1)] if len(terms) == 2 else []
    import opt_einsum

    symbols = {name: opt_einsum.get_symbol(number) for number, name in enumerate(sizes)}
    parts = ["".join(symbols[name] for name in names) for names in (*(term.names for term in terms), result)]
    shapes = [tuple(_as_number(sizes[name]) for name in term.names) for term in terms]
    path, _ = opt_einsum.contract_path(",".join(parts[:-1]) + "->" + parts[-1], *shapes, shapes=True)
    return [tuple(picked) for picked in path]


def _as_number(size: Dim) -> int:
    return size if isinstance(size, int) else _STAND_IN


def _contracted(chosen: Sequence[_Term], needed: Collection[str], sizes: Sizes) -> _Term:
    product = chosen[0]
    for at in range(1, len(chosen)):
        later = {*needed, *(name for term in chosen[at + 1 :] for name in term.names)}
        product = _product(product, chosen[at], later, sizes)
    return _summed(product, needed)


def _product(left: _Term, right: _Term, needed: Collection[str], sizes: Sizes) -> _Term:
    """One product of matrices where something is summed and there are rows or columns, else element by element."""
    left, right = _summed(left, {*needed, *right.names}), _summed(right, {*needed, *left.names})
    batch = tuple(name for name in left.names if name in right.names and name in needed)
    inner = tuple(name for name in left.names if name in right.names and name not in needed)
    rows = tuple(name for name in left.names if name not in right.names)
    columns = tuple(name for name in right.names if name not in left.names)
    result = (*batch, *rows, *columns)
    if inner and (rows or columns or not batch):
        product = matmul(_grouped(left, batch, (rows, inner), sizes), _grouped(right, batch, (inner, columns), sizes))
        return _Term(reshape(product, tuple(sizes[name] for name in result)), result)
    shared = (*batch, *inner)
    first = _spread(left, (*shared, *rows), (*shared, *rows, *columns))
    second = _spread(right, (*shared, *columns), (*shared, *rows, *columns))
    return _summed(_Term(multiply(first, second), (*shared, *rows, *columns)), result)


def _grouped(term: _Term, batch: Sequence[str], groups: Sequence[Sequence[str]], sizes: Sizes) -> Tensor:
    """The axes of the batch, and one for each group of others."""
    moved = _arranged(term, [*batch, *(name for group in groups for name in group)])
    merged = (dims.product(sizes[name] for name in group) for group in groups)
    return reshape(moved, (*(sizes[name] for name in batch), *merged))


def _spread(term: _Term, order: Sequence[str], target: Sequence[str]) -> Tensor:
    """The axes in order, with size 1 for those of the target that it lacks."""
    moved = _arranged(term, order)
    shapes = dict(zip(order, moved.shape, strict=True))
    return reshape(moved, tuple(shapes.get(name, 1) for name in target))
