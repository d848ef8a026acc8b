# A group kept uint8 numbers in the memory of a result, which is an array of bools.

import numpy as np
from small_groups import SmallGroups

import graphc as gc

with gc.Graph("random1105") as graph:
    x5 = gc.placeholder("x5", (), gc.uint8)
    t1 = gc.bitwise_invert(x5)
    t2 = gc.less_equal(t1, x5)

feeds = [np.array(0, np.uint8)]
session = gc.Session(graph, backend=SmallGroups())
step = session.compile([t2], feeds=[x5])


def is_wrong(computed, expected):
    """Whether a dtype, a shape, or a number is another one, by more than 0.0."""
    return any(
        c.dtype != e.dtype or c.shape != e.shape or not np.allclose(c, e, 0, 0.0, equal_nan=True)
        for c, e in zip(computed, expected, strict=True)
    )


culprit = gc.bisect(step, *feeds, is_wrong=is_wrong)  # on copies: the state stays as it is
computed = step(*feeds)
expected = [np.array(False, bool)]
print("computed", *computed, sep="\n")
print("expected", *expected, sep="\n")
print(culprit)
if is_wrong(computed, expected):
    raise SystemExit("the answer is wrong")
