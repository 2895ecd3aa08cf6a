"""Which lines of a text are conflict markers, and which of those are in another text too, word for word.

Nothing here knows of commits: see ``leftover_markers``. A whole conflict counts with markers of any length that its
path may have; a part of one counts only with the usual length, since texts have similar lines for other reasons:
underlined headings, tables, quoted mails.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator, Sequence

#: Characters of a marker where no attribute says otherwise.
SIZE = 7
#: The shortest length that ``conflict-marker-size`` may ask for; shorter "markers" are in every text.
SMALLEST = 3

#: In a mail, quotes within quotes are deeper by one at a time.
_MAIL = SIZE - 1
#: Where files were renamed git makes its markers longer than usual, and the label names the file.
_OF_RENAME = re.compile(r"[<>|]{8,12} \S.*:\S+")

#: A line's number, from 1 on, and the line, or the beginning of a long one.
Line = tuple[int, str]
#: What tells one conflict from another: a whole one, or half of one with the line before or after it.
Quote = tuple[str, ...]


def pattern(sizes: Collection[int], *, middle: bool = True) -> str:
    """Lines that could be markers of these lengths, or say that others are none, for ``git grep -E`` and for ``re``.

    Without the ``middle``, a line of equals signs, which many texts are full of and which no conflict has alone.
    """
    least = min(_MAIL, *sizes)
    # The line's end of some systems, and only the beginning of a label: a line can be as long as the file.
    edges = f"(<{{{least},}}|>{{{least},}}|[|]{{{least},}})(\r?$| .{{0,200}})"
    return f"^({edges}|={{{least},}}\r?$)" if middle else f"^{edges}"


def candidates(text: str, sizes: Collection[int]) -> list[Line]:
    """The lines of a text that ``pattern`` means."""
    wanted = re.compile(pattern(sizes))
    found = ((number, wanted.match(line)) for number, line in enumerate(_lines(text), start=1))
    return [(number, match[0]) for number, match in found if match]


def marks(lines: Sequence[Line], sizes: Collection[int]) -> list[Line]:
    """Those of the candidates that are markers where ``sizes`` are the lengths that markers have."""
    by_size: dict[int, list[Line]] = {}
    for number, line in lines:
        by_size.setdefault(_length(line), []).append((number, line.rstrip("\r")))
    mail = any(line.startswith(">") for _, line in by_size.get(_MAIL, ()))
    found: list[Line] = []
    for size, same in by_size.items():
        kinds = "".join(line[0] for _, line in same)
        first, last = kinds.find("<"), kinds.rfind(">")
        if 0 <= first < last and (size in sizes or size > min(sizes)):
            found += [one for at, one in enumerate(same) if kinds[at] != "=" or first < at < last]
        elif size in sizes and size >= SIZE:
            found += _halves(same, size, mail)
        elif size > max(SIZE, *sizes) and not mail:
            found += [one for one in same if _OF_RENAME.fullmatch(one[1])]
    return sorted(found)


def _halves(same: Sequence[Line], size: int, mail: bool) -> list[Line]:
    """Parts that remain of a conflict; a single line may also be an underline, a table's row or a quote in a mail."""
    found: list[Line] = []
    for at, (number, line) in enumerate(same):
        kind, labelled = line[0], len(line) > size
        before = at > 0 and same[at - 1][1][0] == "="
        after = at + 1 < len(same) and same[at + 1][1][0] == "="
        if kind == "<" or (kind == "|" and (labelled or after)) or (kind == ">" and not mail):
            found += [same[at - 1]] if before and kind == ">" else []
            found.append((number, line))
            found += [same[at + 1]] if after and kind != ">" else []
    return list(dict.fromkeys(found))


def quotes(text: str, found: Sequence[Line]) -> Iterator[tuple[Line, set[Quote]]]:
    """For each marker in ``found``, the marks of ``text``: quotations of its surroundings, each of which identifies it.

    A whole conflict is one from its first line to its last.
    """
    lines = [line.rstrip("\r") for line in _lines(text)]
    pending: list[Line] = []
    for number, line in found:
        if pending or line[0] == "<":
            pending.append((number, line))
        else:
            yield (number, line), _alone(lines, number)
        if pending and line[0] == ">" and _length(line) == _length(pending[0][1]):
            whole = {tuple(lines[pending[0][0] - 1 : number])}
            yield from ((one, whole) for one in pending)
            pending = []
    yield from ((one, _alone(lines, one[0])) for one in pending)


def _alone(lines: Sequence[str], number: int) -> set[Quote]:
    line = lines[number - 1]
    before = lines[number - 2] if number > 1 else ""
    after = lines[number] if number < len(lines) else ""
    return {(before, line, "<"), (">", line, after)}


def decoded(data: bytes) -> str | None:
    """The text of a file that git takes for binary because its characters have two or four bytes; else ``None``."""
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(name, errors="replace")
    if any((kind * SIZE).encode("utf-16-le") in data for kind in "<>"):
        # In an encoding of two bytes, one of the two is zero for an ASCII character.
        order = "be" if data[::2].count(0) > data[1::2].count(0) else "le"
        return data.decode(f"utf-16-{order}", errors="replace")
    return None


def _lines(text: str) -> list[str]:
    """Lines as git counts them: nothing but a line feed ends one."""
    return text.split("\n")


def _length(line: str) -> int:
    return len(line) - len(line.lstrip(line[0]))
