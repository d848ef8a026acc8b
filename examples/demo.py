"""`make demo`: trains on real handwritten digits, and shows what the compiler did on the way."""

import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from train_digits import BATCH, build, load_digits

import graphc as gc

EPOCHS = 30
SHADES = " ░▒▓█"


def show_compilation(console: Console, step: gc.Executable) -> None:
    """The graph in numbers, the rules that were hit, and the memory plan."""
    plan = step.plan
    passes = Table(title="passes", title_justify="left")
    for column in ("pass", "nodes before", "nodes after", "hits", "ms"):
        passes.add_column(column, justify="left" if column == "pass" else "right")
    for record in plan.passes:
        passes.add_row(
            record.name,
            str(record.before),
            str(record.after),
            str(record.hits),
            f"{record.seconds * 1e3:.1f}",
        )
    console.print(passes)
    hits = ", ".join(f"{rule} × {count}" for rule, count in plan.ledger.counts().most_common(8))
    console.print(f"[bold]rules[/]   {hits}")
    stats = plan.stats
    console.print(
        f"[bold]plan[/]    {stats['steps']} steps, {stats['in_place']} in place, {stats['buffers']} buffers, "
        f"compiled in {stats['compile_s'] * 1e3:.0f} ms for backend {stats['backend']}, any batch size"
    )
    live = ", ".join(f"{plan.peak_bytes.evaluate(batch=b) / 1024:.0f} KiB at batch {b}" for b in (1, BATCH, 1024))
    console.print(f"[bold]memory[/]  {live} (a formula in the batch size)\n")


def train(console: Console, session: gc.Session, step: gc.Executable, tensors: dict[str, Any]) -> None:
    """Loss and held-out accuracy per epoch."""
    images, labels, test_images, test_labels = load_digits()
    order = np.random.default_rng(0)
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=EPOCHS)
        for epoch in range(EPOCHS):
            shuffled = order.permutation(len(images))
            starts = range(0, len(images), BATCH)
            losses = [step(images[shuffled[s : s + BATCH]], labels[shuffled[s : s + BATCH]])[0] for s in starts]
            feeds = {tensors["x"]: test_images, tensors["y"]: test_labels}
            accuracy = float(session.run(tensors["accuracy"], feeds=feeds))
            progress.advance(task)
            if epoch % 5 == 4 or epoch == 0:
                mean = float(np.mean(losses))
                progress.console.print(f"epoch {epoch + 1:3}   loss {mean:.4f}   held-out accuracy {accuracy:.1%}")


def show_predictions(console: Console, session: gc.Session, tensors: dict[str, Any]) -> None:
    """Some held-out digits as pictures, with what the network takes them for; mistakes first."""
    _, _, images, labels = load_digits()
    guesses = session.run(gc.argmax(tensors["logits"], axis=-1), feeds={"x": images})
    order = np.argsort(guesses == labels, kind="stable")[:8]
    for row in range(8):
        pictures = [images[i].reshape(8, 8)[row] for i in order]
        console.print("  ".join("".join(SHADES[int(v * 4)] * 2 for v in line) for line in pictures), highlight=False)
    titles = [f"{guesses[i]}" + ("" if guesses[i] == labels[i] else f" (is {labels[i]})") for i in order]
    console.print("  ".join(f"{title:^16}" for title in titles), highlight=False)


def main() -> None:
    """Builds, compiles, trains, shows."""
    start = time.perf_counter()
    console = Console()
    graph, tensors = build()
    console.print(f"[bold]graph[/]   {graph!r}", highlight=False)
    with gc.Session(graph, seed=0) as session:
        fetches = [tensors["loss"], tensors["train"]]
        step = session.compile(fetches, feeds=[tensors["x"], tensors["y"]])
        show_compilation(console, step)
        train(console, session, step, tensors)
        show_predictions(console, session, tensors)
    console.print(f"\n{time.perf_counter() - start:.1f} s in all. Next: examples/train_digits.py is the whole program;")
    console.print("step.plan.explain() and step.plan.source() show the rest.")


if __name__ == "__main__":
    main()
