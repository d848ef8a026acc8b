"""One row per public function and per op: what it takes, what it gives, where it bends.

Oracles are NumPy or plain loops. As the reference interpreter is NumPy, too, the edges carry answers written by hand.
"""

from graphc.conformance.rows import (
    activation,
    arithmetic,
    comparison,
    complex,
    contraction,
    convolution,
    creation,
    cumulative,
    exponential,
    fft,
    floats,
    indexing,
    layout,
    linalg,
    manipulation,
    pooling,
    powers,
    random,
    reductions,
    resize,
    searching,
    segments,
    sorting,
    sources,
    special,
    structure,
    trigonometry,
    units,
)
from graphc.conformance.table import Row

_MODULES = (
    arithmetic,
    comparison,
    complex,
    exponential,
    fft,
    pooling,
    powers,
    trigonometry,
    floats,
    special,
    activation,
    units,
    reductions,
    contraction,
    convolution,
    layout,
    linalg,
    manipulation,
    creation,
    indexing,
    sorting,
    resize,
    searching,
    cumulative,
    segments,
    random,
    structure,
    sources,
)
FAMILIES: dict[str, tuple[Row, ...]] = {module.__name__.rpartition(".")[2]: module.ROWS for module in _MODULES}
ROWS = tuple(row for rows in FAMILIES.values() for row in rows)
TABLE = {row.name: row for row in ROWS}
