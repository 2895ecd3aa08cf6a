"""What the parser of dependencies could do without: ``python -m tools.prune``.

Every ``if`` and every operand of an ``or`` in ``tinytown/dependencies`` is forced to be false, one after the other,
and all bodies of the corpora are read again. A condition that changes the reading of none of them pays for nothing;
one that helps only bodies that its author looked at, and none of those kept aside, pays for little.

Limits and guards against odd input pay in other ways: look before you cut, and run the hostile bodies afterwards.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

ROOM = "tinytown.dependencies"
#: The modules that judge prose; the others read Markdown and references as these are specified.
MODULES = tuple(
    f"{ROOM}.{name}" for name in ("judgement", "labels", "issue_lists", "precedence", "tokens", "statements", "timing")
)


#: More conditions than any body asks.
_MOST = 300_000


@dataclass(frozen=True)
class Condition:
    """An ``if`` or an operand of an ``or``, by its place."""

    module: str
    line: int
    column: int
    kind: str
    text: str


@dataclass
class Probe:
    """Sees every condition as it is evaluated, and forces some to be false."""

    conditions: list[Condition] = field(default_factory=list)
    forced: set[int] = field(default_factory=set)
    #: Those that were true since this was emptied.
    true: set[int] = field(default_factory=set)

    #: Conditions that the present body may still ask.
    left: int = 0

    def __call__(self, number: int, value: Any) -> Any:
        self.left -= 1
        if not self.left:
            raise EndlessError
        if number in self.forced:
            return False
        if value:
            self.true.add(number)
        return value


class EndlessError(Exception):
    """Without a condition that ends a loop, nothing ends it."""


class _Marker(ast.NodeTransformer):
    """Wraps conditions in calls of the probe."""

    def __init__(self, module: str, source: str, probe: Probe) -> None:
        self._module, self._source, self._probe = module, source, probe

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        node.test = self._marked(node.test, "if")
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        whole = [ast.get_source_segment(self._source, value) for value in node.values]
        self.generic_visit(node)
        if isinstance(node.op, ast.Or):
            node.values = [self._marked(value, "or", text) for value, text in zip(node.values, whole, strict=True)]
        return node

    def _marked(self, value: ast.expr, kind: str, text: str | None = None) -> ast.expr:
        shown = text or ast.get_source_segment(self._source, value) or ast.unparse(value)
        number = len(self._probe.conditions)
        self._probe.conditions.append(
            Condition(self._module, value.lineno, value.col_offset, kind, " ".join(shown.split()))
        )
        call = ast.Call(ast.Name("__probe__", ast.Load()), [ast.Constant(number), value], [])
        return ast.fix_missing_locations(ast.copy_location(call, value))


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the modules with their conditions marked."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def find_spec(
        self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in MODULES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.origin is not None
        return importlib.util.spec_from_file_location(name, spec.origin, loader=self)

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        assert module.__file__ is not None
        source = Path(module.__file__).read_text(encoding="utf-8")
        tree = _Marker(module.__name__, source, self._probe).visit(ast.parse(source))
        module.__dict__["__probe__"] = self._probe
        exec(compile(tree, module.__file__, "exec"), module.__dict__)  # noqa: S102


def idle(probe: Probe, rows: Sequence[Any], read: Callable[[Any], object]) -> list[int]:
    """Conditions that change nothing, each without those before it in the list."""

    def answer(row: object) -> object:
        probe.left = _MOST
        try:
            return read(row)
        except Exception as error:  # noqa: BLE001 - whatever it is, the condition was needed
            return repr(error)

    before: list[object] = []
    hits: list[set[int]] = []
    for row in rows:
        probe.true.clear()
        before.append(answer(row))
        hits.append(set(probe.true))
    found: list[int] = []
    for number in range(len(probe.conditions)):
        reached = [place for place, hit in enumerate(hits) if number in hit]
        probe.forced.add(number)
        if all(answer(rows[place]) == before[place] for place in reached):
            found.append(number)
        else:
            probe.forced.discard(number)
    return found


def main() -> None:
    """Print the conditions that pay for nothing, and those that pay for nothing that was kept aside."""
    probe = Probe()
    sys.meta_path.insert(0, _Finder(probe))
    from tests.unit.missions import corpora
    from tests.unit.missions.dependency_bodies import SPECIFIED, UNCLEAR

    total = len(probe.conditions)
    everything = [body for group in (SPECIFIED, corpora.TRAINING, corpora.ASIDE, UNCLEAR) for body in group]
    nothing = idle(probe, everything, corpora.read)
    probe.forced.clear()
    kept = [*SPECIFIED, *corpora.ASIDE]
    little = [number for number in idle(probe, kept, corpora.read) if number not in nothing]
    shown: list[str] = []
    for title, numbers in (("pays for nothing", nothing), ("pays for nothing kept aside", little)):
        shown.append(f"{len(numbers)} of {total} conditions: {title}")
        found = [probe.conditions[number] for number in numbers]
        shown += [
            f"  {one.module.rpartition('.')[2]}.py:{one.line}:{one.column} {one.kind}: {one.text}" for one in found
        ]
    sys.stdout.write("\n".join(shown) + "\n")


if __name__ == "__main__":
    main()
