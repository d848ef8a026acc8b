"""`make demo`: trains on real handwritten digits, and shows what the compiler did on the way."""

import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from train_digits import BATCH, build, load_digits

import graphc as gc
from graphc.ir import dims

EPOCHS = 20
PICTURES = 8
SIDE = 8  # pixels, two characters wide each


def show_graph(console: Console, graph: gc.Graph, step: gc.Executable) -> None:
    """The graph in numbers, before and after the passes."""
    sizes = [int(np.prod(v.shape)) for v in graph.variables.values() if v.trainable]
    console.rule("the graph", align="left")
    console.print(f"{sum(sizes):,} weights in {len(sizes)} variables; a training step with Adam and its gradients")
    table = Table("pass of the compiler", box=None, header_style="dim", pad_edge=False)
    for title in ("nodes before", "after", "rule hits", "ms"):
        table.add_column(title, justify="right")
    for record in step.plan.passes:
        row = (record.before, record.after, record.hits, f"{record.seconds * 1e3:.1f}")
        table.add_row(record.name, *map(str, row))
    console.print(table)


def show_rules(console: Console, step: gc.Executable) -> None:
    """Which rules were hit, of which class, and where in the user's program."""
    console.rule("the rules", align="left")
    ledger = step.plan.ledger
    table = Table("rule", "class", box=None, header_style="dim", pad_edge=False)
    table.add_column("hits", justify="right")
    table.add_column("for example at", no_wrap=True)
    for rule, count in ledger.counts().most_common():
        hit = next(hit for hit in ledger.hits if hit.rule == rule)
        table.add_row(rule, hit.exactness, str(count), str(hit.origins))
    console.print(table)


def show_plan(console: Console, step: gc.Executable) -> None:
    """How the graph runs: steps, time to compile, memory."""
    stats, plan = step.plan.stats, step.plan.plan
    console.rule("the plan", align="left")
    console.print(
        f"{stats['nodes_recorded']} nodes became {stats['steps']} steps; {stats['in_place']} of them write over what "
        f"they read, and {stats['buffers']} buffers share one arena"
    )
    parts = ", ".join(f"{name} {stats[name + '_s'] * 1e3:.1f}" for name in ("passes", "plan", "lower"))
    console.print(f"compiled once, for any batch size, in {stats['compile_s'] * 1e3:.1f} ms ({parts})")
    computed = [plan.size_of(index) for one in plan.steps for index in one.outputs if index in plan.buffer_of]
    table = Table(box=None, header_style="dim", pad_edge=False)
    for title in ("batch", "arena", "without reuse"):
        table.add_column(title, justify="right")
    for batch in (1, BATCH, 1024):
        apart = sum(dims.evaluate(nbytes, {"batch": batch}) for nbytes in computed)
        peak = step.plan.peak_bytes.evaluate(batch=batch)
        table.add_row(str(batch), f"{peak / 1024:,.0f} KiB", f"{apart / 1024:,.0f} KiB")
    console.print(table)


def train(console: Console, session: gc.Session, step: gc.Executable, tensors: dict[str, Any]) -> None:
    """Loss and held-out accuracy per epoch."""
    images, labels, test_images, test_labels = load_digits()
    order = np.random.default_rng(0)
    console.rule(f"training on {len(images):,} images, testing on {len(test_images)} others", align="left")
    columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"))
    busy = 0.0
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("", total=EPOCHS)
        for epoch in range(1, EPOCHS + 1):
            shuffled = order.permutation(len(images))
            batches = [shuffled[at : at + BATCH] for at in range(0, len(images), BATCH)]
            start = time.perf_counter()
            losses = [step(images[batch], labels[batch])[0] for batch in batches]
            busy += time.perf_counter() - start
            accuracy = session.run(tensors["accuracy"], feeds={"x": test_images, "y": test_labels})
            progress.update(task, advance=1, description=f"accuracy {accuracy:.1%}")
            progress.console.print(
                f"epoch {epoch:3}   loss {np.mean(losses):.4f}   held-out accuracy {accuracy:.1%}", highlight=False
            )
    console.print(f"{busy / session.step * 1e3:.2f} ms per training step, the picking of its batch included")


def show_predictions(console: Console, session: gc.Session, tensors: dict[str, Any]) -> None:
    """Some held-out digits as pictures, with what the network takes them for; mistakes first."""
    _, _, images, labels = load_digits()
    guesses = session.run(gc.argmax(tensors["logits"], axis=-1), feeds={"x": images})
    wrong = int(np.sum(guesses != labels))
    console.rule(f"{wrong} of {len(labels)} are mistaken", align="left")
    mistakes, right = np.flatnonzero(guesses != labels), np.flatnonzero(guesses == labels)
    chosen = [*mistakes[: PICTURES // 2], *right][:PICTURES]
    shades = " .:*#" if console.options.ascii_only else " ░▒▓█"
    across = next((n for n in (8, 4, 2) if n * (2 * SIDE + 2) - 2 <= console.width), 1)
    for first in range(0, PICTURES, across):
        row = chosen[first : first + across]
        for y in range(SIDE):
            lines = [images[i].reshape(SIDE, SIDE)[y] for i in row]
            text = "  ".join("".join(2 * shades[int(v * 4)] for v in line) for line in lines)
            console.print(text, highlight=False, no_wrap=True)
        names = [f"{guesses[i]}" + ("" if guesses[i] == labels[i] else f" (it is {labels[i]})") for i in row]
        console.print("  ".join(f"{name:^{2 * SIDE}}" for name in names), highlight=False, no_wrap=True)


def show_other_backend(console: Console, session: gc.Session, tensors: dict[str, Any]) -> None:
    """The same graph from the same state on XLA: logits, and the time of a training step, beside numpy's."""
    console.rule("the same graph on the jax backend", align="left")
    try:
        other = gc.Session(session.graph, backend="jax", seed=0)
    except gc.errors.BackendError as error:
        console.print(f'left out: {error.got}. It comes with pip install "graphc[jax]"', highlight=False, markup=False)
        return
    images, labels, test_images, _ = load_digits()
    other.restore(session.snapshot())
    logits = [one.run(tensors["logits"], feeds={"x": test_images}) for one in (session, other)]
    off = float(np.max(np.abs(logits[1] - logits[0])))
    largest = float(np.max(np.abs(logits[0])))
    console.print(
        f"the logits of {len(test_images)} held-out images, up to {largest:.1f}, differ by {off:.1e} at most",
        highlight=False,
    )
    for one in (session, other):
        step = one.compile([tensors["loss"], tensors["train"]], feeds=[tensors["x"], tensors["y"]])
        step(images[:BATCH], labels[:BATCH])  # XLA compiles now
        start = time.perf_counter()
        losses = [step(images[at : at + BATCH], labels[at : at + BATCH])[0] for at in range(BATCH, 30 * BATCH, BATCH)]
        milliseconds = (time.perf_counter() - start) / len(losses) * 1e3
        compiled = step.plan.stats.get("xla_compile_s")
        by = "" if compiled is None else f", {compiled:.1f} s to compile"
        console.print(
            f"{one.choice.name:<6} {milliseconds:.2f} ms per training step, loss {np.mean(losses):.6f}{by}",
            highlight=False,
        )
    other.close()


def main() -> None:
    """Builds, compiles, trains, shows."""
    start = time.perf_counter()
    console = Console()
    graph, tensors = build()
    with gc.Session(graph, seed=0) as session:
        step = session.compile([tensors["loss"], tensors["train"]], feeds=[tensors["x"], tensors["y"]])
        console.print(f"graphc {gc.__version__} on {step.plan.stats['backend']}")
        show_graph(console, graph, step)
        show_rules(console, step)
        show_plan(console, step)
        train(console, session, step, tensors)
        show_predictions(console, session, tensors)
        show_other_backend(console, session, tensors)
    console.print(f"\n{time.perf_counter() - start:.1f} s in all. Next: examples/train_digits.py is the whole program,")
    console.print("print(step.plan.source()) is the code that ran.")


if __name__ == "__main__":
    main()
