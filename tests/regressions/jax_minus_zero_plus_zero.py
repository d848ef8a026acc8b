# XLA drops x + 0, and with it the sign: -0 + 0 is +0.
# requires: jax

import numpy as np

import graphc as gc

with gc.Graph("zero") as graph:
    x = gc.placeholder("x", (2,), gc.float32)
    t1 = gc.asarray(np.array(1.0, np.float32))
    t2 = gc.asarray(np.array(0.0, np.float32))
    t3 = gc.add(x, t2)
    t4 = gc.divide(t1, t3)

feeds = [np.array([-0.0, 0.0], np.float32)]
session = gc.Session(graph, backend="jax")
step = session.compile([t4], feeds=[x])


def is_wrong(computed, expected):
    """Whether a dtype, a shape, or a number is another one, by more than 0.0."""
    return any(
        c.dtype != e.dtype or c.shape != e.shape or not np.allclose(c, e, 0, 0.0, equal_nan=True)
        for c, e in zip(computed, expected, strict=True)
    )


culprit = gc.bisect(step, *feeds, is_wrong=is_wrong)  # on copies: the state stays as it is
computed = step(*feeds)
expected = [np.full((2,), np.inf, np.float32)]
print("computed", *computed, sep="\n")
print("expected", *expected, sep="\n")
print(culprit)
if is_wrong(computed, expected):
    raise SystemExit("the answer is wrong")
