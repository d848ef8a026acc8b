"""Trains a classifier on 1,797 real handwritten digits; `examples/demo.py` shows more of the compiler."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

import graphc as gc

EPOCHS, BATCH, HIDDEN = 60, 32, 128


def load_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images (n, 64) in [0, 1] and labels (n,): 1,437 to train on, 360 to test, by a fixed permutation."""
    with gzip.open(Path(__file__).parent / "data" / "digits.csv.gz", "rt") as file:
        rows = np.loadtxt(file, delimiter=",")
    rows = rows[np.random.RandomState(0).permutation(len(rows))]  # NumPy never changes this stream
    images, labels = (rows[:, :64] / 16).astype(np.float32), rows[:, 64].astype(np.int64)
    return images[:1437], labels[:1437], images[1437:], labels[1437:]


def build() -> tuple[gc.Graph, dict[str, Any]]:
    """A network with one hidden layer, its loss, accuracy, and training step."""
    with gc.Graph("digits") as graph:
        x = gc.placeholder("x", shape=("batch", 64))
        y = gc.placeholder("y", shape=("batch",), dtype=gc.int64)
        w1 = gc.Variable(gc.init.he_normal(), shape=(64, HIDDEN), name="hidden/w")
        b1 = gc.Variable(gc.init.zeros(), shape=(HIDDEN,), name="hidden/b")
        w2 = gc.Variable(gc.init.glorot_uniform(), shape=(HIDDEN, 10), name="out/w")
        b2 = gc.Variable(gc.init.zeros(), shape=(10,), name="out/b")
        logits = gc.nn.relu(x @ w1 + b1) @ w2 + b2
        loss = gc.losses.softmax_cross_entropy(logits, y, reduction="mean")
        accuracy = gc.metrics.accuracy(logits, y)
        train = gc.optim.Adam(2e-3).minimize(loss)
    return graph, {"x": x, "y": y, "logits": logits, "loss": loss, "accuracy": accuracy, "train": train}


def train(seed: int = 0, epochs: int = EPOCHS) -> float:
    """Trains once and returns the accuracy on the test rows."""
    images, labels, test_images, test_labels = load_digits()
    graph, t = build()
    order = np.random.default_rng(seed)
    with gc.Session(graph, seed=seed) as session:
        step = session.compile([t["loss"], t["train"]], feeds=[t["x"], t["y"]])
        for _ in range(epochs):
            shuffled = order.permutation(len(images))
            for start in range(0, len(images), BATCH):
                batch = shuffled[start : start + BATCH]
                step(images[batch], labels[batch])
        return float(session.run(t["accuracy"], feeds={t["x"]: test_images, t["y"]: test_labels}))


if __name__ == "__main__":
    print(f"accuracy on 360 held-out digits: {train():.1%}")
