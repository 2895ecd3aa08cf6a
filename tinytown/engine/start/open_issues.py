"""All open issues that a new mission could take: ``tt mission start --all``."""

from __future__ import annotations

from collections.abc import Sequence

from tinytown.engine.context import Context
from tinytown.engine.watch.done import done_by
from tinytown.errors import StateError, UnreachableError
from tinytown.forge.contract import IssueList


def open_issues(context: Context, *, again: bool = False, trust: bool = False) -> tuple[Sequence[str], Sequence[str]]:
    """Keys of the open issues of the town's repository, and remarks about those that are left out.

    Left out is what another live mission has, and, unless ``again``, what a mission of this town has done: local issues
    stay open then, as tinytown edits no file of yours. Unless ``trust``, also those by people who may not write there.

    Raises:
        StateError: the forge cannot list its issues, or none is left.
        UnreachableError: the forge does not answer.
    """
    forge = context.forge
    if not isinstance(forge, IssueList):
        raise StateError(f"the forge `{forge.kind}` cannot list its issues", remedy="name them: `tt mission start 1 2`")
    found = forge.open_issues()
    left_out = _taken(context, found, again=again)
    remarks = [f"{key} is left out: {why}" for key, why in left_out.items()]
    left = [key for key in found if key not in left_out]
    if not trust:
        strange = [key for key in left if not forge.issue(key).trusted]
        remarks += [
            f"{key} is left out: it is by somebody who may not write there; `--trust` takes it" for key in strange
        ]
        left = [key for key in left if key not in strange]
        left_out |= dict.fromkeys(strange, "")
    if not left:
        why = f"; left out: {', '.join(left_out)}" if left_out else ""
        raise StateError(
            f"{forge.repo} has no open issues to start{why}", remedy="write one, or name issues and `--again`"
        )
    return left, remarks


def _taken(context: Context, found: Sequence[str], *, again: bool) -> dict[str, str]:
    """Why an issue is left out, for those that are."""
    try:
        done = {} if again else done_by(context, found)
        taken = {key: context.store.mission_of_issue(key) for key in found}
    except UnreachableError:
        return {}  # A plan while the town is stopped: nobody can tell.
    words = {key: f"done by mission {mission[:8]}" for key, mission in done.items()}
    return words | {key: f"in mission {mission[:8]}" for key, mission in taken.items() if mission is not None}
