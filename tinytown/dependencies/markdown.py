"""Bodies of issues as passages: what a reader sees, without code, comments and struck text; quotes are marked.

A Markdown library finds the blocks and their inline parts. Of each block the plain text is kept, in which every
reference to an issue (``#3``, ``owner/repo#3``, ``GH-3``, a URL, a link) is one special character, so that sentences
can be read without knowing how references are written.

A body is outside text of any size and shape, so all work is bounded: the first 256 KB, 8,000 lines, 2,000 references,
20 levels and 20,000 signs with a meaning in Markdown are read, and nothing after the last reference's paragraph.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tinytown.dependencies import html
from tinytown.dependencies.passages import BREAK, CODE, GAP, Passage, Table
from tinytown.dependencies.references import MAYBE, REF, REFERENCE, Reference, is_file, linked, numbered, written

if TYPE_CHECKING:  # the library takes a while to import, and most commands read no issue
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

#: Characters of a body that are read.
BODY_LIMIT: Final = 256 * 1024
#: Lines of a body that are read.
LINE_LIMIT: Final = 8_000
#: References that are looked at.
REFERENCE_LIMIT: Final = 2_000
#: Characters that are read after the last reference in its paragraph.
TAIL_LIMIT: Final = 2_000
#: Signs that start something in Markdown: in a body, and in one block.
SIGN_LIMIT: Final = 20_000
BLOCK_SIGN_LIMIT: Final = 4_000
#: Columns of a table, and levels of quotes, beyond which nobody wrote it by hand.
COLUMN_LIMIT: Final = 100
QUOTE_LIMIT: Final = 6
#: A block without a reference is read only if it is short enough for a label.
LABEL_LIMIT: Final = 200

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_SIGNS = re.compile(r"[\[\]!*_~<>&`\\]")
_QUOTES = re.compile(rf"(?:[ \t]{{0,3}}>){{{QUOTE_LIMIT},}}")
#: A pair of single tildes strikes through, as GitHub has it.
_TILDES = re.compile(r"(?<![\w~])~(?=[^\s~])([^~\n]*[^\s~])~(?![\w~])")
#: What follows a label that is set as code.
_LISTING = re.compile(r"\s*(?:[:=(]|\S{0,150}#[1-9]|gh-[1-9]|https?:)", re.IGNORECASE)
_ALERT = re.compile(r"\[!(?:note|tip|important|warning|caution)\][ \t]*(?=\n|$)", re.IGNORECASE)
_EMOJI = re.compile(
    "[\u2300-\u23ff\u2600-\u2793\u2795-\u2797\u27b0-\u27bf\u2b1b-\u2bff\U0001f000-\U0001faff\ufe0f\u200d]"
)
_EMOJI_CODE = re.compile(r"(?<![^\s(]):[a-z0-9_+-]{2,40}:(?![^\s,.;)])")
#: The mark of a footnote, which may stand anywhere.
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,40}\](?!:)")
_ARROWS = re.compile("[\u2794\u2798-\u27af\u2b05-\u2b0d]")
#: Signs that are written in several ways.
_SAME: Final = str.maketrans("\u00a0\u200b\u2060\ufeff\u2019\u2010\u2011", "    '--")
_LABEL_CODE = re.compile(
    r"\W{0,4}(?:depends?[\s_-]?(?:up)?on|depend(?:ent|encies|ency)|blocked[\s_-]?(?:by|on)|requires|after|prerequisites?|blockers?)\W{0,3}",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Budget:
    """What may still be read."""

    signs: int = SIGN_LIMIT

    def take(self, text: str) -> bool:
        """Whether this block may be read."""
        signs = len(_SIGNS.findall(text))
        self.signs -= signs
        return signs <= BLOCK_SIGN_LIMIT and self.signs >= 0


def source_lines(body: str) -> list[str]:
    """The lines of a body that are read: none after the paragraph that holds the last reference."""
    text = _cut(body[: BODY_LIMIT + 1].replace("\r\n", "\n").replace("\r", "\n"), BODY_LIMIT)
    last = 0
    for found in itertools.islice(MAYBE.finditer(text), REFERENCE_LIMIT):
        last = found.end()
    if not last:
        return []
    text = re.sub(f"[{REF}{GAP}{CODE}{BREAK}\x00]", " ", text)
    # What closes or strikes the last reference may follow it, a question mark too.
    end = _BLANK_LINE.search(text, last, last + TAIL_LIMIT)
    text = text[: end.start()] if end else _cut(text, last + TAIL_LIMIT)
    return text.split("\n")[:LINE_LIMIT]


def _cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, without the word that this would cut: half a number is another number."""
    if len(text) <= limit:
        return text
    return text[: max(text.rfind("\n", 0, limit), text.rfind(" ", 0, limit), 0)]


def passages(lines: Sequence[str]) -> Iterator[Passage | Table]:
    """The passages of these lines, in order."""
    text = "\n".join("> x" if _QUOTES.match(line) else line for line in lines)
    tables = max((line.count("|") for line in lines), default=0) <= COLUMN_LIMIT
    parser = _parser(tables)
    env: dict[str, object] = {}
    tokens = parser.parse(text, env)
    reader = _Reader(parser, env, _Budget())
    quotes = _Budget()
    at = 0
    while at < len(tokens):
        if tokens[at].type == "blockquote_open" and not _is_alert(tokens, at):
            end = _after(tokens, at, "blockquote_close")
            if not reader.hidden:
                quote = _Reader(parser, env, quotes)
                yield from (replace(said, quoted=True) for said in _blocks(quote, tokens, range(at + 1, end)))
        else:
            end = _after(tokens, at, "table_close") if tokens[at].type == "table_open" else at + 1
            yield from _blocks(reader, tokens, range(at, end))
        at = end


def _blocks(reader: _Reader, tokens: Sequence[Token], span: range) -> Iterator[Passage | Table]:
    """The passages of some of the tokens."""
    at = span.start
    while at < span.stop:
        token = tokens[at]
        if token.type == "table_open":
            end = _after(tokens, at, "table_close")
            if not reader.hidden:
                yield reader.table(tokens[at:end])
            at = end
            continue
        if token.type == "hr":
            yield Passage("", rule=True)
        elif token.type == "html_block":
            yield from reader.raw(token)
        elif token.type == "inline" and not reader.hidden:
            opening = tokens[at - 1]
            heading = int(opening.tag[1]) if opening.type == "heading_open" else 0
            item = at > 1 and tokens[at - 2].type == "list_item_open"
            if (passage := reader.block(token, heading=heading, item=item)) is not None:
                yield passage
        at += 1


def _after(tokens: Sequence[Token], at: int, closing: str) -> int:
    level = tokens[at].level
    for i in range(at + 1, len(tokens)):
        if tokens[i].type == closing and tokens[i].level == level:
            return i + 1
    return len(tokens)


def _is_alert(tokens: Sequence[Token], at: int) -> bool:
    """Whether a quote is really a note that GitHub shows in a box: ``> [!IMPORTANT]``."""
    first = tokens[at + 2] if at + 2 < len(tokens) else None
    return first is not None and first.type == "inline" and _ALERT.match(first.content) is not None


@functools.cache
def _parser(tables: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": 20}).enable("strikethrough")
    if tables:
        parser.enable("table")
    # Blocks only; the inline parts of those that matter are read one by one, within the budget.
    return parser.disable(["inline", "text_join"])


class _Reader:
    """Turns tokens into passages; knows which raw HTML is open."""

    def __init__(self, parser: MarkdownIt, env: dict[str, object], budget: _Budget) -> None:
        self._parser = parser
        self._env = env
        self._budget = budget
        self._spanning: list[str] = []

    @property
    def hidden(self) -> bool:
        """A tag that hides text is open across blocks."""
        return bool(self._spanning)

    def block(self, token: Token, *, heading: int = 0, item: bool = False, line: int | None = None) -> Passage | None:
        """The passage of an inline token, or ``None`` if it is of no interest."""
        content = _ALERT.sub("", token.content, count=1)
        if not MAYBE.search(content) and len(content) > LABEL_LIMIT:
            _, _, last = content.rpartition("\n")  # may be a label
            content = f"\n{last}" if last.endswith(":") and len(last) <= LABEL_LIMIT else ""
            return Passage(content, level=token.level - 1, line=_line(token, line), heading=heading, item=item)
        if not self._budget.take(content):
            return None
        pieces = _Pieces()
        children: list[Token] = []
        if _SIGNS.search(content):
            self._parser.inline.parse(content, self._parser, self._env, children)
            for child, following in itertools.zip_longest(children, children[1:]):
                pieces.add(child, following)
        else:
            pieces.text(content)
        text, references = pieces.finish()
        return Passage(
            text, references, _line(token, line), level=token.level - 1, heading=heading, item=item,
            strong=_is_strong(children),
        )  # fmt: skip

    def table(self, tokens: Sequence[Token]) -> Table:
        """The cells of a table."""
        rows: list[tuple[Passage, ...]] = []
        row: list[Passage] = []
        line = 1
        for token in tokens:
            if token.type == "tr_open":
                row, line = [], (token.map[0] + 1 if token.map else line)
            elif token.type == "inline":
                row.append(self.block(token, line=line) or Passage("", line=line))
            elif token.type == "tr_close":
                rows.append(tuple(row))
        return Table(tuple(rows), level=tokens[0].level)

    def raw(self, token: Token) -> Iterator[Passage]:
        """The visible text of raw HTML, as one passage; its line breaks stay."""
        content = token.content
        if not self._budget.take(content):
            return
        pieces = _Pieces(self._spanning)
        for kind, part in html.parts(content):
            if kind == "text":
                pieces.text(part)
            elif kind == "tag":
                pieces.tag(part)
            pieces.lines(part if kind != "text" else "")
        self._spanning = [tag for tag in pieces.open if tag in html.SPANNING]
        text, references = pieces.finish()
        if text.strip():
            yield Passage(text, references, _line(token, None), level=token.level, strong=True)


class _Pieces:
    """Gathers the visible text of one block."""

    def __init__(self, spanning: Sequence[str] = ()) -> None:
        self.open: list[str] = list(spanning)
        self._parts: list[str] = []
        self._links: list[Reference] = []
        self._struck = 0
        self._link: tuple[str, int] | None = None

    @property
    def _hidden(self) -> bool:
        return self._struck > 0 or bool(self.open)

    def add(self, token: Token, following: Token | None = None) -> None:
        """Add an inline token; its meaning may depend on the one that follows."""
        match token.type:
            case "text" | "text_special":
                self.text(token.content)
            case "softbreak" | "hardbreak":
                self._parts.append("\n")
            case "code_inline":
                self.text(_code(token.content, label=self._is_label(following)))
            case "s_open":
                self._struck += 1
            case "s_close":
                self._struck -= 1
                self._parts.append(" ")
            case "link_open":
                self._link = (str(token.attrs.get("href", "")), len(self._parts))
            case "link_close":
                self._close_link()
            case "html_inline":
                if (tag := html.TAG.fullmatch(token.content)) is not None:
                    self.tag(tag[0])
                self.lines(token.content)
            case _:
                pass

    def text(self, text: str) -> None:
        """Add visible text; line breaks stay."""
        self._parts.append("\n" * text.count("\n") if self._hidden else text)

    def lines(self, text: str) -> None:
        """Add the line breaks of something invisible."""
        self._parts.append("\n" * text.count("\n"))

    def tag(self, text: str) -> None:
        """Add a tag of raw HTML."""
        found = html.TAG.fullmatch(text)
        if found is None:
            return
        closing, name = bool(found[1]), found[2].lower()
        if name in html.HIDING and not text.endswith("/>"):
            if closing and name in self.open:
                self.open.remove(name)
            elif not closing:
                self._parts.append(GAP if name in {"code", "pre", "samp"} and not self._hidden else " ")
                self.open.append(name)
        elif name in html.BREAKING:
            self._parts.append(BREAK)
        elif name == "a" and closing:
            self._close_link()
        elif name == "a" and (href := html.HREF.search(found[3])):
            self._link = (href[1], len(self._parts))

    def _is_label(self, following: Token | None) -> bool:
        """Whether code that comes now begins its line, or is followed by issues."""
        if self._hidden or following is None or following.type != "text" or _LISTING.match(following.content):
            return True
        for part in reversed(self._parts):
            _, line_break, last = part.rpartition("\n")
            if any(sign.isalpha() for sign in last):
                return False
            if line_break:
                break
        return True

    def finish(self) -> tuple[str, tuple[Reference, ...]]:
        """The text with its references as signs, and the references."""
        text = _FOOTNOTE.sub("", _TILDES.sub(" ", "".join(self._parts)))
        text = _EMOJI.sub(" ", _ARROWS.sub("\u2192", _EMOJI_CODE.sub(" ", text))).translate(_SAME)
        references: list[Reference] = []

        def replace(found: re.Match[str]) -> str:
            reference = self._links[int(found["link"])] if found["link"] else written(found)
            if reference is None:
                return GAP
            references.append(reference)
            return REF

        return REFERENCE.sub(replace, numbered(text)), tuple(references)

    def _close_link(self) -> None:
        if self._link is None:
            return
        href, begin = self._link
        self._link = None
        if self._hidden:
            return
        words = "".join(self._parts[begin:])
        reference = linked(href, words)
        if reference is not None:
            self._links.append(reference)
            # "[Depends on #3](…)": the keyword may stand inside the link.
            named = REFERENCE.search(words)
            before = words[: named.start()] if named and _LABEL_CODE.search(words) else ""
            lines = "\n" * (words.count("\n") - before.count("\n"))
            self._parts[begin:] = [before, f"{REF}{len(self._links) - 1}{REF}", lines]
        elif REF not in words and (is_file(words.strip()) or not REFERENCE.fullmatch(words.strip())):
            # A link to something else: its text is read, but not as a list of issues.
            self._parts[begin:] = [REFERENCE.sub(GAP, numbered(words))]


def _code(content: str, *, label: bool) -> str:
    """Code counts as a word or a gap, except a label that is written as code."""
    if label and _LABEL_CODE.fullmatch(content):
        return content
    return GAP if MAYBE.search(content) else CODE


def _is_strong(children: Sequence[Token]) -> bool:
    shown = [child for child in children if child.type != "text" or child.content.strip(" :")]
    if len(shown) < 2 or shown[0].type not in {"strong_open", "em_open"}:
        return False
    return shown[-1].type == shown[0].type.replace("open", "close")


def _line(token: Token, line: int | None) -> int:
    if line is not None:
        return line
    return token.map[0] + 1 if token.map else 1
