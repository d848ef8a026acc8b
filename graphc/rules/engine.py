"""The rewrite rules' record, and the engine that applies them bottom-up until nothing matches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from graphc.errors import GraphcError, InternalError, Origins, RewriteLoopError, merge_origins
from graphc.ir.ledger import Hit, Ledger
from graphc.ir.tensor import Tensor, inherit, rebuild, tuple_elements
from graphc.ops.layout import broadcast_to
from graphc.rules.pattern import Head, Match, Op, Replace, Scalar, Wildcard, match, may_match, scalar_value

_LONGEST_CHAIN = 200


class Rule(NamedTuple):
    """A named row: `pattern` may become `replace(match)`, because of `identity`.

    Attributes:
        name: unique over all tables.
        exactness: `exact`, `close`, `reorder`, `stable` or `fast`; see docs/design.md.
        identity: one line of mathematics with its proviso.
        pattern: what is looked for.
        replace: the replacement, or `None` where the proviso does not hold.
        ulps: for `close`: how far the result may be off.
        precheck: a quick look at the node, which spares the match where it says no; for patterns that match anything.
        complex_too: whether the identity holds for complex numbers, with the same exactness; others never meet them.
    """

    name: str
    exactness: str
    identity: str
    pattern: Op
    replace: Replace
    ulps: int = 0
    precheck: Callable[[Tensor], bool] | None = None
    complex_too: bool = False

    def covers(self, found: Match) -> bool:
        """Whether the identity holds for the numbers of a match."""
        return self.complex_too or not any(map(_meets_complex, found.nodes))


def _meets_complex(node: Tensor) -> bool:
    return any(kind.dtype.kind == "complex" for part in (node, *node.inputs) for kind in tuple_elements(part))


class Rewriter:
    """One run of some rules over some outputs.

    Args:
        rules: rows, tried in order.
        stage: name of the pass, for the ledger.
        allowed: classes of rules that may be used.
        barriers: nodes that are leaves: not rewritten, not looked into.
        ledger: where hits are written.
        limit: stop rewriting after so many hits (for bisection).
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        stage: str,
        allowed: Collection[str] = ("exact", "close", "reorder", "stable"),
        barriers: Collection[Tensor] = (),
        ledger: Ledger | None = None,
        limit: int | None = None,
    ) -> None:
        self.stage = stage
        self.barriers = frozenset(barriers)
        self.ledger = Ledger() if ledger is None else ledger
        self.limit = limit
        self.hits = 0
        self._by_op: dict[str, list[Rule]] = defaultdict(list)
        self._by_heads: dict[tuple[Head, ...], tuple[Rule, ...]] = {}
        self._numbers: dict[float, float] = {}
        for rule in rules:
            if rule.exactness in allowed:
                self._by_op[rule.pattern.op].append(rule)
                wanted = [part.value for part in rule.pattern.inputs if isinstance(part, Scalar)]
                self._numbers.update((value, value) for value in wanted if value is not None)
        self._final: dict[Tensor, Tensor] = {node: node for node in self.barriers}
        self._chain: dict[Tensor, tuple[int, Rule]] = {}

    def run(self, outputs: Sequence[Tensor]) -> list[Tensor]:
        """The outputs, rewritten."""
        final = self._final
        forward: dict[Tensor, Tensor] = {}
        opened: set[Tensor] = set()
        stack = list(outputs)[::-1]
        while stack:
            node = stack[-1]
            if node in final:
                stack.pop()
            elif node in forward:
                self._follow(node, forward[node], opened, stack)
            elif pending := [i for i in node.inputs if i not in final]:
                stack.extend(reversed(pending))
            else:
                new = rebuild(node, [final[i] for i in node.inputs])
                if new is not node:
                    self.ledger.rebuilt(node.id, new.id)
                target = self._rewrite(node, new)
                if target is None:
                    final[node] = final[new] = new
                else:
                    forward[node] = target
        return [final[node] for node in outputs]

    def _follow(self, node: Tensor, target: Tensor, opened: set[Tensor], stack: list[Tensor]) -> None:
        if target in self._final:
            self._final[node] = self._final[target]
        elif target in opened and target in self._chain:
            raise _loop(self._chain[target][1])  # the replacement reads what it replaces
        else:
            opened.add(target)
            stack.append(target)

    def _rewrite(self, node: Tensor, new: Tensor) -> Tensor | None:
        """What the first rule that matches makes of a node."""
        if self.limit is not None and self.hits >= self.limit:
            return None
        for rule in self._candidates(new):
            if rule.precheck is not None and not rule.precheck(new):
                continue
            found = match(rule.pattern, new, self.barriers)
            if found is None or not rule.covers(found):
                continue
            origins = merge_origins([matched.origins for matched in found.nodes])
            with inherit(origins):
                result = _replacement(rule, new, found)
            if result is None:
                continue
            self._count(rule, node, new, result, origins)
            return result
        return None

    def _candidates(self, node: Tensor) -> tuple[Rule, ...]:
        """The rules whose patterns fit the op of a node and its inputs at a glance; found once per combination."""
        name = node.op.name
        rules = self._by_op.get(name)
        if rules is None:
            return ()
        heads = list(map(self._head, node.inputs))
        key = (name, *heads)
        found = self._by_heads.get(key)
        if found is None:
            found = self._by_heads[key] = tuple(rule for rule in rules if may_match(rule.pattern, node.op, heads))
        return found

    def _head(self, node: Tensor) -> Head:
        """The number of a constant is told only if a rule asks for it: there may be as many as nodes."""
        if node.op.name != "constant":
            return node.op.name
        value = scalar_value(node)
        return "constant" if value is None else self._numbers.get(value, "constant")

    def _count(self, rule: Rule, node: Tensor, new: Tensor, result: Tensor, origins: Origins) -> None:
        self.hits += 1
        length = self._chain.get(node, (0, rule))[0] + 1
        if length > _LONGEST_CHAIN:
            raise _loop(rule)
        for made in self._made_by(result, new):
            self._chain[made] = (length, rule)
        self.ledger.add(
            Hit(self.stage, rule.name, rule.exactness, new.id, result.id, _text(new), _text(result), origins)
        )

    def _made_by(self, result: Tensor, replaced: Tensor) -> set[Tensor]:
        """The nodes of a replacement that are not finished: a rule that grows shows in any of them."""
        made: set[Tensor] = set()
        stack = [result]
        while stack:
            node = stack.pop()
            if node is not replaced and node not in self._final and node not in made:
                made.add(node)
                stack.extend(node.inputs)
        return made


def _replacement(rule: Rule, old: Tensor, found: Match) -> Tensor | None:
    """What a rule makes of a match, fitted; `None` if its proviso does not hold."""
    try:
        result = rule.replace(found)
        return None if result is None or result is old else _fitted(rule, old, result)
    except InternalError:
        raise
    except GraphcError as error:
        raise InternalError(
            f"the rule {rule.name!r} cannot replace {_text(old)}: {error.message}",
            expected=rule.identity,
            got=error.got,
            origins=old.origins,
        ) from error


def _fitted(rule: Rule, old: Tensor, new: Tensor) -> Tensor:
    """The replacement, broadcast to the shape of what it replaces."""
    if new.type == old.type:
        return new
    (before, *others), after = tuple_elements(old), tuple_elements(new)
    if not others and [kind.dtype for kind in after] == [before.dtype]:
        return broadcast_to(new, before.shape)
    raise InternalError(f"the rule {rule.name} turns {old.type} into {new.type}")


def _loop(rule: Rule) -> RewriteLoopError:
    return RewriteLoopError(
        f"the rule {rule.name!r} keeps matching what it produces",
        expected="a replacement that the rules leave alone in the end",
        got=rule.identity,
    )


def _text(node: Tensor) -> str:
    return f"{node.op.name}({', '.join(source.op.name for source in node.inputs)})"


__all__ = ["Wildcard", "Op", "Rewriter", "Rule", "Scalar", "match"]
