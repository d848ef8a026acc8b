"""`CudaDevice` on a stand-in for CuPy: the order of arguments, blocks of parameters, streams, precision."""

from collections.abc import Iterator
from typing import Any

import fake_cupy
import numpy as np
import pytest
from test_cupy_backend import digits_model, normal

import graphc as gc
from graphc_cupy import CupyBackend
from graphc_cupy.device import CudaDevice, Matrix

pytestmark = pytest.mark.requires("cxx")


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    """What a test records without a graph of its own."""
    with gc.Graph():
        yield


@pytest.mark.parametrize("launch_kernel", [True, False], ids=["launchKernel", "documented names alone"])
def test_a_network_learns(monkeypatch: pytest.MonkeyPatch, launch_kernel: bool) -> None:
    calls = fake_cupy.install(monkeypatch, launch_kernel)
    session, step = digits_model(CupyBackend(CudaDevice()))
    reference, expected_step = digits_model("numpy")
    with session, reference:
        for number in range(5):
            labels = np.random.default_rng(number).integers(0, 10, 20)
            (loss, _, _), (wanted, _, _) = (call(normal(20, 64, seed=number), labels) for call in (step, expected_step))
            np.testing.assert_allclose(loss, wanted, rtol=1e-5)
        np.testing.assert_allclose(session.value("w1"), reference.value("w1"), rtol=1e-4, atol=1e-5)
    assert bool(calls.count.get("launch")) == launch_kernel
    assert set(calls.compute_types) == {1}
    assert not fake_cupy.Stream.current


def test_a_steady_call_makes_two_copies_over_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feeds in one, the results in another; and nothing is allocated."""
    calls = fake_cupy.install(monkeypatch)
    x, y = gc.placeholder("x", (4, 3)), gc.placeholder("y", (3, 2))
    call = gc.compile([x @ y, gc.exp(x), gc.sum(y)], [x, y], backend=CupyBackend(CudaDevice()))
    call(normal(4, 3), normal(3, 2))
    before = dict(calls.count)
    monkeypatch.setattr(fake_cupy, "Memory", None)
    found, _, _ = call(normal(4, 3), normal(3, 2))
    np.testing.assert_allclose(found, normal(4, 3) @ normal(3, 2), rtol=1e-6)
    assert {kind: calls.count[kind] - before[kind] for kind in ("copy 1", "copy 2")} == {"copy 1": 1, "copy 2": 1}


@pytest.mark.parametrize(("precision", "wanted"), [("highest", 1), ("high", 7), ("default", 7)])
def test_precision_is_set_for_a_product_and_put_back(
    monkeypatch: pytest.MonkeyPatch, precision: str, wanted: int
) -> None:
    """Whatever CuPy was told by others: 7 is TF32."""
    calls = fake_cupy.install(monkeypatch)
    x = gc.placeholder("x", (2, 2))
    call = gc.compile(x @ x, [x], backend=CupyBackend(CudaDevice()), options=gc.CompileOptions(precision=precision))
    for before in (1, 7):
        calls.compute_type = before
        call(normal(2, 2))
        assert calls.compute_types.pop() == wanted
        assert calls.compute_type == before


def test_products_of_doubles_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_cupy.install(monkeypatch)
    device = CudaDevice()
    memory = device.alloc(3 * 32)
    unowned = fake_cupy.UnownedMemory(memory.ptr, 96, None, 0)
    target = fake_cupy.ndarray((3, 2, 2), np.dtype("float64"), fake_cupy.MemoryPointer(unowned, 0))
    target[:2] = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    places = [Matrix(memory.ptr + 32 * at, (2, 2), at == 1) for at in range(3)]
    device.prepare_matmul(places[0], places[1], places[2], np.dtype("float64"), "default")()
    np.testing.assert_array_equal(target[2], [[17, 23], [39, 53]])
    assert calls.compute_types == [1]


def test_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cupy.install(monkeypatch)
    device = CudaDevice()
    assert (device.name, device.architecture) == ("NVIDIA H-for-host", "sm_90")
    pinned = device.alloc_staging(5)
    assert pinned.dtype == np.uint8
    assert pinned.size == 5
    assert device.alloc_staging(0).size == 0


def test_a_module_lives_as_long_as_a_program_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cupy.install(monkeypatch)
    device: Any = CudaDevice()
    backend = CupyBackend(device)
    x = gc.placeholder("x", (3,))
    first, second = (gc.compile(gc.exp(x) * 2.0, [x], backend=backend) for _ in range(2))
    np.testing.assert_array_equal(first(normal(3)), second(normal(3)))
    assert len(device._modules) == 1
    del first, second
    assert not device._modules
