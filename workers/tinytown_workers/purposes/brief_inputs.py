"""Gather what a brief is made from: records, the changes of dependencies, the repository's own rules.

All of it is read from the mirror or the records, never by git in an agent's clone.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tinytown import plugins
from tinytown.agents.driver import ReadsRules
from tinytown.engine.changes import checks_of, repo_of
from tinytown.engine.start.prompts import prompt_of
from tinytown.errors import TinytownError
from tinytown.git import diffs
from tinytown.git.repository import Git
from tinytown.missions import brief, lifecycle, messages, mission_state
from tinytown.missions.brief_inputs import BriefInputs, Dependency, Rules
from tinytown.missions.configuring import HOUSE_RULES
from tinytown.missions.records.agent import Message
from tinytown.missions.records.item import Item
from tinytown.missions.role_names import REVIEWER
from tinytown.missions.states import Outcome, Purpose
from tinytown.settings import AgentCliSettings
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.attempt.earlier_work import EarlierWork
from tinytown_workers.attempt.launch import answers_alone
from tinytown_workers.collect import content_policy, kept_refs
from tinytown_workers.limits import quota
from tinytown_workers.prepare import agent_configuration
from tinytown_workers.prepare.agent_configuration import Masked
from tinytown_workers.run.run_spec import read_log
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Prepared

#: Messages of a mailbox among which those are looked for that were said before.
EARLIER = 200
#: Characters that are shown of what one check printed, its end.
PRINTED = 1500
#: Changed files of configuration that are shown first.
_CHANGED = 200
#: Lines of a list of changed files.
_STAT_LINES = 60


def of_work(
    attempt: AttemptContext,
    start: EarlierWork,
    prepared: Prepared | None,
    *,
    broken: str = "",
    masked: Sequence[Masked] = (),
) -> str:
    """The brief of work or of a fix; without a clone there is no repository to tell about.

    ``broken`` is what a setup said that fails with the earlier work on the branch; ``masked`` are files of
    configuration that stand in the clone as the base has them.
    """
    item, mission, store = attempt.item, attempt.mission, attempt.engine.store
    wanted = mission_state.waited_for(item)
    stored = attempt.claim.brief or store.brief_records(mission.id, item.key, wanted)
    before = [stored.items[k] for k in wanted if k in stored.items]
    inputs = BriefInputs(
        mission=mission,
        item=item,
        issue=stored.issue,
        purpose=attempt.record.purpose,
        fence=secrets.token_hex(8),
        role_prompt=prompt_of(attempt.engine, mission.id, attempt.role),
        dependencies=[_left(attempt, one, stored.results.get(one.key, ""), prepared is not None) for one in before],
        documents=_documents(attempt),
        rules=_rules(attempt) if prepared is not None else (),
        checks=_checks(attempt) if prepared is not None else (),
        base=mission.base_of(repo_of(item, mission)) if prepared is not None else "",
        conflicts=prepared.conflicts if prepared is not None else (),
        unmarked=prepared.unmarked if prepared is not None else (),
        elsewhere=kept_refs.told(start.elsewhere, prepared.branch) if prepared is not None else (),
        resumed=start.unfinished,
        exceeded=_exceeded(attempt),
        broken=broken,
        masked=[f"{content_policy.shown(one.path)}{'' if one.there else ' (not there)'}" for one in masked],
    )
    attempt.read += inputs.messages
    return brief.compose(replace(inputs, before=_before(attempt, inputs.messages), mail=_told(attempt)))


def of_review(
    attempt: AttemptContext, diff: str, hidden: Sequence[str] = (), *, word: str = "", contested: bool = False
) -> str:
    """The brief of a review; ``hidden`` are files of the commit that are out of force, and not in its folder.

    Its reader has to approve with ``word`` if the change is ``contested``: it holds the line that approves without.
    """
    item = attempt.item
    stored = attempt.engine.store.brief_records(attempt.mission.id, item.key, [item.key])
    return brief.compose(
        BriefInputs(
            mission=attempt.mission,
            item=item,
            issue=stored.issue,
            purpose=attempt.record.purpose,
            fence=secrets.token_hex(8),
            role_prompt=prompt_of(attempt.engine, attempt.mission.id, REVIEWER),
            # Whoever wrote the change could write to its reviewer, too.
            mail=_told(attempt, people=True),
            documents=_documents(attempt),
            rules=_rules(attempt, judging=True) if diff else (),
            checks=_checks(attempt),
            first=_first(item),
            hidden=list(map(content_policy.shown, hidden)),
            configuration=_configuration(attempt) if diff else "",
            task=attempt.engine.store.issues(attempt.mission.id, [item.judge]).get(item.judge) if item.judge else None,
            diff=diff,
            result=stored.results.get(item.key, ""),
            unheard=_unheard(attempt) if item.mute_reviews else "",
            printed=_printed(attempt) if diff else "",
            in_answer=answers_alone(attempt),
            word=word,
            contested=contested,
        )
    )


def _before(attempt: AttemptContext, asked: Sequence[Message]) -> Sequence[Message]:
    """What was said before the messages that an item answers, in the same exchanges."""
    boxes = (attempt.claim.agent, *(messages.box_of(one.sender) for one in asked)) if asked else ()
    seen = [one for box in dict.fromkeys(boxes) for one in attempt.engine.mail.newest(box, EARLIER)]
    return messages.earlier(asked, seen)


def _told(attempt: AttemptContext, *, people: bool = False) -> Sequence[Message]:
    """What waits for the agent's next brief and asks for no answer, as much as there is room for."""
    name, read = attempt.claim.agent, attempt.claim.brief
    if read is not None and read.mail is not None:
        pending = read.mail
    else:
        pending = attempt.engine.mail.first_pending([name], messages.MOST_WAITING, kinds=messages.TOLD)[name]
    found = messages.told([one for one in pending if not people or one.sender in messages.PEOPLE])
    attempt.read += found
    return found


def _printed(attempt: AttemptContext) -> str:
    """The end of what the checks printed that passed on the commit, where their logs are on this machine."""
    ended = attempt.engine.store.finished_attempts(attempt.mission.id, attempt.item.key)
    proofs = [a for a in ended if not a.purpose.runs_agent and a.report.verdict is not None]
    passed = [
        a for a in proofs if a.report.verdict and a.report.verdict.passed and a.report.verdict.sha == attempt.record.sha
    ]
    folder = Path(passed[-1].report.log or "") if passed else None
    if folder is None or not folder.is_absolute():
        return ""
    texts = []
    for number, command in enumerate(_checks(attempt), start=1):
        said = "\n".join(read_log(folder / f"check-{number}" / name) for name in ("stdout.log", "stderr.log")).strip()
        texts += [f"$ {command}", said[-PRINTED:]] if said else []
    return "\n".join(texts)


def _configuration(attempt: AttemptContext) -> str:
    """What the change does to files that configure agents."""
    origin, sha = attempt.origin(repo_of(attempt.item, attempt.mission)), attempt.record.sha
    assert sha is not None
    table = agent_configuration.table_of(attempt.town.settings)
    changed = agent_configuration.changed(origin.mirror, origin.base, sha, table)
    shown = workspace.diff(origin.mirror, origin.base, sha, limit=brief.DIFF_LIMIT, only=changed[:_CHANGED])
    more = len(changed) - _CHANGED
    return f"[{more} more such files are changed]\n{shown}" if more > 0 else shown


def _exceeded(attempt: AttemptContext) -> str:
    """The limit that the last attempt at the work reached; empty where it did not."""
    if not attempt.item.failures:
        return ""
    ended = attempt.engine.store.finished_attempts(attempt.mission.id, attempt.item.key)
    works = [a.report for a in ended if a.purpose in (Purpose.WORK, Purpose.FIX)]
    if not works or works[-1].outcome is not Outcome.OVER_LIMIT:
        return ""
    return next((words for _, words in quota.REACHED.values() if works[-1].summary.startswith(words)), "")


def _unheard(attempt: AttemptContext) -> str:
    """What the newest review of the item that counted for nothing said instead of a verdict."""
    ended = attempt.engine.store.finished_attempts(attempt.mission.id, attempt.item.key)
    reviews = [a for a in ended if a.purpose is Purpose.REVIEW and a.report.outcome is Outcome.SUCCEEDED]
    return lifecycle.unheard(reviews[-1].report) if reviews else ""


def _first(item: Item) -> Sequence[str]:
    """What a reviewer must know first, one sentence each."""
    warnings, doubt = item.review_warnings, item.doubt
    said = []
    if doubt is not None and doubt.sha == item.head:
        said.append(f"with the checks as the base defines them: {doubt.why}")
    if warnings is not None and warnings.sha == item.head:
        said += [f"{remark.path}: {remark.text}" for remark in warnings.remarks]
        said += [f"and {warnings.more} more"] if warnings.more else []
    return said


def dependencies(attempt: AttemptContext) -> Sequence[Item]:
    """The items that this one waited for, in the order of their keys."""
    wanted = mission_state.waited_for(attempt.item)
    found = attempt.engine.store.some_items(attempt.mission.id, wanted)
    return [found[k].record for k in wanted if k in found]


def _documents(attempt: AttemptContext) -> Mapping[str, str]:
    if not attempt.mission.docs:
        return {}
    texts: dict[str, str] = attempt.engine.store.fixed(attempt.mission.id, "docs")
    return texts


def _checks(attempt: AttemptContext) -> Sequence[str]:
    if not attempt.mission.policy.checks:
        return []
    return checks_of(attempt.item, attempt.mission, attempt.town.settings)


def _left(attempt: AttemptContext, item: Item, result: str, with_change: bool) -> Dependency:
    known = Dependency(item.key, item.title, result)
    if item.head is None or not with_change:
        return known
    repo = repo_of(item, attempt.mission)
    try:
        origin = attempt.origin(repo)
        until = f"{item.merged}^1" if item.merged else origin.base
        own = Git.own(origin.mirror)
        fork = own.line("merge-base", until, item.head)
        flags = ("--no-ext-diff", "--no-textconv", "--no-color", f"--stat=100,70,{_STAT_LINES}")
        stat = own.run("diff", *flags, fork, item.head).stdout
        patch = diffs.diff(own, fork, item.head, limit=brief.PATCH_LIMIT)
    except TinytownError as error:
        # What it left is in the branch all the same.
        return Dependency(item.key, item.title, result, stat=f"(its change cannot be shown: {error.message})")
    elsewhere = repo if repo != repo_of(attempt.item, attempt.mission) else ""
    return Dependency(item.key, item.title, result, stat=stat, patch=patch, elsewhere=elsewhere)


def _rules(attempt: AttemptContext, *, judging: bool = False) -> Sequence[Rules]:
    """Those of the base; a reviewer's CLI reads none by itself."""
    origin = attempt.origin(repo_of(attempt.item, attempt.mission))
    settings = attempt.town.settings.agent_clis.get(attempt.cli) or AgentCliSettings()
    driver = plugins.driver(attempt.cli, settings)
    known = driver.house_rules if isinstance(driver, ReadsRules) and not judging else ()
    return house_rules(origin.mirror, origin.base, known=known)


def house_rules(mirror: Path, commit: str, *, known: Sequence[str] = ()) -> Sequence[Rules]:
    """The rules that a commit holds; ``known`` are those that the CLI reads by itself. The same text comes once."""
    own = Git.own(mirror)
    found: list[Rules] = []
    seen: set[str] = set()
    for entry in own.names("ls-tree", "-z", "-l", "--full-tree", commit, "--", *HOUSE_RULES):
        words, _, name = entry.partition("\t")
        mode, kind, blob, size = words.split()
        if kind != "blob" or mode == "120000":
            continue  # A link leads to another of them, or to where nobody should follow.
        if name in known:
            found.append(Rules(name, known=True))
            seen.add(blob)
        elif int(size) > 1 << 20:
            found.append(Rules(name, f"(too large to be shown here: {size} bytes; read it in the folder)"))
        else:
            found.append(Rules(name, blob))
    # Only now, since what one name of a text makes known needs no showing under another.
    rules: list[Rules] = []
    for one in found:
        if one.known or one.text.startswith("("):
            rules.append(one)
        elif one.text not in seen:
            seen.add(one.text)
            rules.append(Rules(one.name, own.run("cat-file", "blob", one.text).stdout))
    return rules
