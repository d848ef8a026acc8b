"""Reading and writing parts of a tensor, as other files know it."""

from graphc.ops.along import take_along_axis
from graphc.ops.gather import one_hot, out_of_range, require_range, scatter_add, take
from graphc.ops.slicing import SLICE, SLICE_UPDATE, numpy_slices, slice_update
from graphc.ops.subscript import getitem
from graphc.ops.update import update_at

__all__ = [
    "SLICE",
    "SLICE_UPDATE",
    "getitem",
    "numpy_slices",
    "one_hot",
    "out_of_range",
    "require_range",
    "scatter_add",
    "slice_update",
    "take",
    "take_along_axis",
    "update_at",
]
