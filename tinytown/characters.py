"""What a reader must see of a text: every character that is not plain is shown by its number and name.

A change is read by people and models, and run by machines. A character that the one does not see and the other obeys
(a carriage return, a mark that turns the direction, a blank without a width) hides code or instructions. So briefs,
terminals and forges get their outside text from here. The table is made from Unicode's own data.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from tinytown.characters_table import ALIKE, NOT_PLAIN

#: Words in which letters of two scripts stand together are named, the first of very many, and so long at the most.
_WORDS: Final = 20
_WORD_LENGTH: Final = 40


def _class(ranges: Iterable[tuple[int, int]]) -> str:
    return "".join(f"\\U{first:08x}" if first == last else f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


#: A word, with marks that stand over its letters; and in it a letter of another script that looks like one of ASCII.
_WORD: Final = re.compile(r"[\w\u0300-\u036f]+")
_LATIN: Final = re.compile(r"[A-Za-z]")


# Each is made where it is needed first: together they take longer than a short command has, whose text is ASCII.
@functools.cache
def _not_plain(*, ascii_only: bool) -> str:
    return _class((first, min(last, 0x7F)) if ascii_only else (first, last) for first, last in NOT_PLAIN
                  if first < 0x80 or not ascii_only)  # fmt: skip


@functools.cache
def _runs(*, ascii_only: bool) -> re.Pattern[str]:
    """A run of the same character that is not plain."""
    return re.compile(f"([{_not_plain(ascii_only=ascii_only)}])\\1*")


@functools.cache
def _one(*, ascii_only: bool) -> re.Pattern[str]:
    return re.compile(f"[{_not_plain(ascii_only=ascii_only)}]")


@functools.cache
def _alike() -> re.Pattern[str]:
    return re.compile(f"[{_class(ALIKE)}]")


@functools.cache
def _of_prose() -> re.Pattern[str]:
    """Where prose needs them: between letters that join or in an emoji, after the character whose look they choose, and
    blanks that do not break.
    """
    plain = f"[^\x00-\x7f{_not_plain(ascii_only=False)}]"
    return re.compile(
        f"(?<={plain})[\u200c\u200d](?={plain})"
        f"|(?<={plain}\ufe0f)\u200d(?={plain})"
        f"|(?<=[0-9#*])\ufe0f(?=\u20e3)"
        f"|(?<={plain})[\ufe0e\ufe0f]"
        "|(?<=\\S)[\u00a0\u202f\u3000](?=\\S)"
    )


#: Controls have no name of their own in Unicode, only these aliases.
_CONTROLS: Final = (
    "NULL", "START OF HEADING", "START OF TEXT", "END OF TEXT", "END OF TRANSMISSION", "ENQUIRY", "ACKNOWLEDGE",
    "ALERT", "BACKSPACE", "CHARACTER TABULATION", "LINE FEED", "LINE TABULATION", "FORM FEED", "CARRIAGE RETURN",
    "SHIFT OUT", "SHIFT IN", "DATA LINK ESCAPE", "DEVICE CONTROL ONE", "DEVICE CONTROL TWO", "DEVICE CONTROL THREE",
    "DEVICE CONTROL FOUR", "NEGATIVE ACKNOWLEDGE", "SYNCHRONOUS IDLE", "END OF TRANSMISSION BLOCK", "CANCEL",
    "END OF MEDIUM", "SUBSTITUTE", "ESCAPE", "INFORMATION SEPARATOR FOUR", "INFORMATION SEPARATOR THREE",
    "INFORMATION SEPARATOR TWO", "INFORMATION SEPARATOR ONE",
)  # fmt: skip
_OTHERS: Final = {
    0x7F: "DELETE", 0x85: "NEXT LINE", 0x90: "DEVICE CONTROL STRING", 0x9B: "CONTROL SEQUENCE INTRODUCER",
    0x9C: "STRING TERMINATOR", 0x9D: "OPERATING SYSTEM COMMAND",
}  # fmt: skip
#: Bytes that are not UTF-8, as Python keeps them.
_BYTES: Final = range(0xDC80, 0xDD00)


def shown(text: str, *, prose: bool = False) -> str:
    """``text`` with each character that is not plain as e.g. ``⟨U+202E RIGHT-TO-LEFT OVERRIDE⟩``.

    The line break of Windows becomes a plain one. In ``prose``, what makes an emoji or joins letters stays as it is
    where it does so.
    """
    text = text.replace("\r\n", "\n") if "\r" in text else text
    runs = _runs(ascii_only=text.isascii())
    if not prose or text.isascii():
        return runs.sub(_told, text)
    parts, at = [], 0
    for match in _of_prose().finditer(text):
        parts += [runs.sub(_told, text[at : match.start()]), match[0]]
        at = match.end()
    return "".join((*parts, runs.sub(_told, text[at:])))


def escaped(text: str, *, keep: str = "\n\t") -> str:
    r"""``text`` with each but ``keep`` as an escape, e.g. ``\u202e``: for lists and logs, which have no room."""
    kept = {match.start() for match in _of_prose().finditer(text)} if not text.isascii() else set()

    def told(match: re.Match[str]) -> str:
        return match[0] if match[0] in keep or match.start() in kept else _escape(match[0])

    return _one(ascii_only=text.isascii()).sub(told, text)


def count(text: str, *, prose: bool = False) -> Mapping[str, int]:
    """How often ``text`` holds each of what ``shown`` shows, by number and name."""
    found: Counter[str] = Counter()
    text = text.replace("\r\n", "\n") if "\r" in text else text
    runs = _runs(ascii_only=text.isascii())
    for part in _of_prose().split(text) if prose and not text.isascii() else (text,):
        for match in runs.finditer(part):
            found[name(match[0][0])] += len(match[0])
    return found


def mixed(text: str) -> Mapping[str, int]:
    """How often which words hold letters of two scripts that look alike: by the word and what is odd in it.

    A text in another script has none: its words are all of that.
    """
    found: Counter[str] = Counter()
    if text.isascii() or not _alike().search(text):
        return found
    for match in _WORD.finditer(text):
        if not match[0].isascii() and (odd := _alike().search(match[0])) and _LATIN.search(match[0]):
            found[f"`{_around(match[0], odd.start())}` ({name(odd[0])})"] += 1
    return dict(found.most_common(_WORDS))


def _around(word: str, at: int) -> str:
    if len(word) <= _WORD_LENGTH:
        return word
    begin = max(0, at - _WORD_LENGTH // 2)
    return word[begin : begin + _WORD_LENGTH]


@functools.lru_cache(maxsize=4096)
def name(character: str) -> str:
    """Number and name: ``U+202E RIGHT-TO-LEFT OVERRIDE``."""
    import unicodedata

    code = ord(character)
    if code in _BYTES:
        return f"byte 0x{code - 0xDC00:02X}"
    if code < len(_CONTROLS) or code in _OTHERS:
        return f"U+{code:04X} {_OTHERS.get(code) or _CONTROLS[code]}"
    other = {"Cc": "CONTROL", "Cs": "HALF OF A CHARACTER", "Co": "PRIVATE USE"}
    return f"U+{code:04X} {unicodedata.name(character, other.get(unicodedata.category(character), 'UNASSIGNED'))}"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _told(match: re.Match[str]) -> str:
    times = f", {len(match[0])} times" if len(match[0]) > 1 else ""
    return f"⟨{name(match[0][0])}{times}⟩"
