"""What each CLI makes of a service in trouble, and what its driver makes of that: one run each, without a town.

Nothing of it may look like a success or like the agent's own failure, and the CLI's tries again have an end: a bounded
number of requests, in a bounded time.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.model_faults import Fault
from tests.fakes.model_server import model_server
from tests.vendors.alone import Alone, run
from tests.vendors.services import CLIS, KEY, known_to, ports, require
from tests.waiting import patience
from tinytown.missions.states import Outcome

#: Longest time of a run, in seconds of a machine with time to spare, and most requests in it.
LONGEST = 150.0
MOST_REQUESTS = 40
#: How long it may say nothing but its trouble, in seconds.
TROUBLE = 30.0
CLOSING = "It is there."
COMMAND = "date +%N > made-$TINYTOWN_ATTEMPT.txt"
HOURS = 2 * 3600


def faulty(cli: str, folder: Path, fault: Fault | None, *, key: str = KEY) -> Alone:
    """A run against a service with this fault; with ``None`` only the key may be wrong."""
    with model_server(key=KEY, command=COMMAND, closing=CLOSING, fault=fault) as model:
        env = known_to(cli, model.url, key=key)
        known = ports(cli, model.url)
        alone = run(cli, env, folder, timeout=patience(LONGEST), patience=TROUBLE, loopback=known)
    assert 0 < model.refused <= MOST_REQUESTS, f"{model.refused} requests: {alone}"
    assert alone.ended.reason in ("exited", "repeating"), str(alone)
    return alone


@pytest.mark.parametrize("cli", CLIS)
def test_a_key_that_is_refused_is_a_log_in_that_is_missing(cli: str, tmp_path: Path) -> None:
    alone = faulty(cli, tmp_path, None, key="sk-wrong")
    assert alone.result.outcome is Outcome.NOT_LOGGED_IN, str(alone)


#: Those that tell of the pause that a header asks for, by themselves or by what their driver gives them.
TELL_OF_HEADERS = ("codex", "kimi", "opencode", "qwen")
LIMITS = {
    "words": Fault("refused", 429, "You have hit your usage limit. Please try again in 2 hours.", ends=HOURS),
    "header": Fault("refused", 429, "Rate limit reached for requests", {"retry-after": str(HOURS)}),
}


@pytest.mark.parametrize("said", LIMITS)
@pytest.mark.parametrize("cli", CLIS)
def test_a_limit_is_one_and_its_end_is_read_where_the_cli_says_it(cli: str, said: str, tmp_path: Path) -> None:
    alone = faulty(cli, tmp_path, LIMITS[said])
    assert alone.result.outcome is Outcome.USAGE_LIMIT, str(alone)
    if said == "words" or cli in TELL_OF_HEADERS:
        assert alone.result.retry_after == pytest.approx(HOURS, abs=90), str(alone)


TROUBLES = {
    "500": Fault("refused", 500),
    "529": Fault("refused", 529, "Overloaded"),
    **{kind: Fault(kind, behind_work=True) for kind in ("error", "cut", "empty", "garbage")},
}


@pytest.mark.parametrize("what", TROUBLES)
@pytest.mark.parametrize("cli", CLIS)
def test_an_error_is_no_success_whatever_came_before_it(cli: str, what: str, tmp_path: Path) -> None:
    """Half an answer, an empty one, none of the protocol; the agent has worked before."""
    # aider runs no commands of its model.
    fault = replace(TROUBLES[what], behind_work=TROUBLES[what].behind_work and cli != "aider")
    alone = faulty(cli, tmp_path, fault)
    # An empty answer that the CLI takes for one is known as such: it fails nobody, should there be no work either.
    assert alone.result.outcome is Outcome.UNREACHABLE or (what == "empty" and alone.result.silent), str(alone)


@pytest.mark.parametrize("cli", CLIS)
def test_a_service_that_is_not_there_is_unreachable(cli: str, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        # Bound, and nobody listens: refused, and taken by no other.
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        env = known_to(cli, url)
        alone = run(cli, env, tmp_path, timeout=patience(LONGEST), patience=TROUBLE, loopback=ports(cli, url))
    assert alone.ended.reason in ("exited", "repeating"), str(alone)
    assert alone.result.outcome is Outcome.UNREACHABLE, str(alone)


def test_claude_ends_itself_where_its_run_has_cost_what_it_may(tmp_path: Path) -> None:
    """The unattended conductor's runs are given such a limit."""
    require("claude")
    with model_server(key=KEY, command=COMMAND, closing=CLOSING) as model:
        env, known, most = known_to("claude", model.url), ports("claude", model.url), 0.0005
        options = ("--max-budget-usd", str(most))
        alone = run("claude", env, tmp_path, timeout=120, patience=TROUBLE, loopback=known, options=options)
    assert alone.result.outcome is Outcome.USAGE_LIMIT, str(alone)
    assert alone.result.cost_usd is not None
    assert alone.result.cost_usd >= most
