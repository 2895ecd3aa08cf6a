"""A reviewer's verdict: by command, or as the last line of its output."""

from __future__ import annotations

_APPROVE = "VERDICT: APPROVE"
_REQUEST_CHANGES = "VERDICT: REQUEST_CHANGES:"
#: How an answer in Markdown makes a line stand out. Backticks are not among them: they quote, as the brief does.
_BOLD = ("**", "__")
#: Characters of a line that are quoted.
_QUOTED = 120


def final_verdict(commanded: tuple[bool, str] | None, text: str) -> tuple[bool, str] | None:
    """The verdict of a review that gave one by command, or by the last line of its output, or by both.

    Where the two disagree the refusal counts, because nobody can tell which of them came last.
    """
    written = parse_verdict(text)
    if commanded is None or written is None:
        return commanded or written
    return written if commanded[0] else commanded


def parse_verdict(text: str) -> tuple[bool, str] | None:
    """The verdict that the last line with any text gives: approved or not, and why not.

    Only the two exact forms count, ``VERDICT: APPROVE`` and ``VERDICT: REQUEST_CHANGES: why``, plain or in bold.
    Whatever else stands there, a verdict in other words, in small letters or without its reason included, is none: a
    gate that guesses would open for a sentence *about* approval.
    """
    lines = _lines(text)
    return _of_line(lines[-1]) if lines else None


def missing(text: str) -> str:
    """What stands where the verdict should, and what should stand there: a sentence for people and reviewers.

    Only for a ``text`` that gives no verdict.
    """
    lines = _lines(text)
    if not lines:
        return "it said nothing"
    given = next((line for line in reversed(lines) if _of_line(line) is not None), None)
    if given is not None:
        return f'"{_short(given)}" is not its last line, so it does not count'
    return f'its last line is "{_short(lines[-1])}", but must be exactly {_wanted(lines[-1])}'


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _of_line(line: str) -> tuple[bool, str] | None:
    line = _plain(line)
    if line == _APPROVE:
        return True, ""
    why = line.removeprefix(_REQUEST_CHANGES).strip() if line.startswith(_REQUEST_CHANGES) else ""
    return (False, why) if why else None


def _plain(line: str) -> str:
    """The line without the bold of the whole of it, or of its beginning: ``**VERDICT:** APPROVE``."""
    mark = next((mark for mark in _BOLD if line.startswith(mark)), "")
    if not mark:
        return line
    if line.endswith(mark) and len(line) > 2 * len(mark):
        return line.removeprefix(mark).removesuffix(mark)
    head, closed, rest = line.removeprefix(mark).partition(mark)
    return head + rest if closed else line


def _short(line: str) -> str:
    line = " ".join(line.split())
    return line if len(line) <= _QUOTED else f"{line[:_QUOTED]}…"


def _wanted(line: str) -> str:
    """The form that was nearly met, or both."""
    approve, request = f"`{_APPROVE}`", f"`{_REQUEST_CHANGES} why`"
    words = line.casefold()
    near = [form for form, word in ((approve, "approve"), (request, "request")) if word in words]
    return near[0] if len(near) == 1 else f"{approve} or {request}"
