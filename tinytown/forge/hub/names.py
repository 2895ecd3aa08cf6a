"""What the refs of a town are called in a hub, and what this machine knows of them.

::

    refs/tinytown/<town>/<repository>/town            whose refs these are (a blob)
                                      base/<branch>   bases of missions, as home has them
                                      beside          what goes with every clone besides commits (a blob)
                                      heads/<name>    branches `tt/<name>`
                                      work/<rest>     `refs/tinytown/<rest>` of the machine that made it

    refs/hub/<name>            in a mirror: the same, as the hub had it when last looked at
    refs/hub-seen/<commit>     in a mirror: commits that were fetched by their names
    refs/hub-town              in a mirror: which filling of the hub it has brought its work to

Nothing else in a hub is read or changed, so it may be a repository that people use for other things.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from tinytown import keys
from tinytown.forge import mirror

#: Where the refs of all towns are in a hub.
ROOT: Final = "refs/tinytown"
#: Where a mirror notes what the hub has.
KNOWN: Final = "refs/hub/"
#: In a mirror: the ``town`` of the hub that this machine brought its work to; an emptied hub has another one.
FILLED: Final = "refs/hub-town"
#: Where a mirror keeps what it fetched by name alone.
SEEN: Final = "refs/hub-seen/"
#: Where a mirror keeps what attempts brought in.
WORK: Final = "refs/tinytown/"

TOWN: Final = "town"
BESIDE: Final = "beside"
BASE: Final = "base/"
_HEADS, _WORK = "heads/", "work/"

#: What git takes in no part of a ref's name.
_NO_REF = re.compile(r"\.{2,}|^\.|\.$|\.lock$")


def place(repo: str) -> str:
    """A repository as a part of an address: ``shop`` for ``local/shop``, ``octo/shop`` as it is."""
    return repo.removeprefix(f"{keys.LOCAL}/")


def root(town: str, repo: str) -> str:
    """Where a repository's refs are in the hub; ends in a slash."""
    parts = (_NO_REF.sub(_quoted, quote(part, safe="")) for part in place(repo).lower().split("/"))
    return f"{ROOT}/{town}/{'/'.join(parts)}/"


def _quoted(found: re.Match[str]) -> str:
    return found[0].replace(".", "%2E")


def in_hub(ref: str) -> str | None:
    """The name of one of a mirror's refs in the hub, below the root; ``None`` for one that stays here."""
    if ref.startswith(WORK):
        return _WORK + ref.removeprefix(WORK)
    return _HEADS + ref.removeprefix(mirror.OURS) if ref.startswith(mirror.OURS) else None


def here(name: str) -> str | None:
    """The ref of a mirror that a name in the hub is about; ``None`` for what is no ref in a mirror."""
    for start, ref in ((_WORK, WORK), (_HEADS, mirror.OURS), (BASE, "refs/heads/")):
        if name.startswith(start):
            return ref + name.removeprefix(start)
    return None


def listed(pattern: str) -> str:
    """A pattern, whose star at the end means all that follows, as git takes it where it lists refs."""
    return pattern[:-1] if pattern == "*" or pattern.endswith("/*") else pattern


def is_work(name: str) -> bool:
    """Whether it names what an attempt left, which every machine that has it keeps by the same name."""
    return name.startswith(_WORK)
