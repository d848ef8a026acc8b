"""Names that nothing carries, names that are none, and the wrong graph."""

import graphc as gc
from graphc.errors import ArgumentError, FetchError, GraphMismatchError, UnknownNameError
from graphc.ir.opdef import lookup

from .model import Model, X, Y, mistake


@mistake(UnknownNameError, AttributeError)
def unknown_function(m: Model) -> object:
    return gc.summ(m.x)  # <- here


@mistake(UnknownNameError, AttributeError)
def function_of_another_module(m: Model) -> object:
    return gc.relu(m.x)  # <- here


@mistake(UnknownNameError, AttributeError)
def layer_that_is_not_there(m: Model) -> object:
    return gc.nn.Linear(3, 2)  # <- here


@mistake(UnknownNameError, AttributeError)
def loss_by_another_name(m: Model) -> object:
    return gc.losses.cross_entropy(m.logits, m.y)  # <- here


@mistake(UnknownNameError, AttributeError)
def method_that_is_a_function(m: Model) -> object:
    return m.x.mean()  # <- here


@mistake(UnknownNameError, AttributeError)
def value_as_a_method(m: Model) -> object:
    return m.loss.numpy()  # <- here


@mistake(UnknownNameError, LookupError)
def unknown_backend(m: Model) -> object:
    return gc.Session(m.graph, backend="nunpy")  # <- here


@mistake(UnknownNameError, LookupError)
def unknown_op(m: Model) -> object:
    return lookup("matmull")  # <- here


@mistake(UnknownNameError, LookupError)
def unknown_tensor(m: Model) -> object:
    return m.graph["ww"]  # <- here


@mistake(UnknownNameError, LookupError)
def unknown_fetch(m: Model) -> None:
    m.session.run("lose", feeds={m.x: X, m.y: Y})  # <- here


@mistake(UnknownNameError, LookupError)
def unknown_variable(m: Model) -> None:
    m.session.value("bias")  # <- here


@mistake(UnknownNameError, LookupError)
def unknown_dtype(m: Model) -> object:
    return m.x.astype("float23")  # <- here


@mistake(UnknownNameError, LookupError)
def unknown_reduction(m: Model) -> object:
    return gc.losses.mse(m.logits, 0.0 * m.logits, reduction="avg")  # <- here


@mistake(UnknownNameError, LookupError)
def unknown_exactness(m: Model) -> object:
    return gc.CompileOptions(exactness="fastest")  # <- here


@mistake(UnknownNameError, TypeError)
def unknown_option(m: Model) -> object:
    return gc.CompileOptions(exactnes="fast")  # <- here


@mistake(ArgumentError, ValueError)
def name_that_is_none(m: Model) -> None:
    with m.graph:
        gc.placeholder("my input")  # <- here


@mistake(ArgumentError, ValueError)
def scope_that_is_none(m: Model) -> None:
    with m.graph, gc.name_scope("layer 1"):  # <- here
        pass


@mistake(ArgumentError, ValueError)
def size_named_by_a_keyword(m: Model) -> None:
    with m.graph:
        gc.placeholder("z", shape=("in", 3))  # <- here


@mistake(ArgumentError, ValueError)
def size_beyond_ascii(m: Model) -> None:
    with m.graph:
        gc.placeholder("z", shape=("größe", 3))  # <- here


@mistake(ArgumentError, ValueError)
def size_that_is_a_formula(m: Model) -> None:
    with m.graph:
        gc.placeholder("z", shape=("2*batch", 3))  # <- here


@mistake(ArgumentError, ValueError)
def size_that_is_negative(m: Model) -> None:
    with m.graph:
        gc.placeholder("z", shape=(-1, 3))  # <- here


@mistake(GraphMismatchError, ValueError)
def placeholder_outside_a_graph(m: Model) -> object:
    return gc.placeholder("z", shape=(3,))  # <- here


@mistake(GraphMismatchError, ValueError)
def variable_outside_a_graph(m: Model) -> object:
    return gc.Variable(0.0, name="v")  # <- here


@mistake(GraphMismatchError, ValueError)
def two_graphs_in_one_op(m: Model) -> object:
    with gc.Graph("other"):
        z = gc.placeholder("z", shape=("batch", 3))
    return m.x + z  # <- here


@mistake(FetchError, ValueError)
def fetch_from_another_graph(m: Model) -> None:
    with gc.Graph("other"):
        z = gc.placeholder("z", shape=("batch", 3))
    m.session.run(gc.sum(z), feeds={m.x: X})  # <- here


@mistake(FetchError, ValueError)
def fetch_of_a_number(m: Model) -> None:
    m.session.run([m.loss, 1.0], feeds={m.x: X, m.y: Y})  # <- here


@mistake(ArgumentError, ValueError)
def shape_that_is_none(m: Model) -> None:
    with m.graph:
        gc.placeholder("z", shape=None)  # <- here


@mistake(ArgumentError, ValueError)
def name_that_is_a_number(m: Model) -> None:
    with m.graph:
        gc.placeholder(1, shape=(3,))  # <- here


@mistake(ArgumentError, ValueError)
def option_of_another_type(m: Model) -> object:
    return gc.CompileOptions(memory_limit="1 GB")  # <- here


@mistake(ArgumentError, ValueError)
def options_in_a_dict(m: Model) -> object:
    return gc.Session(m.graph, options={"exactness": "fast"})  # <- here


@mistake(UnknownNameError, LookupError)
def float_by_its_short_name(m: Model) -> object:
    return m.x.astype("float")  # <- here


@mistake(UnknownNameError, LookupError)
def int_by_its_short_name(m: Model) -> object:
    return m.x.astype("int")  # <- here


@mistake(UnknownNameError, LookupError)
def float8_of_no_kind(m: Model) -> object:
    return m.x.astype("float8")  # <- here


@mistake(UnknownNameError, AttributeError)
def function_of_numpy(m: Model) -> object:
    return gc.transpose(m.w)  # <- here


@mistake(UnknownNameError, AttributeError)
def function_that_is_not_there(m: Model) -> object:
    return gc.nanmean(m.b)  # <- here


@mistake(UnknownNameError, AttributeError)
def function_by_numpys_name(m: Model) -> object:
    return gc.concatenate([m.w, m.w])  # <- here


@mistake(UnknownNameError, AttributeError)
def function_of_torch(m: Model) -> object:
    return gc.unsqueeze(m.b, -1)  # <- here


@mistake(UnknownNameError, AttributeError)
def reduction_of_tensorflow(m: Model) -> object:
    return gc.reduce_sum(m.w)  # <- here


@mistake(UnknownNameError, AttributeError)
def function_without_a_near_one(m: Model) -> object:
    return gc.zzz(m.b)  # <- here


@mistake(ArgumentError, ValueError)
def placeholder_without_a_name(m: Model) -> None:
    with m.graph:
        gc.placeholder((3,))  # type: ignore[arg-type]  # <- here
