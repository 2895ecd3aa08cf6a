"""The rooms of the code, with their files and lines and what each imports: ``python -m tools.map``."""

from __future__ import annotations

import ast
import statistics
import textwrap
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: The packages, and where each lies.
PACKAGES = {"tinytown": ROOT, "tinytown_workers": ROOT / "workers", "tinytown_beat": ROOT / "beat"}
#: Lines of a file beyond which it is to be split.
LIMIT = 400
#: Widest list of a room's imports that is printed on one line.
WIDTH = 100


def modules() -> dict[str, Path]:
    """Every module of the code, by its dotted name."""
    found: dict[str, Path] = {}
    for package, root in PACKAGES.items():
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def room_of(module: str, known: dict[str, Path]) -> str:
    """The folder that a module lies in, as a dotted name."""
    return module if known[module].name == "__init__.py" else module.rpartition(".")[0]


def imports_of(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of the code that a file imports, at its top or inside its functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & known.keys()) or {node.module}
    return found & known.keys()


def main() -> None:
    """Print the map."""
    known = modules()
    lines = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in known.items()}
    rooms: dict[str, list[str]] = {}
    for module in known:
        rooms.setdefault(room_of(module, known), []).append(module)
    for room, inside in sorted(rooms.items()):
        uses: Counter[str] = Counter()
        for module in inside:
            uses.update({room_of(used, known) for used in imports_of(known[module], known)} - {room})
        largest = max(inside, key=lambda module: lines[module])
        total = sum(lines[module] for module in inside)
        name = largest.rpartition(".")[2]
        print(f"{room:<28}{len(inside):>3} files{total:>6} lines, the largest {name} with {lines[largest]}")
        print(*_wrapped(", ".join(sorted(uses)) or "nothing"), sep="\n")
    long = ", ".join(f"{module} {count}" for module, count in lines.items() if count > LIMIT) or "none"
    print(f"{len(known)} files, {sum(lines.values())} lines, median {statistics.median(lines.values()):g}")
    print(f"over {LIMIT} lines: {long}")


def _wrapped(text: str) -> list[str]:
    """What a room imports, on lines of their own."""
    return textwrap.wrap(text, WIDTH, initial_indent="    imports ", subsequent_indent="            ")


if __name__ == "__main__":
    main()
