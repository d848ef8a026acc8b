"""ONNX Runtime: inference only. Inputs and results are bound, all optimisations are on."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.runner import Prepared, needs
from benchmarks.workload import Arrays, Problem, Workload

NAME = "ONNX Runtime"
LIBRARY = "onnx"
OPSET = 20  # the first with Gelu
available = needs("onnxruntime", "onnx")


def load() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)


class Builder:
    """Nodes of an ONNX graph: `b.Add(x, 1.0)` records one of type Add; a value is a name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __getattr__(self, op: str) -> Any:
        from onnx import helper

        def record(*operands: Any, **attributes: Any) -> str:
            result = f"v{len(self.nodes)}"
            self.nodes.append(helper.make_node(op, [self._name(o) for o in operands], [result], **attributes))
            return result

        return record

    def _name(self, operand: Any) -> str:
        from onnx import numpy_helper

        if isinstance(operand, str):
            return operand
        array = np.float32(operand) if isinstance(operand, float) else np.asarray(operand)
        self.constants.append(numpy_helper.from_array(np.asarray(array), f"c{len(self.constants)}"))
        return str(self.constants[-1].name)

    def model(self, arrays: Arrays, results: list[str]) -> bytes:
        """The graph of all that was recorded, with inputs x0, x1, … like these arrays."""
        from onnx import helper

        inputs = [
            helper.make_tensor_value_info(f"x{at}", helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for at, a in enumerate(arrays)
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in results]
        graph = helper.make_graph(self.nodes, "workload", inputs, outputs, self.constants)
        opset = [helper.make_opsetid("", OPSET)]
        return bytes(helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString())


def prepare(workload: Workload, problem: Problem, threads: int) -> Prepared:
    import onnxruntime

    builder, first = Builder(), problem.inputs[0]
    names = [f"x{at}" for at in range(len(first))]
    found = workload.functions[LIBRARY](builder, *([problem.state] if problem.state else []), *names)
    results = list(found) if isinstance(found, tuple | list) else [found]
    session = onnxruntime.InferenceSession(
        builder.model(first, results), _options(threads), providers=["CPUExecutionProvider"]
    )
    bindings = [(_binding(session, names, arrays, results),) for arrays in problem.inputs]
    run = session.run_with_iobinding

    def call(binding: Any) -> Any:
        run(binding)
        return binding

    return Prepared(call, bindings, lambda binding: tuple(binding.copy_outputs_to_cpu()))


def _options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return options


def _binding(session: Any, names: list[str], arrays: Arrays, results: list[str]) -> Any:
    """Arguments that are in place; results that the arena of ONNX Runtime makes room for at every call."""
    import onnxruntime

    binding = session.io_binding()
    for name, array in zip(names, arrays, strict=True):
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    for name in results:
        binding.bind_output(name)
    return binding
