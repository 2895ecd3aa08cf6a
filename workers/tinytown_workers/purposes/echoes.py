"""Whether a change holds the line by which a reviewer approves: what only shows it would then approve by accident.

A reviewer's CLI may end with a text that it read: a file, a message, a patch. Where such a text can be the approving
line, the brief asks for that line with a word in it that nobody knew when the change was made.
"""

from __future__ import annotations

import re
from pathlib import Path

from tinytown.git.repository import Git, GitError
from tinytown.missions import verdict
from tinytown.processes import ProgramTimeoutError

#: Has git write a file into a folder in other bytes than those that are looked through here.
_ENCODED = "working-tree-encoding"
#: What a commit says: of its author, of who committed it, and its message.
_SAYS = "%an%n%ae%n%cn%n%ce%n%B"


def any_in(mirror: Path, base: str, sha: str) -> bool:
    """Whether a file, as one of the commits since ``base`` has it, the name of one, or what a commit says holds it."""
    own = Git.own(mirror)
    # With all parents: a merge can hold what neither of them has.
    commits = ("log", "--diff-merges=separate", "--no-renames", "--no-textconv", "--no-ext-diff", f"{base}..{sha}")
    try:
        return bool(
            own.line(*commits, "--max-count=1", "--format=%H", "--text", f"-G{verdict.ANYWHERE}|{_ENCODED}")
            or re.search(verdict.ANYWHERE, own.run(*commits, "-z", "--name-only", f"--format={_SAYS}").stdout)
        )
    except (GitError, ProgramTimeoutError):
        # What cannot be looked through may hold anything.
        return True
