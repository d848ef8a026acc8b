# A group that computes a result beside a new state ran after the commit, which copies that state.

import numpy as np
from small_groups import SmallGroups

import graphc as gc

with gc.Graph("random539") as graph:
    v15 = gc.Variable(np.array([0.0], np.float64), name="v15")
    v14 = gc.Variable(np.array([0.0], np.float64), name="v14")
    t2 = gc.nn.sigmoid(v15)
    t3 = gc.nn.log_softmax(v14, axis=0)
    t4 = gc.nn.sigmoid(t3)

feeds = []
session = gc.Session(graph, backend=SmallGroups())
step = session.compile([t2, t4, gc.assign(v14, t3), gc.assign(v15, t2)], feeds=[])


def is_wrong(computed, expected):
    """Whether a dtype, a shape, or a number is another one, by more than 2.2204460492503143e-15."""
    return any(
        c.dtype != e.dtype or c.shape != e.shape or not np.allclose(c, e, 0, 2.2204460492503143e-15, equal_nan=True)
        for c, e in zip(computed, expected, strict=True)
    )


culprit = gc.bisect(step, *feeds, is_wrong=is_wrong)  # on copies: the state stays as it is
computed = step(*feeds)
computed = [*computed[:2], session.value(v14), session.value(v15)]
expected = [
    np.array([0.5], np.float64),
    np.array([0.5], np.float64),
    np.array([0.0], np.float64),
    np.array([0.5], np.float64),
]
print("computed", *computed, sep="\n")
print("expected", *expected, sep="\n")
print(culprit)
if is_wrong(computed, expected):
    raise SystemExit("the answer is wrong")
