"""Updates of variables: effects as data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc.errors import DTypeError, GraphMismatchError, Origins, ShapeError, UpdateError, user_origins
from graphc.ir.tensor import Tensor, VariableNode, common_owner
from graphc.ir.types import compatible
from graphc.ops.arithmetic import add, subtract
from graphc.ops.define import TensorLike, as_tensor, convert
from graphc.ops.layout import broadcast_to


class Update:
    """New values for some variables, committed together at the end of a run that fetches it. Its own value is `None`.

    Attributes:
        assignments: pairs (variable, new value).
    """

    __slots__ = ("assignments", "origins")

    def __init__(self, assignments: Iterable[tuple[VariableNode, Tensor]]) -> None:
        self.assignments = tuple(assignments)
        self.origins: Origins = user_origins()
        reject_double(self.assignments)

    def __repr__(self) -> str:
        names = ", ".join(variable.name for variable, _ in self.assignments)
        return f"<graphc.Update of {names} from {self.origins}>"


def reject_double(assignments: Sequence[tuple[VariableNode, Tensor]]) -> None:
    """Holds a set of assignments to one per variable.

    Raises:
        UpdateError: a variable gets two different values.
    """
    seen: dict[VariableNode, Tensor] = {}
    for variable, value in assignments:
        known = seen.setdefault(variable, value)
        if known is not value:
            raise UpdateError(
                f"the variable {variable.name!r} is updated twice in one run",
                expected="one new value per variable and run",
                got=f"{known.op.name} ({known.origins}) and {value.op.name} ({value.origins})",
                fix="fetch the updates in two runs, or combine both values into one gc.assign",
            )


def assign(variable: VariableNode, value: TensorLike) -> Update:
    """variable ← value.

    Raises:
        ShapeError, DTypeError: the value has another type than the variable.
    """
    if not isinstance(variable, VariableNode):
        raise UpdateError(
            "only a variable can be assigned to",
            expected="a gc.Variable",
            got=repr(variable),
            fix="make it a gc.Variable if it is to keep a value between runs; other tensors are computed in each run",
        )
    return Update([(variable, fitting(variable, value))])


def assign_add(variable: VariableNode, value: TensorLike) -> Update:
    """variable ← variable + value."""
    return assign(variable, add(variable, value))


def assign_sub(variable: VariableNode, value: TensorLike) -> Update:
    """variable ← variable - value."""
    return assign(variable, subtract(variable, value))


def group(*updates: Update) -> Update:
    """All the updates as one.

    Raises:
        UpdateError: a variable is updated twice.
    """
    for update in updates:
        if not isinstance(update, Update):
            raise UpdateError(
                "only updates can be grouped",
                expected="what gc.assign and optimizer.minimize give",
                got=repr(update),
                fix="gc.group(*updates) takes them one by one; tensors are fetched beside it: [loss, group]",
            )
    pairs = dict.fromkeys(pair for update in updates for pair in update.assignments)
    return Update(pairs)


def fitting(variable: VariableNode, value: TensorLike) -> Tensor:
    """The value as a tensor of exactly the variable's type."""
    node = value if isinstance(value, Tensor) else as_tensor(value)
    if not isinstance(value, Tensor) and node.ndim == 0:
        node = convert(node, variable.dtype)
    if node.dtype is not variable.dtype:
        raise DTypeError(
            f"the variable {variable.name!r} cannot take this value",
            expected=str(variable.type),
            got=str(node.type),
            fix=f"convert it with .astype(gc.{variable.dtype})",
        )
    if not compatible(node.type, variable.type):
        raise ShapeError(
            f"the variable {variable.name!r} cannot take this value",
            expected=str(variable.type),
            got=str(node.type),
            fix="bring the value to that shape with gc.reshape, gc.broadcast_to or a reduction",
        )
    owner = common_owner("assign", [variable, node])
    if owner is None:
        raise GraphMismatchError("a variable without a graph cannot be assigned to")
    # A symbolic size is held to the variable's by the guard that this leaves on the node.
    return broadcast_to(node, variable.shape)
