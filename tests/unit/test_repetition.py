"""An agent that only says again and again that its model does not answer, and those that do anything else."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from tinytown import plugins
from tinytown.agents.driver import LONGEST_WAIT, Sort, SortsLines, TellsWaits
from tinytown.settings import AgentCliSettings
from tinytown_workers.run.repetition import LEAST, PATIENCE, Repetition, Waiting


def sorter(cli: str) -> SortsLines:
    driver = plugins.driver(cli.partition(",")[0], AgentCliSettings())
    assert isinstance(driver, SortsLines)
    return driver


def first_end(cli: str, lines: Iterable[str], *, pause: float) -> float | None:
    """When a run that prints these, with this pause between them, would be ended."""
    repetition = Repetition(sorter(cli).sort)
    for number, line in enumerate(lines):
        if repetition.feed(line, number * pause):
            return number * pause
    return None


def opencode(number: int, reason: str = "unknown") -> list[str]:
    """A step of opencode: other ids and times in each, and other words of its model."""
    part = {"id": f"prt_{number}", "reason": reason}
    return [
        json.dumps({"type": "step_start", "timestamp": number, "part": {"id": f"prt_{number}"}}),
        json.dumps({"type": "text", "timestamp": number, "part": {"text": f"Let me see, {'x' * number}"}}),
        json.dumps({"type": "step_finish", "timestamp": number, "part": part}),
    ]


TROUBLE = {
    "opencode": [line for number in range(900) for line in opencode(number)],
    # With the blank lines that stand around its records.
    "opencode, waiting": [
        line for n in range(900) for line in ("", json.dumps({"type": "tinytown.waiting", "secs": 30, "n": n}))
    ],
    "codex": [json.dumps({"type": "error", "message": f"Reconnecting... {n}/5"}) for n in range(900)],
    "claude": [
        json.dumps({"type": "system", "subtype": "api_retry", "attempt": n, "error_status": 529}) for n in range(900)
    ],
    "kimi": [json.dumps({"role": "meta", "type": "turn.step.retrying", "failed_attempt": n}) for n in range(900)],
    "copilot": [json.dumps({"type": "session.error", "data": {"message": f"try {n}"}}) for n in range(900)],
    "pi": [
        json.dumps({"type": kind, "message": {"role": "assistant", "stopReason": "error", "n": n}})
        for n in range(300)
        for kind in ("turn_start", "message_end", "auto_retry_start")
    ],
    "cline": [
        json.dumps({"type": "agent_event", "event": {"type": kind, "iteration": n}})
        for n in range(300)
        for kind in ("iteration_start", "error")
    ],
    "qwen": [
        line
        for n in range(300)
        for line in (
            "",
            json.dumps({"type": "tinytown.unanswered", "message": f"try {n}"}),
            json.dumps({"type": "system", "subtype": "retry", "data": {"reason": "retry"}}),
        )
    ],
}


@pytest.mark.parametrize("cli", TROUBLE)
def test_who_says_nothing_else_is_ended(cli: str) -> None:
    ended = first_end(cli, TROUBLE[cli], pause=0.5)
    assert ended is not None
    assert PATIENCE <= ended < PATIENCE + 10


@pytest.mark.parametrize("cli", TROUBLE)
def test_who_works_between_its_trouble_is_not(cli: str) -> None:
    work = json.dumps({"type": "tool_use", "part": {"tool": "bash"}})
    lines = [line for n, one in enumerate(TROUBLE[cli]) for line in ([work, one] if n % 200 == 0 else [one])]
    assert first_end(cli, lines, pause=0.5) is None


@pytest.mark.parametrize("cli", [*TROUBLE, "gemini", "aider", "auggie", "cursor"])
@pytest.mark.parametrize(
    "line", [".", "", "ERROR: test_17 failed", "429 Too Many Requests, retrying in 5 s", "error: connection refused"]
)
def test_progress_and_tests_are_never_trouble(cli: str, line: str) -> None:
    assert first_end(cli, [line] * 5000, pause=1.0) is None


def test_a_few_tries_in_a_row_or_a_few_in_an_hour_are_none() -> None:
    """Patience and number are both needed, and a command that runs long after a try is work."""

    def sort(line: str) -> Sort:
        return "trouble" if line == "t" else "work"

    quick, slow = Repetition(sort), Repetition(sort)
    assert not any(quick.feed("t", 0.1 * n) for n in range(500))
    assert not any(slow.feed("t", 600.0 * n) for n in range(LEAST - 1))
    assert not quick.feed("", 1000.0)
    assert not quick.feed("t", 1001.0)


@pytest.mark.parametrize(
    ("cli", "type_", "key", "unit"),
    [
        ("kimi", "turn.step.retrying", "delay_ms", 1000),
        ("opencode", "tinytown.waiting", "secs", 1),
        ("qwen", "tinytown.unanswered", "secs", 1),
    ],
)
def test_who_waits_for_longer_than_a_minute_is_ended_at_once(cli: str, type_: str, key: str, unit: int) -> None:
    """Its service asks for it; a shorter pause is one try among others."""
    work = json.dumps({"type": "tool_use", "part": {"tool": "bash"}})

    def waits(secs: float) -> str:
        return json.dumps({"type": type_, key: secs * unit})

    assert first_end(cli, [work, waits(7200)], pause=1.0) == 1.0
    assert first_end(cli, [work, waits(LONGEST_WAIT), work], pause=1.0) is None


def test_a_wait_that_codex_logs_is_one_for_as_long_as_it_is_too_long() -> None:
    """On its stderr, where other lines may follow; those of its parts that took only seconds are none."""

    def logged(pause: str) -> str:
        return f"2026-10-01T12:00:00.1Z  WARN codex_core::x: retrying sampling request (1/3 in {pause})... retries=1"

    driver = plugins.driver("codex", AgentCliSettings())
    assert isinstance(driver, TellsWaits)
    waiting = Waiting(driver.waits)
    for line in (logged("201.5ms"), logged("60s"), logged("7200µs"), "Error: 429, in 7200 s", ""):
        assert not waiting.feed(line, 0.0), line
    assert waiting.feed(logged("7199.99s"), 1.0)
    assert waiting.feed("another line of its log", 2.0)
