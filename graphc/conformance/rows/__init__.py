"""One row per public function and per op: what it takes, what it gives, where it bends.

Oracles are NumPy or plain loops. As the reference interpreter is NumPy, too, the edges carry answers written by hand.
"""

from graphc.conformance.rows import (
    activation,
    arithmetic,
    comparison,
    contraction,
    exponential,
    indexing,
    layout,
    reductions,
    sources,
    special,
    structure,
)
from graphc.conformance.table import Row

ROWS: tuple[Row, ...] = (
    *arithmetic.ROWS,
    *comparison.ROWS,
    *exponential.ROWS,
    *special.ROWS,
    *activation.ROWS,
    *reductions.ROWS,
    *contraction.ROWS,
    *layout.ROWS,
    *indexing.ROWS,
    *structure.ROWS,
    *sources.ROWS,
)
TABLE = {row.name: row for row in ROWS}
