"""What a change does to what judges it, read from the mirror; the rules are in ``missions.judging``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from tinytown.engine.changes import repo_of
from tinytown.git.repository import Git
from tinytown.missions import judging
from tinytown.missions.judging import Changed
from tinytown.missions.records.evidence import ReviewWarnings, Verdict
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.checking.check_runner import CheckRunner
from tinytown_workers.collect import tree_size
from tinytown_workers.prepare import agent_configuration
from tinytown_workers.prepare.setup import SetupFailedError

#: Largest file that is read, bytes of all of them, and how many are.
TEXT_LIMIT = 512 * 1024
ALL_LIMIT = 24 << 20
TEXTS = 400

_HOW: dict[str, Literal["added", "changed", "removed", "renamed"]] = {
    "A": "added", "C": "added", "D": "removed", "R": "renamed",
}  # fmt: skip


def judge_facts(attempt: AttemptContext, mirror: Path, base: str, head: str, commands: Sequence[str]) -> ReviewWarnings:
    """What whoever reviews ``head`` must know first; ``base`` is the tip of the base."""
    fork = _fork(Git.own(mirror), base, head)
    always = agent_configuration.guarded(attempt.town, repo_of(attempt.item, attempt.mission), mirror, fork, head)
    changes = _changes(mirror, fork, head, commands)
    return judging.remarks_on(
        changes, sha=head, commands=commands, patterns=attempt.mission.policy.protected, always=always.holds
    )


def doubt(check_runner: CheckRunner, head: str, commands: Sequence[str]) -> Verdict | None:
    """Why the checks, as the base defines them, refuse a change that defines them differently; ``None`` if they do not.

    Raises:
        CutShortError: the attempt was ended meanwhile.
    """
    own = Git.own(check_runner.mirror)
    fork = _fork(own, check_runner.base, head)
    differing = judging.judged_by(_changes(check_runner.mirror, fork, head, commands), commands)
    if not differing:
        return None
    try:
        result = check_runner.run_checks(
            _with_definitions(check_runner.mirror, fork, head, differing), commands, name="asbase-"
        )
    except SetupFailedError as error:
        return Verdict(passed=False, sha=head, why=error.message, details=error.tail)
    if result.verdict.passed:
        return None
    # If they fail on the base itself, they say nothing about the change.
    if not check_runner.run_checks(fork, [result.failed], name="base-").verdict.passed:
        return None
    return result.verdict.evolve(sha=head)


def _fork(own: Git, base: str, head: str) -> str:
    """The commit of the base that a change was made on."""
    return own.run("merge-base", base, head, ok=(0, 1)).stdout.strip() or base


def _changes(mirror: Path, fork: str, head: str, commands: Sequence[str]) -> list[Changed]:
    own = Git.own(mirror)
    found = list(_differences(own, fork, head))
    wanted = [one for one in found if any(judging.relevant(path, commands) for path in one[1:3] if path)][:TEXTS]
    shas = {sha for one in wanted for sha in one[3:] if sha.strip("0")}
    texts = _texts(own, sorted(shas))
    return [
        Changed(path, _HOW.get(how, "changed"), texts.get(before, ""), texts.get(after, ""), old)
        for how, path, old, before, after in found
    ]


def _differences(own: Git, fork: str, head: str) -> Iterator[tuple[str, str, str, str, str]]:
    """Letter, path, earlier path, and the blobs before and after, of each file that differs."""
    flags = ("--raw", "-z", "-M", "-l1000", "--no-abbrev", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
    parts = iter(own.names("diff", *flags, fork, head))
    for header in parts:
        _, _, before, after, how = header.split(" ")
        path = next(parts)
        old = ""
        if how[0] in ("R", "C"):
            old, path = path, next(parts)
        yield how[0], path, old if how[0] == "R" else "", before, after


def _texts(own: Git, shas: Sequence[str]) -> dict[str, str]:
    if not shas:
        return {}
    lines = own.line(
        "cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", input="".join(f"{s}\n" for s in shas)
    )
    short, room = [], ALL_LIMIT
    for sha, kind, size in (line.split(" ") for line in lines.splitlines()):
        if kind == "blob" and int(size) <= min(TEXT_LIMIT, room):
            short.append(sha)
            room -= int(size)
    return {
        sha: content.decode(errors="replace") for sha, content in tree_size.contents(own, short) if b"\0" not in content
    }


def _with_definitions(mirror: Path, fork: str, head: str, differing: Sequence[Changed]) -> str:
    """A commit like ``head`` in which these definitions are as they were at ``fork``."""
    with tempfile.TemporaryDirectory(prefix="tt-definitions-") as temporary:
        own = Git.own(mirror, index=Path(temporary) / "index")
        own.run("read-tree", head)
        for one in differing:
            text = judging.restored(one)
            entry = own.names("ls-tree", "-z", "--full-tree", fork, "--", f":(top,literal){one.path}")
            if text is None or not entry:
                # Without a work tree, only lines like this one remove an entry.
                own.run("update-index", "-z", "--index-info", input=f"0 {'0' * len(head)}\t{one.path}\0")
                continue
            mode, _, blob = entry[0].partition("\t")[0].split(" ")
            if text != one.before:
                blob = own.line("hash-object", "-w", "--stdin", input=text)
            own.run("update-index", "-z", "--index-info", input=f"{mode} {blob}\t{one.path}\0")
        return own.commit_tree(own.line("write-tree"), [head], "The change, with the checks as the base defines them\n")
