"""Whether a change holds the line by which a reviewer approves: merely showing it might then count as an approval.

A reviewer's CLI may end with a text that it read: a file, a message, a patch. If such a text can be the approving line,
the brief asks for that line with a word in it that nobody knew when the change was made.
"""

from __future__ import annotations

import re
from pathlib import Path

from tinytown.git.repository import Git, GitError
from tinytown.missions import verdict
from tinytown.processes import ProgramTimeoutError

#: The attribute by which git writes a file in other bytes than those that are searched here.
_ENCODED = "working-tree-encoding"
#: The searched parts of a commit: author, committer and message.
_SAYS = "%an%n%ae%n%cn%n%ce%n%B"


def any_in(mirror: Path, base: str, sha: str) -> bool:
    """Whether one of the commits since ``base`` holds the line: in a file, in a file's name, or in its own text."""
    own = Git.own(mirror)
    # With all parents: a merge can hold what neither of them has.
    commits = ("log", "--diff-merges=separate", "--no-renames", "--no-textconv", "--no-ext-diff", f"{base}..{sha}")
    try:
        return bool(
            own.line(*commits, "--max-count=1", "--format=%H", "--text", f"-G{verdict.ANYWHERE}|{_ENCODED}")
            or re.search(verdict.ANYWHERE, own.run(*commits, "-z", "--name-only", f"--format={_SAYS}").stdout)
        )
    except (GitError, ProgramTimeoutError):
        # What cannot be searched may hold anything.
        return True
