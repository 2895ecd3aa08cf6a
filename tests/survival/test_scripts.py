"""Every Lua script does what its model does, whatever came before; and a fault in one of them would be seen.

``EXAMPLES_TIMES=100`` runs more sequences, ``SCRIPT_FAULTS=all`` plants every fault.
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
#: Planted in every run of the tests.
QUICK = ("only_the_first_field_is_compared", "anybody_renews", "nobody_is_told_of_more", "what_stays_goes")
ALL = os.environ.get("SCRIPT_FAULTS") == "all"

#: Most rounds of sequences until each answer was met: which are, is chance.
ROUNDS = 10
#: Answers of each script that some sequence must have met.
MET = {
    ("commit", "done"), ("commit", "refused"), ("commit", "again"), ("commit", "first"), ("renew", "done"),
    ("renew", "refused"), ("view", "done"), ("view", "cut"), ("view", "whole"), ("view", "ripe"), ("set_aside", "done"),
    ("set_aside", "refused"), ("snapshot", "done"), ("snapshot", "refused"), ("replace", "done"),
}  # fmt: skip


def run(
    server: Server, sequences: int, *, planted: tuple[str, str, str] | None = None, quietly: bool = False
) -> Counter[tuple[str, str]]:
    """Run the machine; a failure is shrunk unless it is wanted (``quietly``). Gives the answers that were met."""
    machine = type("Machine", (Machine,), {"url": server.url, "planted": planted, "seen": Counter()})
    phases = [Phase.generate] if quietly else [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
    budget = settings(
        max_examples=sequences, stateful_step_count=40, phases=phases, database=None, print_blob=True,
        report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=budget)
    return machine.seen  # type: ignore[attr-defined, no-any-return]


def test_every_script_does_what_its_model_does(server: Server) -> None:
    """Answers and stored records are equal after every step of random sequences."""
    met: Counter[tuple[str, str]] = Counter()
    for _ in range(ROUNDS):
        met += run(server, examples(40))
        if set(met) >= MET:
            break
    assert set(met) >= MET, f"never met: {MET - set(met)}"


@pytest.mark.parametrize("name", FAULTS if ALL else QUICK)
def test_a_fault_in_a_script_would_be_seen(server: Server, name: str) -> None:
    with pytest.raises(AssertionError):
        seed(7)(run)(server, 400, planted=FAULTS[name], quietly=True)


def test_every_script_has_a_model_and_faults() -> None:
    """Whoever adds a script says a second time what it is to do."""
    folder = Path(tinytown.__file__).parent / "state" / "lua"
    scripts = {path.stem for path in folder.glob("*.lua")}
    assert scripts == set(MODELS)
    assert scripts == {script for script, _, _ in FAULTS.values()}
    assert scripts == {script for script, _ in MET}


def test_every_command_of_a_commit_has_a_model() -> None:
    """Whatever the product puts into a draft is told in the model, too."""
    root = Path(tinytown.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in root.rglob("*.py")]
    found = {name for text in texts for name in re.findall(r'\bdraft\.write\(\s*"([A-Z_]+)"', text)}
    assert len(found) > 10
    assert found <= set(COMMANDS)
