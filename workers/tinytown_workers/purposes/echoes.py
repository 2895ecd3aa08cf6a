"""Whether a change holds the line by which a reviewer approves: what only shows it would then approve by accident.

A reviewer's CLI may end with a text that it read: a file, a message, a patch. Where such a text can be the approving
line, the brief asks for that line with a word in it that nobody knew when the change was made.
"""

from __future__ import annotations

from pathlib import Path

from tinytown.git.repository import Git, GitError
from tinytown.missions import verdict
from tinytown.processes import ProgramTimeoutError


def any_in(mirror: Path, base: str, sha: str) -> bool:
    """Whether a file, as one of the commits since ``base`` has it, or the message of one holds the line."""
    own = Git.own(mirror)
    newest = ("log", "--max-count=1", "--format=%H", f"{base}..{sha}")
    try:
        return bool(
            # With all parents: a merge can hold what neither of them has.
            own.line(
                *newest, "--diff-merges=separate", "--text", "--no-textconv", "--no-ext-diff", f"-G{verdict.ANYWHERE}"
            )
            or own.line(*newest, f"--grep={verdict.ANYWHERE}")
        )
    except (GitError, ProgramTimeoutError):
        # What cannot be looked through may hold anything.
        return True
