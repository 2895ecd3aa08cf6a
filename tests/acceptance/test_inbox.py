"""``tt inbox`` and ``tt send`` as they are typed: a look takes nothing, and what is refused says what to do instead."""

from __future__ import annotations

import io
import re
import sys

import pytest

from tests.acceptance.project import Project
from tests.waiting import wait_until
from tinytown.cli import mail


def test_looking_into_mailboxes_and_marking_one_as_read(project: Project) -> None:
    project.found({1: "# One\n"})
    project.spawn("ann")
    # It takes nothing now, so what is sent stays where it is.
    project.tt("interrupt", "ann")
    said = project.tt("send", "ann", "use the blue one", "--urgent").stdout
    assert said == "✉️  sent to ann as m1: `ann` is interrupted, and gets it when it goes on: `tt resume ann`\n"
    said = project.tt("send", "ann", "how far are you?\nreally", "--query", "--from", "supervisor").stdout
    assert said.startswith("✉️  sent to ann as m2, together with m1: `ann` is interrupted")
    project.tt("send", "operator", "I begin", "--info", "--from", "ann")
    project.tt("send", "supervisor", "which database?", "--query", "--from", "ann")
    # What waits for it asks, too: nobody else can take it.
    wait_until(lambda: len(project.json("status")["questions"]) == 2, description="both ask")
    for _ in range(2):
        shown = project.tt("inbox", "ann").stdout
        assert re.fullmatch(
            r"📬 ann: 2 pending \(T:1 Q:1 I:0 C:0\)\n"
            r"   \[T\] m\d+ from operator, \d+s ago, urgent:\n      use the blue one\n"
            r"   \[Q\] m\d+ from conductor, \d+s ago:\n      how far are you\?\n      really\n",
            shown,
        ), shown
        shown = project.tt("inbox", "conductor").stdout
        assert re.fullmatch(
            r"🆘 Open questions: 2\n(?s:.*)   ann, \d+s ago:\n   - which database\?\n     answer: tt send ann \"…\"\n"
            r"(?s:.*)📬 conductor: 3 new \(T:0 Q:2 I:1 C:0\)\n   \[I\] m\d+ from ann, \d+s ago:\n      I begin\n",
            shown,
        ), shown
        boxes = project.tt("inbox", "-a").stdout
        assert re.search(
            r"📬 ann \(.+ \[worker\], paused\): 2 pending \(T:1 Q:1 I:0 C:0\)\n   \[T\] .*: use the blue", boxes
        )
        assert re.search(r"📬 conductor: 3 new \(T:0 Q:2 I:1 C:0\)\n", boxes)
    assert [(box["name"], len(box["messages"])) for box in project.json("inbox", "--all")] == [
        ("ann", 2), ("conductor", 3),
    ]  # fmt: skip
    status = project.tt("status").stdout
    assert "paused, 2 pending (T:1 Q:1 I:0 C:0)" in status
    assert "📬 conductor: 3 new (T:0 Q:2 I:1 C:0); `tt inbox` shows them" in status
    assert re.search(r"ann .* T:1 Q:1 I:0 C:0 ", project.tt("list").stdout)

    assert "I begin" in project.tt("inbox", "--mark-read").stdout
    left = project.tt("inbox").stdout
    assert "which database?" in left
    assert "I begin" not in left
    assert "I begin" in project.tt("inbox", "--history").stdout
    assert "only the conductor's mailbox" in project.tt("inbox", "ann", "--mark-read", code=4).stderr
    assert project.json("inbox", "conductor", "--all") == project.json("inbox", "--history")
    for words in (("--history",), ("--mark-read",), ("ann", "--mark-read")):
        assert "--all shows what is pending in every mailbox" in project.tt("inbox", "--all", *words, code=2).stderr
    assert "--query and --info cannot be used together" in (
        project.tt("send", "ann", "x", "--query", "--info", code=2).stderr
    )
    assert "did you mean `ann`?" in project.tt("send", "anm", "x", code=3).stderr
    assert "`supervisor` is the conductor" in project.tt("spawn", "supervisor", "--cli", "fake", code=2).stderr


@pytest.mark.parametrize(
    ("stdin", "text"),
    [
        (b"a\nb\n\n", "a\nb"),
        (b"\xff!", "\ufffd!"),
        (b"", ""),
        (b"x" * (1 << 20), "x" * mail.TEXT_LIMIT),
    ],
)
def test_a_text_on_stdin(monkeypatch: pytest.MonkeyPatch, stdin: bytes, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    assert mail._taken("-") == text


def test_a_text_that_is_no_text_becomes_one() -> None:
    """As the shell gives bytes that are no UTF-8."""
    assert mail._taken("caf\udce9") == "caf\ufffd"
