"""Printed CUDA C++: what it computes on the host is what the Kernel interpreter computes; NVRTC compiles all of it."""

import contextlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import host_cuda
import numpy as np
import pytest
from host_device import HostDevice
from host_kernels import Batch, Case, Recorder, failed, interpreted
from kernel_bodies import BODIES, SIZES, arrays, f32, inputs, softmax
from random_graphs import SIZES as SMALL
from random_graphs import make_case
from workloads import WORKLOADS

import graphc as gc
from graphc.compiler import compile_graph
from graphc.conformance.rows import ROWS
from graphc.conformance.table import FLOATS, E, Row, S
from graphc.conformance.tolerances import VALUES, Tolerance, assert_close
from graphc.conformance.values import operands, placeholders
from graphc.errors import GraphcError, Line, Origins
from graphc.ir import dims
from graphc.ir.dtype import COMPLEX, DTYPES
from graphc.ir.graph import Graph
from graphc.ir.opdef import FUNCTIONS, OPS, Kind, Trait
from graphc.ir.tensor import apply
from graphc.lowering import registry
from graphc.lowering.kernel import Compute, Kernel, Reduce
from graphc.lowering.kernel_builder import build_kernel
from graphc.options import CompileOptions
from graphc.session.standalone import compile_function
from graphc_cupy import CupyBackend, nvrtc
from graphc_cupy.cuda_printer import print_kernel
from graphc_cupy.prelude import translation_unit

ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
NO_KERNEL = (
    "check_numerics", "matmul", "placeholder", "print", "add_along_axis", "scatter_add", "scatter_max", "scatter_min",
    "scatter_multiply", "scatter_set", "take_last", "update_at",
)  # fmt: skip
GENERATED = [row for row in ROWS if not row.elsewhere and row.name not in NO_KERNEL]
N, M = dims.symbol("n"), dims.symbol("m")

# --- the op table on the host ---------------------------------------------------------------------------------


def _calls(row: Row) -> Iterator[tuple[str, S | E, list[np.ndarray]]]:
    """Every dtype, every sample in the first, every edge."""
    for number, dtype in enumerate(row.dtypes):
        for sample in row.samples if number == 0 else row.samples[number % max(len(row.samples), 1) :][:1]:
            yield dtype, sample, operands(row, sample, dtype)
    for edge in row.edges:
        for dtype in [edge.dtype] if edge.dtype else [d for d in row.dtypes if d in FLOATS] or [row.dtypes[0]]:
            with np.errstate(over="ignore"):
                yield dtype, edge, [np.asarray(x, row.domain(i).dtype or dtype) for i, x in enumerate(edge.args)]


def _record(row: Row, recorder: Recorder) -> None:
    for dtype, sample, values in _calls(row):
        recorder.label = f"{row.name} {dtype} {sample}"
        try:
            given = placeholders(values, symbolic=True)
            compile_function([row.function(*given, **sample.kwargs)], given, backend=recorder)(*values)
        except GraphcError:
            continue  # refused when it is recorded, or a check has failed, which is a case, too


@pytest.fixture(scope="module")
def table() -> dict[str, list[Case]]:
    """Cases by row."""
    found = {}
    for row in GENERATED:
        recorder = Recorder()
        _record(row, recorder)
        found[row.name] = recorder.cases
    return found


@pytest.fixture(scope="module")
def table_on_host(table: dict[str, list[Case]]) -> Batch:
    batch = Batch()
    for case in (case for cases in table.values() for case in cases):
        batch.add(case.kernel)
    batch.compile(level=0)
    return batch


def require_same(
    batch: Batch, case: Case, tolerance: Tolerance, wide: bool = False, reverse: bool = False
) -> list[bytes]:
    """Runs a case and compares it with the interpreter; the bytes of the outputs."""
    outputs, status = batch.run(case, wide, reverse)
    assert failed(status) == (case.expected is None), f"{case.label}: a check that fails, or none"
    for got, expected in zip(outputs, case.expected or [], strict=False):
        assert_close(got, expected, tolerance, case.label, signs=not tolerance.floor)
    return [output.tobytes() for output in outputs] if case.expected is not None else []


@pytest.mark.requires("cxx")
@pytest.mark.parametrize("row", GENERATED, ids=lambda row: row.name)
def test_ops_on_the_host(row: Row, table: dict[str, list[Case]], table_on_host: Batch) -> None:
    for case in table[row.name]:
        require_same(table_on_host, case, VALUES[row.tolerance])


def test_the_table_reaches_every_op_that_kernels_compute(table: dict[str, list[Case]]) -> None:
    found = {i.op for cases in table.values() for case in cases for i in case.kernel.instructions if hasattr(i, "op")}
    real = {name for name, op in OPS.items() if not op.dtypes <= COMPLEX} - {"complex"}  # CUDA has no others
    wanted = {name for name in real if OPS[name].kind in (Kind.ELEMENTWISE, Kind.REDUCTION)}
    assert wanted - found == {"greater"}, "rules make a less of it; among the bodies it is there"


# --- schedules, layouts and sizes on the host ------------------------------------------------------------------

LOOSE = {
    name: VALUES["softmax"] for name in BODIES if re.match("softmax|layer|losses|doubles|a few long|bias, sym", name)
}
"""Where something is rounded: numbers have so few digits that sums are exact."""


@pytest.fixture(scope="module")
def kernels() -> dict[str, Kernel]:
    return {name: build_kernel(*make(), "k") for name, make in BODIES.items()}


@pytest.fixture(scope="module")
def bodies_on_host(kernels: dict[str, Kernel]) -> Batch:
    batch = Batch()
    for kernel in kernels.values():
        batch.add(kernel)
        batch.add(kernel, wide=True)
    batch.compile()
    return batch


@pytest.mark.requires("cxx")
@pytest.mark.parametrize("name", BODIES)
def test_bodies_on_the_host(name: str, kernels: dict[str, Kernel], bodies_on_host: Batch) -> None:
    """With 32-bit and 64-bit indices, with blocks and threads in either order: the same bits."""
    graph, _ = BODIES[name]()
    for sizes in SIZES[name]:
        case = interpreted(f"{name} {sizes}", kernels[name], arrays(graph, sizes), sizes)
        tolerance = LOOSE.get(name, VALUES["exact"])
        bits = require_same(bodies_on_host, case, tolerance)
        assert require_same(bodies_on_host, case, tolerance, wide=True) == bits
        assert require_same(bodies_on_host, case, tolerance, reverse=True) == bits


@pytest.mark.slow
@pytest.mark.requires("cxx")
def test_no_kernel_reads_beside_its_arrays() -> None:
    """The bodies once more, with a sanitizer that watches every access. It must be there before Python is."""
    command = [str(host_cuda.compiler()), "-print-file-name=libasan.so"]
    library = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    if not Path(library).is_absolute():
        pytest.skip("the compiler has no address sanitizer")
    tests = f"{__file__}::test_bodies_on_the_host"
    again = [sys.executable, "-m", "pytest", "-q", "-x", "-s", "-p", "no:cacheprovider", tests]
    env = {**os.environ, "GRAPHC_HOST_SANITIZER": "1", "LD_PRELOAD": library, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(again, env=env, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def on_host(*cases: Case) -> list[list[np.ndarray]]:
    """Compiles and runs some cases; their outputs."""
    batch = Batch()
    for case in cases:
        batch.add(case.kernel)
    batch.compile()
    return [batch.run(case)[0] for case in cases]


@pytest.mark.requires("cxx")
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_long_sums_are_added_up_in_many_parts(axis: int | None) -> None:
    """The error grows with the length of a lane's part, not with that of the sum."""
    (x,) = inputs(f32(N, M))
    array = np.random.default_rng(3).standard_normal((300, 301)).astype(np.float32)
    kernel = build_kernel(Graph([x], [gc.sum(x, axis=axis)]), "reduction", "k")
    ((got,),) = on_host(Case("sum", kernel, [array], {"n": 300, "m": 301}, None))
    wide = array.astype(np.float64)
    assert (np.abs(got - wide.sum(axis)) <= 128 * np.finfo(np.float32).eps * np.abs(wide).sum(axis)).all()


@pytest.mark.requires("cxx")
@pytest.mark.parametrize("shape", [(), (N,), (N, 3)], ids=str)
def test_a_result_may_lie_where_an_operand_is_still_to_be_read(shape: tuple[dims.Dim, ...]) -> None:
    x, y, z = inputs(f32(*shape), f32(*shape), f32(*shape))
    graph = Graph([x, y, z], [x + x, x * y, x * z, y - z])
    kernel = build_kernel(graph, "elementwise", "k")
    batch = Batch()
    batch.add(kernel)
    batch.compile()
    for n in (1, 4, 5, 300):
        case = interpreted(f"n = {n}", kernel, arrays(graph, {"n": n}), {"n": n})
        got, _ = batch.run(case, over={0: 2, 1: 1, 2: 0})
        for mine, expected in zip(got, case.expected or [], strict=True):
            assert_close(mine, expected, VALUES["exact"], case.label)


CASTS = {
    "int8": [-128, 127, 0, -128, 127, 127, -1, 0],
    "uint8": [0, 255, 0, 0, 255, 200, 0, 0],
    "int32": [-(2**31), 2**31 - 1, 0, -(2**31), 2**31 - 1, 200, -1, 0],
    "uint32": [0, 2**32 - 1, 0, 0, 2**32 - 1, 200, 0, 0],
    "int64": [-(2**63), 2**63 - 1, 0, -(2**63), 2**63 - 1, 200, -1, 0],
    "uint64": [0, 2**64 - 1, 0, 0, 2**64 - 1, 200, 0, 0],
    "bool": [True, True, True, True, True, True, True, False],
}


@pytest.mark.requires("cxx")
@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_that_no_integer_is_become_limits_and_nan_becomes_zero(dtype: str) -> None:
    (x,) = inputs((dtype, (8,)))
    kernel = build_kernel(Graph([x], [x.astype(kind) for kind in CASTS]), "elementwise", "k")
    array = np.array([-np.inf, np.inf, np.nan, -1e30, 1e30, 200.75, -1.5, -0.0], dtype)
    (outputs,) = on_host(Case("casts", kernel, [array], {}, None))
    for got, (kind, expected) in zip(outputs, CASTS.items(), strict=True):
        np.testing.assert_array_equal(got, np.array(expected, kind), err_msg=kind)


@pytest.mark.requires("cxx")
def test_a_failing_check_reports_the_range_of_what_offends() -> None:
    table, at = inputs(f32(5, 8), ("int64", (N,)))
    kernel = build_kernel(Graph([table, at], [gc.take(table, at, axis=0)]), "elementwise", "k")
    batch = Batch()
    batch.add(kernel)
    batch.compile()
    case = Case("take", kernel, [np.ones((5, 8), np.float32), np.array([1, 7, -6, 900, 0])], {"n": 5}, None)
    _, (words,) = batch.run(case)
    assert words.tolist() == [-6, 900]


@pytest.mark.requires("cxx")
def test_the_host_finds_writes_beside_arrays_and_threads_that_never_come(capfd: pytest.CaptureFixture[str]) -> None:
    device = HostDevice()
    source = """extern "C" __global__ void __launch_bounds__(1) gc_beside(
    float* out) { out[4] = 1; }"""
    function = device.load(translation_unit([source]), ["gc_beside"]).function("gc_beside")
    memory = device.alloc(16)
    with pytest.raises(AssertionError, match="beside its arrays"):
        device.prepare_launch(function, 1, 1, 0, [memory.ptr])()


def _record_random(seed: int, recorder: Recorder) -> None:
    case = make_case(seed)
    recorder.label = f"seed {seed}"
    program = compile_graph(case.graph, registry.choose(recorder), CompileOptions()).program
    values = case.arrays(SMALL)
    variables = {variable.name: variable for variable in case.graph.variables}
    state = [values[variables[program.plan.slots[index].name]].copy() for index in program.plan.state]
    call, _ = program.bind(SMALL, state, list)
    with contextlib.suppress(GraphcError):  # what fails is a case, too
        call(*(values[node] for node in case.graph.parameters))


def rounds(kernel: Kernel) -> bool:
    """Whether libraries may differ in what a kernel computes."""
    inexact = any(isinstance(i, Compute) and Trait.INEXACT in OPS[i.op].traits for i in kernel.instructions)
    sums = (i for i in kernel.instructions if isinstance(i, Reduce) and i.op in ("sum", "prod"))
    return inexact or any(i.dtype.kind == "float" for i in sums)


@pytest.mark.requires("cxx")
def test_groups_of_random_graphs_on_the_host() -> None:
    """Composed layouts, gathers, and whatever else nobody thought of; `fuzz` compares what is rounded, too."""
    recorder = Recorder()
    for seed in range(RANDOM_GRAPHS):
        _record_random(seed, recorder)
    cases = [case for case in recorder.cases if not rounds(case.kernel)]
    assert len(cases) > 4 * RANDOM_GRAPHS
    batch = Batch()
    for case in cases:
        batch.add(case.kernel)
    batch.compile(level=0)
    for case in cases:
        require_same(batch, case, VALUES["exact"])


RANDOM_GRAPHS = 30

# --- what is printed ---------------------------------------------------------------------------------------------


def printed(name: str, wide: bool = False) -> str:
    return print_kernel(build_kernel(*BODIES[name](), "k"), wide).source


def test_accesses_are_vectors_where_they_are_aligned() -> None:
    assert "gc_load<4>(gc_in0 + (gc_i0 * 784 + gc_j1))" in printed("bias, static")
    assert "gc_load<4>(gc_in0 + (gc_j0), gc_count == 4, gc_count)" in printed("flat tail")
    assert "gc_load<2>(gc_in0 + (gc_i0 * 10 + gc_j1))" in printed("odd rows")
    symbolic = printed("bias, symbolic")
    assert "const bool gc_aligned0 = gc_n1 % 4 == 0;" in symbolic
    assert "gc_load<4>(gc_in0 + (gc_i0 * gc_size1 + gc_j1), gc_count == 4 && gc_aligned0, gc_count)" in symbolic
    assert "gc_load" not in printed("transposed")
    assert "gc_square0[gc_r * 33 + gc_x] = gc_in0[" in printed("transposed")
    assert re.search(r"\? gc_load<4>\(gc_in0 \+ \(gc_j1 \+ \(int\)gc_v\d+ \* 32\)\)", printed("gathered rows"))


def test_indices_have_32_bits_unless_they_need_64() -> None:
    assert "const int gc_i0 =" in printed("bias, static")
    assert "const long long gc_i0 =" in printed("bias, static", wide=True)
    assert "(long long)gc_i0" not in printed("bias, static")


def test_a_short_row_is_read_once() -> None:
    assert printed("softmax, rows of 784").count("gc_in0 +") == 1
    assert printed("softmax, rows of 9000").count("gc_in0 +") == 3


def test_launches_follow_from_sizes() -> None:
    def launches(body: Graph, fusion: str) -> list[tuple[int, int, int]]:
        result = print_kernel(build_kernel(body, fusion, "k"), False)
        grids = [[dims.evaluate(launch.grid, {"n": n}) for launch in result.launches] for n in (0, 1, 100_000)]
        return list(zip(*grids, strict=True))

    (x,) = inputs(f32(N, 512))
    assert launches(Graph([x], [x * 2.0]), "elementwise") == [(0, 1, 50_000)]
    assert launches(Graph([x], [gc.sum(x, axis=1)]), "reduction") == [(0, 1, 25_000)]
    assert launches(Graph([x], [gc.sum(x, axis=0)]), "reduction") == [(16, 16, 16 * 782), (16, 16, 16)]
    assert launches(Graph([x], [gc.sum(x)]), "reduction") == [(1, 1, 1024), (1, 1, 1)]
    assert len(launches(Graph([x], [softmax(x, axis=(0, 1))]), "row")) == 3


def test_lines_name_the_op_and_the_users_line_and_no_comment_can_end() -> None:
    x, y = inputs(f32(N), f32(N))
    kernel = build_kernel(Graph([x, y], [x + y]), "elementwise", "k")
    (stage,) = kernel.stages
    place = Origins((Line("odd\\name\n.py\\", 7, "f"),), 1)
    body = tuple(i._replace(origins=place) if isinstance(i, Compute) else i for i in stage.body)
    source = print_kernel(kernel._replace(stages=(stage._replace(body=body),)), False).source
    assert re.search(r"const float gc_v\d+ = gc_add\(gc_v\d+, gc_v\d+\);  // add, odd\?name\?\.py\?:7$", source, re.M)
    names = set(re.findall(r"(?<![\w.<])[a-z_]\w*", re.sub('//.*|"C"', "", source)))
    words = {"extern", "const", "float", "int", "unsigned", "void", "if", "return", "for", "pragma", "unroll", "break"}
    words |= {"long", "blockIdx", "threadIdx", "x", "at", "__global__", "__launch_bounds__"}
    assert all(name.startswith("gc_") for name in names - words), names - words


def test_printing_twice_gives_the_same_text() -> None:
    for name in ("layer norm", "softmax over all", "columns, 33 wide", "joined"):
        assert printed(name) == printed(name)


# --- NVRTC ---------------------------------------------------------------------------------------------------------

REGISTERS = {
    "ops": 56,
    "ops with loops in double": 96,
    "bodies": 64,
    "workloads": 96,
    "more reductions than shared memory has room for": 96,
}
"""Of a thread, at most: a multiprocessor has 65,536, and should run a thousand threads or so to hide memory."""


def require_compiled(units: list[tuple[str, list[str]]], cache: Path, most: int, no_stack: bool = True) -> None:
    """Compiles units for all architectures, on several threads, and holds every function to its limits."""
    jobs = [(source, arch, names) for source, names in units for arch in ARCHITECTURES]
    with ThreadPoolExecutor(2) as pool:
        compiled = list(pool.map(lambda job: nvrtc.compile(*job, cache=cache), jobs))
    for (_, arch, names), result in zip(jobs, compiled, strict=True):
        assert result.cubin[:4] == b"\x7fELF"
        assert "warning" not in result.log, result.log
        for name in names:
            usage = result.usage[name]
            assert usage.spill_bytes == 0, (arch, name, usage)
            assert usage.stack_bytes == 0 or not no_stack, (arch, name, usage)
            assert 0 < usage.registers <= most, (arch, name, usage)


TAKEN = [dtype for dtype in DTYPES.values() if dtype in CupyBackend(HostDevice()).info().dtypes]


def single_ops() -> Iterator[Kernel]:
    """A kernel for every op that kernels compute, in every dtype; conversions from one dtype into all in one."""
    kinds = (Kind.ELEMENTWISE, Kind.REDUCTION)
    for op in (op for op in OPS.values() if op.kind in kinds and op.name != "complex"):
        for dtype in TAKEN:
            x, y, z = inputs((dtype.name, (N, 64)), (dtype.name, (N, 64)), ("bool", (N, 64)))
            if op.name == "astype":
                yield build_kernel(Graph([x], [x.astype(to) for to in TAKEN]), "elementwise", "k")
            elif op.kind is Kind.REDUCTION and dtype in op.dtypes:
                axis = 1 if op.name.startswith("arg") else (1,)
                yield build_kernel(Graph([x], [apply(op, (x,), axis=axis, keepdims=False)]), "reduction", "k")
            elif dtype in op.dtypes:
                operands = {1: [x], 2: [x, y], 3: [z, x, y]}[ARITY.get(op.name, 1)]
                yield build_kernel(Graph(operands, [apply(op, operands)]), "elementwise", "k")


ARITY = {name: len(inspect.signature(FUNCTIONS[name]).parameters) for name in OPS if name in FUNCTIONS}


@pytest.mark.requires("nvrtc")
def test_every_op_compiles_in_every_dtype(tmp_path: Path) -> None:
    batches = {most: Batch() for most in (REGISTERS["ops"], REGISTERS["ops with loops in double"])}
    kept = list(single_ops())
    for kernel in kept:
        loops = any(getattr(i, "op", "") in ("gammainc", "gammaincc") for i in kernel.instructions)
        batches[REGISTERS["ops with loops in double" if loops else "ops"]].add(kernel)
    for most, batch in batches.items():
        require_compiled(batch.units(60), tmp_path, most, no_stack=False)  # sin of large numbers


@pytest.mark.requires("nvrtc")
def test_bodies_compile(kernels: dict[str, Kernel], tmp_path: Path) -> None:
    batches = {REGISTERS.get(name, REGISTERS["bodies"]): Batch() for name in kernels}
    for number, (name, kernel) in enumerate(kernels.items()):
        batches[REGISTERS.get(name, REGISTERS["bodies"])].add(kernel, wide=number % 4 == 0)
    for most, batch in batches.items():
        require_compiled(batch.units(30), tmp_path, most)


@pytest.mark.requires("nvrtc")
@pytest.mark.parametrize("name", WORKLOADS)
def test_workloads_compile(name: str, tmp_path: Path) -> None:
    """As the cupy backend fuses them."""
    graph, fetches = WORKLOADS[name]()
    feeds = list(graph.placeholders)
    executable = gc.Session(graph, backend=CupyBackend(HostDevice())).compile(fetches, feeds=feeds)
    source = executable.plan.program.source
    names = re.findall(r"\) (gc_\w+)\(\n", source)
    assert names
    require_compiled([(source, names)], tmp_path, REGISTERS["workloads"])
