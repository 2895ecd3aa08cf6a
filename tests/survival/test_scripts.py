"""Every Lua script does what its model does, whatever came before; and a fault in one of them would be seen.

``EXAMPLES_TIMES=100`` runs more sequences, ``SCRIPT_FAULTS=all`` plants every fault under random ones, too.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

import tinytown
from tests.examples import examples
from tests.survival.directed import DIRECTED, direct
from tests.survival.done import note
from tests.survival.lua_machine import Machine
from tests.survival.records_model import COMMANDS, MODELS
from tinytown.host.server import Server

#: Faults: a script, words of it, and what stands there instead.
FAULTS = {
    "only_the_first_field_is_compared": ("commit", "1, count do\n      local f", "1, 1 do\n      local f"),
    "a_refusal_writes": ("commit", "return {0, index, fields[i]}", "break"),
    "versions_are_not_compared": ("commit", "if found ~= ARGV[at + 2 * i + 1] then", "if false then"),
    "an_absent_record_may_be_any": ("commit", "or '0'\n      if", "or ARGV[at + 2 * i + 1]\n      if"),
    "a_lease_is_never_looked_at": ("commit", "return not score or tonumber(score) <= now()", "return true"),
    "nobody_reclaims": ("commit", "return not score or tonumber(score) <= now()", "return not score"),
    "leases_from_the_epoch": ("commit", "now() + tonumber(rest[i + 1])", "tonumber(rest[i + 1])"),
    "one_history_is_forgotten": (
        "commit",
        "redis.call('XADD', KEYS[tonumber(rest[2])], 'MAXLEN', '~', rest[3]",
        "redis.call('XADD', key, 'MAXLEN', '~', rest[3]",
    ),
    "a_day_forgets_its_tokens": ("commit", "if tokens ~= '' then", "if false then"),
    "costs_are_kept_for_ever": ("commit", "if #kept < tonumber(rest[3]) then", "if true then"),
    "the_day_before": ("view", "math.floor(time[1] / 86400)", "math.floor(time[1] / 86400) - 1"),
    "a_day_limited_by_a_person": ("view", "== '1' or used[6]", "== '1'"),
    "anybody_renews": ("renew", "string.match(holder, '^([^\\n]*)') ~= ARGV[2]", "false"),
    "a_dead_attempt_is_renewed": ("renew", "if not holder or string", "if holder and string"),
    "renewed_by_nothing": ("renew", " + tonumber(ARGV[3])", ""),
    "a_line_stops_all_behind_it": ("view", "if count == #names and count <= page then", "if count > 0 then"),
    "nobody_is_told_of_more": ("view", "ends[#ends + 1] = entries[#entries]", ""),
    "a_line_hides_its_neighbour": ("view", ".. '!'", ".. '~'"),
    "time_never_comes": ("view", "'-inf', string.format", "'+inf', string.format"),
    "a_message_is_copied": ("set_aside", "redis.call('HDEL', KEYS[1], ARGV[2])", ""),
    "a_message_is_dropped": ("set_aside", "redis.call('RPUSH', KEYS[2], ARGV[1])", ""),
    "whatever_was_taken_last": ("set_aside", "redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[1]", "false"),
    "copies_stay": ("snapshot", "redis.call('PEXPIRE', target .. name, life)", ""),
    "room_is_not_looked_at": ("snapshot", "if room < 0 then", "if false then"),
    "only_whole_names_are_copied": ("snapshot", "string.sub(name, 1, #start) == start", "false"),
    "records_end_by_themselves": ("replace", "redis.call('PERSIST', name)", ""),
    "what_stays_goes": ("replace", "elseif not stays(string.sub(key, #prefix + 1)) then", "else"),
    "what_was_there_stays": ("replace", "removed = removed + redis.call('UNLINK', key)", "removed = removed + 1"),
}  # fmt: skip
ALL = os.environ.get("SCRIPT_FAULTS") == "all"
#: Planted under random sequences, too, in every run of the tests.
QUICK = ("leases_from_the_epoch",)
#: Random sequences of an ordinary run.
SEQUENCES = examples(40) if ALL else 12


def machine_of(server: Server, planted: tuple[str, str, str] | None = None) -> type[Machine]:
    """The machine on this server, with nothing met yet."""
    return type("Machine", (Machine,), {"url": server.url, "planted": planted, "seen": Counter()})


def run(server: Server, sequences: int, *, planted: tuple[str, str, str] | None = None, quietly: bool = False) -> None:
    """Run random sequences; a failure is shrunk unless it is wanted (``quietly``)."""
    phases = [Phase.generate] if quietly else [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
    budget = settings(
        max_examples=sequences, stateful_step_count=40, phases=phases, database=None, print_blob=True,
        report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(machine_of(server, planted), settings=budget)


def run_directed(server: Server, answer: tuple[str, str], planted: tuple[str, str, str] | None = None) -> None:
    """The sequence that leads to this answer."""
    machine = machine_of(server, planted)()
    try:
        direct(machine, answer)
        assert machine.seen[answer], f"it was never {answer}"
    finally:
        machine.teardown()


@pytest.mark.parametrize("answer", DIRECTED, ids=" ".join)
def test_every_answer_of_a_script_is_that_of_its_model(server: Server, answer: tuple[str, str]) -> None:
    run_directed(server, answer)


def test_every_script_does_what_its_model_does(server: Server) -> None:
    """Answers and stored records are equal after every step of random sequences."""
    run(server, SEQUENCES)


def _seen_by(server: Server, name: str) -> str:
    """The answer to which a sequence leads that sees this fault."""
    for answer in DIRECTED:
        if answer[0] == FAULTS[name][0]:
            try:
                run_directed(server, answer, FAULTS[name])
            except AssertionError:
                return " ".join(answer)
    return ""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_a_script_is_seen(server: Server, name: str) -> None:
    by = _seen_by(server, name)
    note({"name": name, "by": by})
    assert by, "nothing saw it"


@pytest.mark.parametrize("name", FAULTS if ALL else QUICK)
def test_a_fault_in_a_script_is_seen_by_chance_as_well(server: Server, name: str) -> None:
    """Else what is meant to find what nobody thought of would find nothing."""
    seen = False
    try:
        seed(7)(run)(server, 400, planted=FAULTS[name], quietly=True)
    except AssertionError:
        seen = True
    note({"name": name, "chance": seen})
    assert seen


def test_every_script_has_a_model_and_faults() -> None:
    """Whoever adds a script says a second time what it is to do."""
    folder = Path(tinytown.__file__).parent / "state" / "lua"
    scripts = {path.stem for path in folder.glob("*.lua")}
    assert scripts == set(MODELS)
    assert scripts == {script for script, _, _ in FAULTS.values()}
    assert scripts == {script for script, _ in DIRECTED}


def test_every_command_of_a_commit_has_a_model() -> None:
    """Whatever the product puts into a draft is told in the model, too."""
    root = Path(tinytown.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in root.rglob("*.py")]
    found = {name for text in texts for name in re.findall(r'\bdraft\.write\(\s*"([A-Z_]+)"', text)}
    assert len(found) > 10
    assert found <= set(COMMANDS)
