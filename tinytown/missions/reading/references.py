"""References to issues as people write them: ``#3``, ``GH-3``, ``owner/repo#3``, URLs of any GitHub, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: Stands for a reference to an issue.
REF: Final = "\ue000"

_OWNER = r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}"
_REPO = r"[A-Za-z0-9._-]{1,100}"
_NUMBER = r"[1-9][0-9]{0,8}(?![0-9A-Za-z_]|-[A-Za-z]|\.[0-9])"
_URL_TEXT = (
    rf"(?:https?://(?P<host>[A-Za-z0-9.-]{{1,253}}(?::[0-9]{{1,5}})?)|(?:www\.)?github\.com)"
    rf"/(?P<url_owner>{_OWNER})/(?P<url_repo>{_REPO})/(?:issues|pull)/(?P<url_number>[1-9][0-9]{{0,8}})"
    rf"(?![0-9A-Za-z_-])(?:[/?#][^\s<>()\[\]{{}}\"'|,;]{{0,300}}(?<![.:!?]))?"
)
_URL = re.compile(_URL_TEXT, re.IGNORECASE)
_RELATIVE = re.compile(
    rf"(?:/(?P<owner>{_OWNER})/(?P<repo>{_REPO})|\.\.|\.\./\.\.)/(?:issues|pull)/(?P<number>[1-9][0-9]{{0,8}})"
)
#: Finds references in text; in it a link that was read already is ``REF``, its number, ``REF``.
REFERENCE: Final = re.compile(
    rf"{REF}(?P<link>[0-9]+){REF}|(?<![A-Za-z0-9_/@.&-]){_URL_TEXT}"
    rf"|(?<![A-Za-z0-9_/@.#&-])(?P<owner>{_OWNER})/(?P<repo>{_REPO})#(?P<number>{_NUMBER})"
    # After a slash or a dash only where that joins two numbers: `#1/#2`, `#1-#3`.
    rf"|(?<![A-Za-z0-9_@#&])(?<![^.]\.)(?<![^0-9]/)(?<![^0-9\s]-)#(?P<own>{_NUMBER})"
    rf"|(?<![A-Za-z0-9_/@.#&-])GH-(?P<gh>{_NUMBER})",
    re.IGNORECASE,
)
#: Cheap and wide: where this finds nothing there is no reference.
MAYBE: Final = re.compile(r"#[1-9]|GH-[1-9]|/(?:issues|pull)/[1-9]", re.IGNORECASE)
#: A host of GitHub's, or of a company's own: ``github.acme.com``, ``ghe.acme.com``, ``git.acme.com``. URLs of other
#: forges and trackers look alike.
_OURS: Final = re.compile(r"(?:^|[.-])(?:github|ghe\b|git\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to an issue; ``repo`` is empty where only a number was written."""

    repo: str
    number: int
    #: The words that were written.
    words: str


def linked(href: str, words: str) -> Reference | None:
    """The issue that a link leads to."""
    if (found := _URL.match(href)) is not None:
        return _from_url(found, words)
    if (found := _RELATIVE.match(href)) is not None:
        repo = f"{found['owner']}/{found['repo']}" if found["owner"] else ""
        return Reference(repo, int(found["number"]), words)
    return None


def written(found: re.Match[str]) -> Reference | None:
    """The issue of a match of ``REFERENCE``; ``None`` if it belongs to a forge of another kind."""
    if found["url_number"]:
        return _from_url(found, found[0])
    if number := found["own"] or found["gh"]:
        return Reference("", int(number), found[0])
    return Reference(f"{found['owner']}/{found['repo']}", int(found["number"]), found[0])


def _from_url(found: re.Match[str], words: str) -> Reference | None:
    host = (found["host"] or "github.com").lower().partition(":")[0]
    if _OURS.search(host) is None:
        return None
    return Reference(f"{found['url_owner']}/{found['url_repo']}", int(found["url_number"]), words)
