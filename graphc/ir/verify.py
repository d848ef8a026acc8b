"""The specification of the IR: a table of sentences that graphs satisfy. Run between passes in tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.errors import NO_ORIGINS, GraphcError, VerifyError
from graphc.ir import dims
from graphc.ir.graph import Graph
from graphc.ir.key import encode_attr
from graphc.ir.opdef import OPS
from graphc.ir.tensor import Tensor, VariableNode, tuple_elements
from graphc.ir.types import TensorType, TupleType, compatible
from graphc.ir.walk import regions


def _op_is_registered(node: Tensor) -> bool:
    return OPS.get(node.op.name) is node.op


def _tuples_are_projected(node: Tensor) -> bool:
    return node.op.name == "project" or all(isinstance(source.type, TensorType) for source in node.inputs)


def _attrs_are_closed(node: Tensor) -> bool:
    for value in node.attrs.values():
        encode_attr(value)
    return True


def _owners_agree(node: Tensor) -> bool:
    return len({id(source.owner) for source in (node, *node.inputs) if source.owner is not None}) <= 1


def _type_is_inferred(node: Tensor) -> bool:
    inferred = node.op.infer(tuple(source.type for source in node.inputs), node.attrs)
    dims.take_guards(NO_ORIGINS)
    mine = tuple_elements(node)
    theirs = inferred.elements if isinstance(inferred, TupleType) else (inferred,)
    return len(mine) == len(theirs) and all(map(compatible, mine, theirs))


def _regions_are_legal(node: Tensor) -> bool:
    for region in regions(node):
        verify(region, f"region of {node.op.name}")
    return True


NODE_SPEC: tuple[tuple[str, Callable[[Tensor], bool]], ...] = (
    ("its op is in the op table", _op_is_registered),
    ("only project reads several results", _tuples_are_projected),
    ("its attributes are of the closed set of types", _attrs_are_closed),
    ("its inputs belong to one graph", _owners_agree),
    ("its type is what its op infers", _type_is_inferred),
    ("its regions are legal graphs", _regions_are_legal),
)


_PARAMETERS = ("placeholder", "parameter", "run_key")


def _parameters_are_placeholders(graph: Graph) -> bool:
    """Keys of runs stand beside them. Those of a region have numbers instead of names."""
    names = {node.op.name for node in graph.parameters}
    if names == {"parameter"}:
        return [node.attrs["index"] for node in graph.parameters] == list(range(len(graph.parameters)))
    return names <= {"placeholder", "run_key"}


def _placeholders_are_parameters(graph: Graph) -> bool:
    known = set(graph.parameters)
    return len(known) == len(graph.parameters) and all(
        node in known for node in graph.nodes if node.op.name in _PARAMETERS
    )


def _results_are_tensors(graph: Graph) -> bool:
    return all(isinstance(node.type, TensorType) for node in graph.outputs)


def _updates_fit(graph: Graph) -> bool:
    pairs: Sequence[tuple[Tensor, Tensor]] = graph.updates
    return all(isinstance(target, VariableNode) and compatible(target.type, value.type) for target, value in pairs)


def _one_update_each(graph: Graph) -> bool:
    return len({variable for variable, _ in graph.updates}) == len(graph.updates)


def _variable_names_are_unique(graph: Graph) -> bool:
    return len({variable.name for variable in graph.variables}) == len(graph.variables)


def _parameter_names_are_unique(graph: Graph) -> bool:
    names = [node.name for node in graph.parameters if node.op.name != "parameter"]
    return len(set(names)) == len(names)


GRAPH_SPEC: tuple[tuple[str, Callable[[Graph], bool]], ...] = (
    ("parameters are placeholders, or those of a region in order", _parameters_are_placeholders),
    ("every placeholder that is read is a parameter, once", _placeholders_are_parameters),
    ("results and new values are tensors", _results_are_tensors),
    ("new values have the types of their variables", _updates_fit),
    ("a variable is updated once", _one_update_each),
    ("variables have names of their own", _variable_names_are_unique),
    ("parameters have names of their own", _parameter_names_are_unique),
)


def verify(graph: Graph, stage: str = "") -> None:
    """Holds a graph to the specification.

    Raises:
        VerifyError: with the sentence that is not true, the node, and the stage.
    """
    for sentence, holds in GRAPH_SPEC:
        if not holds(graph):
            raise VerifyError(f"{stage}: not true of the graph: {sentence}", got=repr(graph))
    for node in graph.nodes:
        for sentence, true in NODE_SPEC:
            try:
                fine = true(node)
            except Exception as error:  # an op may trip over anything when its attributes are wrong
                dims.take_guards(NO_ORIGINS)
                why = error.message if isinstance(error, GraphcError) else repr(error)
                raise VerifyError(
                    f"{stage}: not true: {sentence}: {why}", got=repr(node), origins=node.origins
                ) from error
            if not fine:
                raise VerifyError(f"{stage}: not true: {sentence}", got=repr(node), origins=node.origins)
