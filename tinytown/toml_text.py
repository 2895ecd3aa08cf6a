"""Where things stand in the text of a TOML file: lines for errors, spans for edits that keep everything else.

The parser of the standard library keeps no places, and an editor of whole documents moves comments, line ends and
tables that are out of order. This scanner only finds places: give it text that the parser has accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import tomli

_BASIC: Final = r'"(?:[^"\\\n]|\\.)*+"'
_LITERAL: Final = r"'[^'\n]*+'"
_LONG: Final = r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*+"{3,5}' + r"|'''(?:[^']|'{1,2}(?!'))*+'{3,5}"
_STRING: Final = re.compile(f"{_LONG}|{_BASIC}|{_LITERAL}")
_PART: Final = re.compile(rf"[A-Za-z0-9_-]++|{_BASIC}|{_LITERAL}")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_PATH: Final = rf"(?:{_PART.pattern})(?:[ \t]*\.[ \t]*(?:{_PART.pattern}))*+"
_HEADER: Final = re.compile(rf"\[\[?[ \t]*({_PATH})[ \t]*\]\]?")
_KEY: Final = re.compile(rf"({_PATH})[ \t]*=[ \t]*")
#: Blank lines and comments before a statement.
_GAP: Final = re.compile(r"(?:[ \t]*+(?:#[^\n]*+)?\r?\n)*+[ \t]*+")
#: What may stand between the elements of a list.
_BETWEEN: Final = re.compile(r"(?:[\s,]++|#[^\n]*+)*+")
_PLAIN: Final = re.compile(r"[^,\]}\n#]*+")
_BRACKET: Final = re.compile(rf"{_STRING.pattern}|#[^\n]*+|[\[\]{{}}]")
_NO_BRACKET: Final = rf"(?:[^\"'#\[\]{{}}]++|{_STRING.pattern}|#[^\n]*+)"
#: What has no bracket in it that could begin a table: also lists without lists in them.
_RUN: Final = re.compile(rf"(?:=\s*+\[{_NO_BRACKET}*+\]|{_NO_BRACKET.replace('#', '#=', 1)}|=)*+")
_AT_LINE: Final = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)


class NotTomlError(ValueError):
    """The text is not TOML; ``line`` is where that shows."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Statement(NamedTuple):
    """A header, or ``key = value``: its line, the parts of its key, and where it stands in the text."""

    line: int
    parts: Sequence[str]
    start: int
    #: Where the value of a key begins; of a header it is the end.
    value: int
    end: int
    #: ``[`` or ``[[``; empty for a key.
    header: str = ""


class Entry(NamedTuple):
    """``key = value``: the line of the key, and where key and value begin and end in the text."""

    line: int
    start: int
    value: int
    end: int


class _Span(NamedTuple):
    """A part of a text that begins on ``line``."""

    text: str
    begin: int
    line: int
    end: int


class Table:
    """A table: its line, its entries by the first part of their keys, and where another entry can be added.

    Its entries are looked for when they are asked for: of most tables in a large file only the line is wanted.
    """

    __slots__ = ("_end", "_entries", "_unread", "inline", "line")

    def __init__(self, line: int, end: int, *, inline: bool = False) -> None:
        self.line = line
        self.inline = inline
        self._end = end
        self._entries: dict[str, Entry] = {}
        self._unread: tuple[_Span, ...] = ()

    @property
    def entries(self) -> Mapping[str, Entry]:
        """By the first part of their keys."""
        self._read()
        return self._entries

    @property
    def end(self) -> int:
        """Behind the header, or the last entry; in an inline table behind its brace."""
        self._read()
        return self._end

    def line_of(self, key: str) -> int:
        """The line of a key; of the table, where it has none."""
        entry = self.entries.get(key)
        return entry.line if entry is not None else self.line

    def hold(self, span: _Span) -> None:
        """Entries of this table stand in this part of the text."""
        self._unread += (span,)

    def add(self, key: str, entry: Entry, *, behind: int | None = None) -> None:
        """Add an entry; the next one can be added ``behind`` it."""
        self._entries.setdefault(key, entry)
        if behind is not None:
            self._end = behind

    def _read(self) -> None:
        spans, self._unread = self._unread, ()
        for span in spans:
            for one in statements(span.text, span.begin, span.line, span.end):
                self.add(one.parts[0], Entry(one.line, one.start, one.value, one.end), behind=one.end)


def parse(text: str) -> dict[str, object]:
    """The values of a TOML text.

    Raises:
        NotTomlError: it is none.
    """
    try:
        return tomli.loads(text)
    except RecursionError:
        raise NotTomlError(1, "lists or tables are nested too deeply") from None
    except ValueError as error:
        found = _AT_LINE.fullmatch(str(error))
        if found is None:  # Not the parser's own words: Python refuses to convert a number.
            raise NotTomlError(1, "a number in it is too long") from None
        line = int(found[2]) if found[2] else text.rstrip().count("\n") + 1
        raise NotTomlError(line, found[1][:1].lower() + found[1][1:]) from None


class TomlText:
    """The places of a text that ``parse`` accepts."""

    def __init__(self, text: str) -> None:
        self.text = text
        #: What stands before the first header.
        self.top = Table(1, 0)
        self._tables: dict[str, list[Table]] = {}
        self._lists: dict[str, Entry] = {}
        self._scan()

    def table(self, name: str) -> Table | None:
        """The table of this name, or what is first said of it."""
        found = self._tables.get(name)
        return found[0] if found else None

    def tables(self, name: str) -> Sequence[Table]:
        """The tables of a list, each ``[[name]]`` or the elements of ``name = [{…}, …]``."""
        if name not in self._lists:
            return self._tables.get(name, ())
        line, counted = self._lists[name].line, self._lists[name].start
        found = []
        for start, _ in self.elements(name):
            line, counted = line + self.text.count("\n", counted, start), start
            if self.text[start] == "{":
                found.append(self._inline(start, line))
        return found

    def elements(self, name: str) -> Sequence[tuple[int, int]]:
        """Where the elements of ``name = […]`` begin and end."""
        found: list[tuple[int, int]] = []
        at = self._lists[name].value + 1
        while True:
            at = _match(_BETWEEN, self.text, at).end()
            if self.text[at] == "]":
                return found
            found.append((at, _value_end(self.text, at)))
            at = found[-1][1]

    def list_of(self, name: str) -> Entry | None:
        """The entry ``name = […]`` at the top, if there is one."""
        return self._lists.get(name)

    def line_of(self, name: str) -> int:
        """The line on which something of this name first stands at the top."""
        places = [table.line for table in self._tables.get(name, ())[:1]]
        places += [entry.line for entry in (self.top.entries.get(name),) if entry is not None]
        return min(places, default=1)

    def newline(self) -> str:
        """How lines end."""
        return newline(self.text)

    def _scan(self) -> None:
        found = list(headers(self.text))
        ends = [*(one.start for one in found), len(self.text)]
        for one in statements(self.text, until=ends[0]):
            self._enter(one.parts, Entry(one.line, one.start, one.value, one.end))
        for header, end in zip(found, ends[1:], strict=True):
            table = self._open(header)
            if len(header.parts) > 1:
                table.add(header.parts[1], Entry(header.line, header.start, header.value, header.end))
            else:
                table.hold(_Span(self.text, header.end, header.line, end))

    def _open(self, header: Statement) -> Table:
        """The table that a header begins, or that what it begins is in."""
        tables = self._tables.setdefault(header.parts[0], [])
        if not tables or (header.header == "[[" and len(header.parts) == 1):
            tables.append(Table(header.line, header.end))
        return tables[-1]

    def _enter(self, key: Sequence[str], entry: Entry) -> None:
        """An entry before the first header."""
        self.top.add(key[0], entry, behind=entry.end)
        if len(key) == 1 and self.text.startswith("[", entry.value):
            self._lists[key[0]] = entry
        elif len(key) > 1 or self.text.startswith("{", entry.value):
            below = self._tables.setdefault(key[0], [Table(entry.line, entry.end)])[0]
            if len(key) > 1:
                below.add(key[1], entry)
            else:
                self._tables[key[0]] = [self._inline(entry.value, entry.line)]

    def _inline(self, at: int, line: int) -> Table:
        """The inline table that begins here; TOML keeps it on one line, but for long strings in it."""
        table = Table(line, at + 1, inline=True)
        begin = at
        while True:
            at = _match(_BETWEEN, self.text, table.end).end()
            if self.text[at] == "}":
                return table
            match = _match(_KEY, self.text, at)
            end = _value_end(self.text, match.end())
            place = line + self.text.count("\n", begin, at)
            table.add(_parts(match[1])[0], Entry(place, at, match.end(), end), behind=end)


def newline(text: str) -> str:
    """How lines end."""
    at = text.find("\n")
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def statements(text: str, at: int = 0, line: int = 1, until: int | None = None) -> Iterator[Statement]:
    """Every header and every key of a text that ``parse`` accepts, in order; what is inside of a value is none.

    Or those of a part of it: from ``at``, which is on ``line``, where a statement has ended, to ``until``.
    """
    until = len(text) if until is None else until
    while True:
        begin = _match(_GAP, text, at).end()
        if begin >= until or text[begin] == "#":
            return
        line += text.count("\n", at, begin)
        one = _header(text, begin, line) if text[begin] == "[" else _entry(text, begin, line)
        yield one
        at = text.find("\n", one.end)
        at = len(text) if at < 0 else at
        line += text.count("\n", begin, at)


def headers(text: str) -> Iterator[Statement]:
    """Every header of a text that ``parse`` accepts, in order: the statements that begin a table."""
    at = counted = depth = 0
    line = 1
    while True:
        at = _match(_RUN, text, at).end()
        if at == len(text):
            return
        begins = text[at] == "[" and not depth and not text[text.rfind("\n", 0, at) + 1 : at].strip()
        if not begins:
            depth += 1 if text[at] in "[{" else -1
            at += 1
            continue
        line += text.count("\n", counted, at)
        counted = at
        one = _header(text, at, line)
        yield one
        at = one.end


def _header(text: str, at: int, line: int) -> Statement:
    match = _match(_HEADER, text, at)
    end = match.end()
    return Statement(line, _parts(match[1]), at, end, end, "[[" if text.startswith("[[", at) else "[")


def _entry(text: str, at: int, line: int) -> Statement:
    match = _match(_KEY, text, at)
    return Statement(line, _parts(match[1]), at, match.end(), _value_end(text, match.end()))


def key_text(parts: Sequence[str]) -> str:
    """A key as a file writes it."""
    return ".".join(part if _BARE.fullmatch(part) else string_text(part) for part in parts)


def value_text(value: object) -> str:
    """A value as a file writes it, on one line."""
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{key_text([key])} = {value_text(one)}" for key, one in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(value_text, value))}]"
    return str(value)


def string_text(value: str) -> str:
    """A value as a string of one line: JSON's, but for the one control character that JSON allows."""
    return json.dumps(without_strays(value), ensure_ascii=False).replace("\x7f", "\\u007F")


def without_strays(value: str) -> str:
    """A file in UTF-8 has no room for bytes that were not."""
    return value.encode(errors="replace").decode()


def edited(text: str, edits: Mapping[tuple[int, int], str]) -> str:
    """``text`` with spans of it, which do not overlap, replaced."""
    parts, at = [], 0
    for (start, end), new in sorted(edits.items()):
        parts += [text[at:start], new]
        at = end
    return "".join((*parts, text[at:]))


def _value_end(text: str, at: int) -> int:
    """Where the value ends that begins here."""
    if text[at] in "\"'":
        return _match(_STRING, text, at).end()
    if text[at] not in "[{":
        return at + len(_match(_PLAIN, text, at)[0].rstrip())
    depth = 0
    while True:
        match = _BRACKET.search(text, at)
        if match is None:
            raise ValueError("a bracket is not closed, which no parser accepts")
        at = match.end()
        if match[0] in ("[", "{"):
            depth += 1
        elif match[0] in ("]", "}"):
            depth -= 1
            if not depth:
                return at


def _parts(path: str) -> list[str]:
    """The parts of a key as the parser reads them."""
    if "." not in path and path[0] not in "\"'":
        return [path]
    parts: list[str] = _PART.findall(path)
    return [next(iter(tomli.loads(f"{part} = 0"))) if part[0] == '"' else part.strip("'") for part in parts]


def _match(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str]:
    match = pattern.match(text, at)
    if match is None:
        raise ValueError(f"no parser accepts this text at offset {at}")
    return match
