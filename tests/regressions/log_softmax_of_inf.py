# log(softmax(x)) was NaN where x has an inf, and log_softmax(x), which takes its place, -inf beside it.

import numpy as np

import graphc as gc

with gc.Graph("rows") as graph:
    x = gc.placeholder("x", (2,), gc.float64)
    t1 = gc.nn.softmax(x, axis=0)
    t2 = gc.log(t1)

feeds = [np.array([np.inf, 0.0], np.float64)]
session = gc.Session(graph)
step = session.compile([t2], feeds=[x])


def is_wrong(computed, expected):
    """Whether a dtype, a shape, or a number is another one, by more than 0.0."""
    return any(
        c.dtype != e.dtype or c.shape != e.shape or not np.allclose(c, e, 0, 0.0, equal_nan=True)
        for c, e in zip(computed, expected, strict=True)
    )


culprit = gc.bisect(step, *feeds, is_wrong=is_wrong)  # on copies: the state stays as it is
computed = step(*feeds)
expected = [np.full((2,), np.nan, np.float64)]
print("computed", *computed, sep="\n")
print("expected", *expected, sep="\n")
print(culprit)
if is_wrong(computed, expected):
    raise SystemExit("the answer is wrong")
