"""What a test may require of the machine, and what a run must not skip.

`@pytest.mark.requires("jax")` skips a test, with the reason, where that is not available.
`GRAPHC_REQUIRE=jax,nvrtc` names what this run must have: a test that requires one of those and is skipped,
for whatever reason, fails. The markers `gpu` and `tpu_aot` require `gpu` and `libtpu`.
"""

import ctypes
import ctypes.util
import functools
import importlib.util
import os
import shutil
import warnings
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import seeds


def _module(name: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a library's own deprecations are not this suite's business
            importlib.import_module(name)
    except ImportError as error:
        return f"{name} cannot be imported: {error}"
    return None


def _nvrtc() -> str | None:
    spec = importlib.util.find_spec("nvidia")  # the namespace package that CUDA wheels install into
    folders = (spec.submodule_search_locations if spec else None) or []
    if any(next(Path(folder).glob("*/lib/libnvrtc.so.*"), None) for folder in folders):
        return None
    if ctypes.util.find_library("nvrtc"):
        return None
    return "the library nvrtc is neither among the installed wheels nor on the system"


def _cxx() -> str | None:
    if any(map(shutil.which, ("c++", "g++", "clang++"))):
        return None
    return "no C++ compiler (c++, g++, clang++) is on the path"


def _gpu() -> str | None:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return f"no CUDA driver: {error}"
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return "the CUDA driver finds no GPU"
    return None


_MODULES = (
    "array_api_strict",
    "cupy",
    "jax",
    "libtpu",
    "llvmlite",
    "matplotlib",
    "mpmath",
    "numpy",
    "onnxruntime",
    "scipy",
    "torch",
)
# What can be required -> why it is not available here, or None.
PROBES: dict[str, Callable[[], str | None]] = {
    **{name: functools.partial(_module, name) for name in _MODULES},
    "cxx": _cxx,
    "gpu": _gpu,
    "nvrtc": _nvrtc,
}


@functools.cache
def why_missing(name: str) -> str | None:
    return PROBES[name]()


def must_not_skip() -> frozenset[str]:
    return frozenset(filter(None, (name.strip() for name in os.environ.get("GRAPHC_REQUIRE", "").split(","))))


def _check_known(names: frozenset[str], where: str) -> None:
    # A misspelt name would never match, and so would switch the check off.
    if unknown := sorted(names - PROBES.keys()):
        raise pytest.UsageError(f"{where} names {', '.join(unknown)}; known: {', '.join(sorted(PROBES))}")


def _required_by(item: pytest.Item) -> frozenset[str]:
    names = {name for mark in item.iter_markers("requires") for name in mark.args}
    names |= {name for mark, name in (("gpu", "gpu"), ("tpu_aot", "libtpu")) if item.get_closest_marker(mark)}
    return frozenset(names)


def pytest_report_header() -> str:
    return f"random graphs: GRAPHC_SEED={seeds.FIRST}"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requires(*names): skip where one of these is not available")
    _check_known(must_not_skip(), "GRAPHC_REQUIRE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        _check_known(_required_by(item), item.nodeid)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in sorted(_required_by(item)):
        if reason := why_missing(name):
            pytest.skip(reason)


def _reason(report: pytest.TestReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    forbidden = _required_by(item) & must_not_skip()
    if report.skipped and forbidden and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        names = ", ".join(sorted(forbidden))
        report.longrepr = f"GRAPHC_REQUIRE forbids to skip {names}: {_reason(report)}"
    return report
