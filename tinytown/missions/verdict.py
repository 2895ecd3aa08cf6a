"""A reviewer's verdict: by command, or as the last line of its output."""

from __future__ import annotations

_APPROVE = "VERDICT: APPROVE"
_REQUEST_CHANGES = "VERDICT: REQUEST_CHANGES:"


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

    Only the two exact forms count, ``VERDICT: APPROVE`` and ``VERDICT: REQUEST_CHANGES: why``. Whatever else
    stands there, a verdict in other words or without its reason included, is none: a gate that guesses
    would open for a sentence *about* approval.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    last = lines[-1].rstrip() if lines else ""
    if last == _APPROVE:
        return True, ""
    why = last.removeprefix(_REQUEST_CHANGES).strip() if last.startswith(_REQUEST_CHANGES) else ""
    return (False, why) if why else None
