"""What a resumed run is charged for, whichever way its CLI counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tinytown import plugins
from tinytown.agents import meter
from tinytown.agents.driver import Driver, Output, Result
from tinytown.agents.meter import Reading
from tinytown.missions.states import Outcome
from tinytown.settings import AgentCliSettings, Settings
from tinytown.town import Town
from tinytown_workers.attempt import bills, meters
from tinytown_workers.attempt.bills import Bill

SESSION = "5e55104a-0000-4000-8000-000000000001"
#: (cost, input, output) of each run of a session. The third is larger than the first in every figure.
RUNS = [(0.20, 1000, 100), (0.05, 400, 30), (0.30, 3000, 150)]


def driver(cli: str) -> Driver:
    made: Driver = plugins.driver(cli, AgentCliSettings())
    return made


def claude(total: tuple[float, int, int], own: tuple[float, int, int], *, messages: bool = True) -> Output:
    cost, taken, given = total
    used = {"inputTokens": taken, "outputTokens": given, "cacheReadInputTokens": 0, "contextWindow": 200000}
    # A message comes in as many records as it has parts, and says little of its output while it grows.
    message = {"id": "m1", "model": "big", "usage": {"input_tokens": own[1] - 10, "output_tokens": 1}}
    said = {"type": "assistant", "session_id": SESSION, "message": message if messages else {"model": "big"}}
    result = {
        "type": "result", "subtype": "success", "is_error": False, "result": "done", "session_id": SESSION,
        "total_cost_usd": cost, "modelUsage": {"big": used},
    }  # fmt: skip
    return Output(0, "\n".join(json.dumps(record) for record in (said, said, result)), "")


def codex(total: tuple[float, int, int], own: tuple[float, int, int]) -> Output:
    events: list[dict[str, Any]] = [
        {"type": "thread.started", "thread_id": SESSION},
        {"type": "turn.started"},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "done"}},
        {"type": "turn.completed", "usage": {"input_tokens": total[1], "output_tokens": total[2]}},
    ]
    return Output(0, "\n".join(map(json.dumps, events)), "")


def outputs(cli: str, runs: Sequence[tuple[float, int, int]], *, sums: bool) -> list[Output]:
    """What the CLI says of each run: of the session so far (``sums``), or of the run."""
    made, total = [], (0.0, 0, 0)
    for own in runs:
        total = (total[0] + own[0], total[1] + own[1], total[2] + own[2])
        made.append((claude if cli == "claude" else codex)(total if sums else own, own))
    return made


def keep(logs: Path, output: Output) -> None:
    logs.mkdir(parents=True)
    (logs / "brief.md").write_text("# Task", encoding="utf-8")
    (logs / "stdout.log").write_text(output.stdout, encoding="utf-8")


@pytest.mark.parametrize("dead", [False, True], ids=["its workers live", "its workers died"])
@pytest.mark.parametrize("sums", [False, True], ids=["a run's figures", "a session's figures"])
@pytest.mark.parametrize("cli", ["claude", "codex"])
def test_each_run_of_a_session_is_charged_for_itself(tmp_path: Path, cli: str, *, sums: bool, dead: bool) -> None:
    """Also where nobody kept what the session had used, and its logs are all that is left."""
    runs = RUNS if cli == "claude" else RUNS[:2]
    spent = []
    for number, output in enumerate(outputs(cli, runs, sums=sums), 1):
        logs = tmp_path / str(number)
        keep(logs, output)
        resumed = SESSION if number > 1 else None
        if dead:
            bill = Bill("m", "r#1", number, cli, folder=str(tmp_path / "work"), logs=str(logs), session=resumed)
            spent.append(bills.last_run(cast("Town", SimpleNamespace(settings=Settings())), bill))
            (logs / meters.USED_FILE).unlink()
        else:
            before = meters.before(logs, resumed, driver(cli))
            spent.append(meters.charge(logs, meters.last_result(logs, driver(cli)), before))
    assert [one.tokens for one in spent] == [taken + given for _, taken, given in runs]
    if cli == "claude":
        assert [one.cost_usd for one in spent] == pytest.approx([cost for cost, _, _ in runs])
    else:
        assert {one.cost_usd for one in spent} == {None}


def result(cost: float | None, tokens: int | None, **more: Any) -> Result:
    return Result(Outcome.SUCCEEDED, session=SESSION, cost_usd=cost, tokens=tokens, **more)


@pytest.mark.parametrize(
    ("said", "before", "used"),
    [
        (result(0.3, 30), None, (0.3, 30)),
        (result(0.3, 30), Reading(0.1, 20), (0.2, 10)),
        (result(0.3, 10), Reading(0.1, 20), (0.3, 10)),  # One figure is less than before: it is not the session's.
        (result(0.05, 30), Reading(0.1, 20), (0.05, 30)),
        (result(None, 30), Reading(0.1, 20), (None, 30)),
        (result(0.3, None), Reading(0.1, None), (0.2, None)),
        (result(0.3, 30, of_run=True), Reading(0.1, 20), (0.3, 30)),
        # Of another model's input there is less than before.
        (result(0.3, 30, counters={"big": 30.0}), Reading(0.1, 20, {"big": 5.0, "small": 15.0}), (0.3, 30)),
        (result(0.1, 20), Reading(0.1, 20), (0.1, 20)),  # It answered, so it used something.
        (replace(result(0.1, 20), outcome=Outcome.USAGE_LIMIT), Reading(0.1, 20), (0.0, 0)),  # Refused at once.
        (result(None, None), Reading(0.1, 20), (None, None)),
    ],
)
def test_in_doubt_figures_that_contain_the_earlier_ones_are_the_sessions(
    said: Result, before: Reading | None, used: tuple[float | None, int | None]
) -> None:
    found = meter.of_run(said, before)
    assert (found.cost_usd, found.tokens) == used


def test_messages_that_were_left_out_prove_nothing() -> None:
    """Of a long log only head and tail are read."""
    whole = claude((0.25, 1400, 130), RUNS[1])
    cut = replace(whole, stdout=whole.stdout.replace("\n", "\n[70000 bytes left out]\n", 1))
    assert driver("claude").result(whole).sent == 390
    assert driver("claude").result(cut).sent is None
    assert driver("claude").result(claude(RUNS[0], RUNS[0], messages=False)).sent is None


def test_another_session_and_a_damaged_file_say_nothing(tmp_path: Path) -> None:
    for number, output in enumerate(outputs("claude", RUNS[:2], sums=True), 1):
        keep(tmp_path / str(number), output)
        meters.charge(tmp_path / str(number), driver("claude").result(output), None)
    assert meters.before(tmp_path / "3", "another", driver("claude")) is None
    (tmp_path / "2" / meters.USED_FILE).write_text("{", encoding="utf-8")
    found = meters.before(tmp_path / "3", SESSION, driver("claude"))
    assert found is not None
    assert found.cost_usd == pytest.approx(0.25)
    assert found.tokens == 1530
