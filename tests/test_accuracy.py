"""How accurate functions are: NumPy's own tables of right results, and mpmath. docs/accuracy.md shows the figures."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import ulps

import graphc as gc
from graphc.conformance.rows import TABLE
from graphc.conformance.table import FLOATS
from graphc.conformance.tolerances import VALUES, XLA

PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
BACKENDS = ("numpy", pytest.param("jax", marks=pytest.mark.requires("jax")))
NAMES = {"arc" + name: "a" + name for name in ("cos", "cosh", "sin", "sinh", "tan", "tanh")}
SAMPLE, ALL = 40, 5000
"""Operands of each range in the fast test, and in the slow one."""


def allowed(name: str, backend: str) -> float:
    """4 units on numpy; elsewhere what the table of tolerances has in eps, of which a unit is at least a half."""
    tolerance = XLA.get(name) if backend == "jax" else None
    return 2 * (tolerance or VALUES[TABLE[name].tolerance]).ulps if backend == "jax" else 4.0


@pytest.mark.requires("mpmath")
@pytest.mark.parametrize("name", ulps.FUNCTIONS)
def test_a_sample(name: str) -> None:
    for dtype in FLOATS:
        assert ulps.measure(name, dtype, "numpy", SAMPLE) <= allowed(name, "numpy"), dtype


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ulps.TABLES)
def test_numpys_tables(name: str, dtype: str) -> None:
    """The last digits of 26,610 results, most of them at awkward operands."""
    operands, wanted = ulps.table(name, dtype)
    got = ulps.computed(NAMES.get(name, name), [operands], "numpy")
    found = ulps.distance(got, wanted)
    worst = int(found.argmax())
    assert found.max() <= 4, f"{name}({operands[worst]!r}): {got[worst]!r}, {wanted[worst]!r}"


@pytest.mark.slow
@pytest.mark.requires("mpmath")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ulps.FUNCTIONS)
def test_the_page_shows_what_is_measured(name: str, backend: str) -> None:
    """Run with `-s`, it prints the rows of the page."""
    found = [ulps.measure(name, dtype, backend, ALL) for dtype in FLOATS]
    sys.stdout.write(f"\n{backend} | `{name}` | {found[0]:.1f} | {found[1]:.1f} |\n")
    assert max(found) <= allowed(name, backend)
    shown = page()[name][backend]
    assert np.all(np.array(found) <= np.array(shown) + 0.3), f"measured {found}, the page says {shown}"


def page() -> dict[str, dict[str, list[float]]]:
    """Function → backend → the figures for float32 and float64."""
    row = r"(?m)^\| `(\w+)` \|" + r" ([\d.]+) \|" * 4
    rows = re.findall(row, PAGE.read_text(encoding="utf-8"))
    return {name: {"numpy": [float(a), float(b)], "jax": [float(c), float(d)]} for name, a, b, c, d in rows}


def test_the_page_has_a_row_for_every_function() -> None:
    assert page().keys() == ulps.FUNCTIONS.keys()
    for name, figures in page().items():
        for backend, shown in figures.items():
            assert max(shown) <= allowed(name, backend), (name, backend)


# --- SciPy as a second oracle, also left of 0, where errors are those of a difference ----------------------------

SCIPY = {
    "erfc": "erfc", "erfinv": "erfinv", "lgamma": "gammaln", "digamma": "psi", "i0e": "i0e", "i1e": "i1e",
}  # fmt: skip
AWKWARD = [0.0, -0.0, 1.0, 2.0, -1.0, -2.0, -1e-300, 1e-300, -0.5, -2.457, -100.25, 1e17, 1e300]
AWKWARD += [np.inf, -np.inf, np.nan]


@pytest.mark.requires("scipy")
@pytest.mark.parametrize("name", SCIPY)
def test_scipy_agrees(name: str) -> None:
    from scipy import special

    x = np.concatenate([AWKWARD, np.linspace(-12.3, 12.4, 501), np.linspace(-0.999, 0.999, 101)])
    x = x[x != -np.inf] if name == "lgamma" else x  # there SciPy has -inf, C and we have inf
    with np.errstate(all="ignore"):
        wanted = getattr(special, SCIPY[name])(x)
    got = ulps.computed(name, [x], "numpy")
    np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-13 if name in ("lgamma", "digamma") else 0)


@pytest.mark.requires("scipy")
@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_scipy_agrees_about_polygamma(n: int) -> None:
    from scipy import special

    x = np.concatenate([[1e-3, np.inf, 1e10], np.linspace(0.05, 40.0, 301)])
    with gc.Graph():
        node = gc.placeholder("x", x.shape, gc.float64)
    got = gc.compile(gc.polygamma(n, node), [node], backend="numpy")(x)
    np.testing.assert_allclose(got, special.polygamma(n, x), rtol=1e-13)


@pytest.mark.requires("mpmath")
@pytest.mark.parametrize("n", [1, 2, 5])
def test_polygamma_of_negative_numbers(n: int) -> None:
    """mpmath.psi has those; SciPy has not."""
    import mpmath

    x = np.array([-0.25, -0.5, -0.75, -1.5, -3.3, -20.125, 0.5, 3.0])
    with gc.Graph():
        node = gc.placeholder("x", x.shape, gc.float64)
    got = gc.compile(gc.polygamma(n, node), [node], backend="numpy")(x)
    np.testing.assert_allclose(got, [float(mpmath.psi(n, float(v))) for v in x], rtol=1e-12)
