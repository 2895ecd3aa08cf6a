"""The keys of work items: what they mean, when two are the same, and how they name branches and folders.

=====================  ==========================================================
``owner/repo#N``       an issue on GitHub; the same in any case
``local/<repo>#N``     an issue file of the local forge; ``<repo>`` is a slug
``<repo>:doc/<path>``  a document of a repository, e.g. ``owner/repo:doc/spec.md``
``<plan>:task/<id>``   a task of a plan
=====================  ==========================================================
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from tinytown.errors import ConfigurationError

#: First part of the key of every issue of the local forge.
LOCAL = "local"
#: Name of the plan of a town, in the keys of its tasks.
PLAN = "plan"
_TASK_MARK = ":task/"
#: Longest slug of a key; with ``tt/<mission>/`` before it a branch stays well under git's limits.
SLUG_LENGTH = 60
#: Digits of a number at the end of a key that count.
_DIGITS = 9

_OWNER = r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}"
_REPO = r"(?!\.{1,2}(?![A-Za-z0-9._-]))(?!-)[A-Za-z0-9._-]{1,100}"
_PLAN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_ISSUE = re.compile(rf"({_OWNER}/{_REPO})#([1-9][0-9]{{0,8}})")
_DOC = re.compile(rf"({_OWNER}/{_REPO}):doc/([^\x00-\x1f\x7f]{{1,500}})")
_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TASK = re.compile(rf"({_PLAN}):task/({_TASK_ID.pattern})")
#: A key whose slug can be read backwards: no dash in the owner, no other sign in the repository.
_PLAIN = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:-[a-z0-9]+)*#[0-9]+")


@dataclass(frozen=True)
class Key:
    """A key in its parts."""

    kind: Literal["github", "local", "doc", "task"]
    #: ``owner/repo``, ``local/<repo>``, or the name of the plan.
    repo: str
    #: Number of the issue; 0 for documents and tasks.
    number: int = 0
    #: Path of the document, or id of the task.
    name: str = ""

    def __str__(self) -> str:
        return f"{self.repo}#{self.number}" if self.number else f"{self.repo}:{self.kind}/{self.name}"


def is_task_id(text: str) -> bool:
    """Whether ``text`` can be the id of a task in a plan."""
    return _TASK_ID.fullmatch(text) is not None


def parse(text: str) -> Key:
    """The parts of a key.

    Raises:
        ConfigurationError: it is none.
    """
    if found := _ISSUE.fullmatch(text):
        repo, number = found.groups()
        return Key("local" if repo.lower().startswith(f"{LOCAL}/") else "github", repo, int(number))
    if (found := _DOC.fullmatch(text)) and not {"", ".", ".."} & set(found[2].split("/")):
        return Key("doc", found[1], name=found[2])
    if found := _TASK.fullmatch(text):
        return Key("task", found[1], name=found[2])
    raise ConfigurationError(
        f"{text[:80]!r} is not a key", remedy="write `owner/repo#2`, `local/repo#2`, `repo:doc/path` or `plan:task/id`"
    )


def normalise(key: str) -> str:
    """The form by which keys are compared: names of repositories are the same in any case."""
    parts = parse(key)
    return str(parts if parts.kind == "task" else replace(parts, repo=parts.repo.lower()))


def same(one: str, other: str) -> bool:
    """Whether two keys name the same thing."""
    return normalise(one) == normalise(other)


def order(key: str) -> tuple[str, int, str]:
    """For sorting: by repository, then by number, so that ``#2`` comes before ``#10``."""
    parts = parse(normalise(key))
    return (parts.repo, parts.number, parts.name)


def is_task(key: str) -> bool:
    """Whether it is the key of a task."""
    return _TASK_MARK in key and _TASK.fullmatch(key) is not None


def task_key(id_: str, *, plan: str = PLAN) -> str:
    """The key of a task of a plan."""
    return f"{plan}{_TASK_MARK}{id_}"


def typed(key: str) -> str:
    """What people type for it, in its own mission: ``2``, or the id of a task."""
    return key.partition(_TASK_MARK)[2] if is_task(key) else key.rpartition("#")[2]


def short(key: str) -> str:
    """What people call it, in its own mission: ``#2``, or the id of a task."""
    return f"#{typed(key)}" if "#" in key else typed(key)


def noun(key: str) -> str:
    """What it is, for people: ``Issue`` or ``Task``."""
    return "Task" if is_task(key) else "Issue"


def names(keys: Iterable[str], *, among: Iterable[str] = ()) -> dict[str, str]:
    """What people call these: ``#2``, or the id of a task, where all, and those ``among`` which they are, are of one
    repository or plan, else the whole key.
    """
    wanted = list(keys)
    several = len({_home(key).lower() for key in (*wanted, *among)}) > 1
    return {key: key if several or not _home(key) else short(key) for key in wanted}


def _home(key: str) -> str:
    """The repository, or the plan, of an issue or a task; empty for anything else."""
    return key.partition(_TASK_MARK)[0] if is_task(key) else key.rpartition("#")[0]


def slug(text: str, *, length: int = SLUG_LENGTH) -> str:
    """Lower-case letters, digits and single dashes; empty if ``text`` has none of them."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].rstrip("-")


def key_slug(key: str) -> str:
    """A name for files and branches, different for keys that are different.

    ``local/repo#2`` gives ``local-repo-2``; where words and signs could be confused, a hash follows.
    """
    known = normalise(key)
    if _PLAIN.fullmatch(known) and len(known) <= SLUG_LENGTH:
        return slug(known)
    return marked_slug(known)


def marked_slug(text: str) -> str:
    """A name for files, different for any texts that are different: a slug and a hash."""
    # The letter keeps it from looking like the number at the end of a plain one.
    mark = "x" + hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:10]
    return f"{slug(text, length=SLUG_LENGTH - len(mark) - 1)}-{mark}".lstrip("-")


def mission_of_branch(branch: str) -> str:
    """The first characters of the id of the mission that a branch of ours belongs to; ``RUN`` where it is none."""
    parts = branch.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "tt" else "RUN"


def branch_name(mission_short: str, key: str) -> str:
    """The branch of an item: ``tt/<first 8 of the mission's id>/<slug of the key>``."""
    return f"tt/{mission_short[:8]}/{key_slug(key)}"


def place(key: str) -> int:
    """The number that ends a key, as in ``local/project#12`` or ``hand:task/t12``; 0 where none does.

    What is alike otherwise goes in this order: 2 before 10, and what was given first before what came later.
    """
    digits = key[len(key.rstrip("0123456789")) :]
    return int(digits[:_DIGITS]) if digits else 0
