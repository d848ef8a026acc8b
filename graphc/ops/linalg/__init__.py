"""Linear algebra: products, norms, systems, factors."""

from graphc.ops.linalg.einsum import einsum
from graphc.ops.linalg.factors import QRResult, cholesky, qr
from graphc.ops.linalg.norms import matrix_norm, vector_norm
from graphc.ops.linalg.parts import diagonal, trace
from graphc.ops.linalg.products import cross, kron, matrix_power, outer, tensordot, vecdot
from graphc.ops.linalg.rank import matrix_rank, pinv
from graphc.ops.linalg.solving import SlogdetResult, det, inv, slogdet, solve, solve_triangular
from graphc.ops.linalg.spectra import EighResult, SVDResult, eigh, eigvalsh, svd, svdvals

__all__ = [
    "EighResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "einsum",
    "inv",
    "kron",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
