"""References to issues as people write them: ``#3``, ``GH-3``, ``issue 3``, ``owner/repo#3``, URLs, links, files.

A file of the local forge names its neighbours as ``3.md`` or ``issues/3.md``; the same name in any other folder is
another file.
"""

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
#: Ends a number behind "issue": that many of something are no issue.
_COUNTED = r"(?!\s*(?:of|%|out|days?|hours?|minutes?|seconds?|weeks?|months?|years?|times?|x)\b)"
_SAID = re.compile(
    rf"(?<![A-Za-z0-9_/.-])(?P<word>issues?\s+(?:no\.?\s*|number\s+)?)"
    rf"(?P<numbers>{_NUMBER}(?:\s*(?:,\s*(?:and\s+)?|and\s+|&\s*){_NUMBER}){{0,50}}){_COUNTED}",
    re.IGNORECASE,
)
_FILE = r"(?:(?:/|\.{1,2}/)?issues/|\./)?(?P<file>[1-9][0-9]{0,8})\.md"
_FILE_LINK = re.compile(rf"{_FILE}(?:[#?].*)?")
#: Finds references in text; in it a link that was read already is ``REF``, its number, ``REF``.
REFERENCE: Final = re.compile(
    rf"{REF}(?P<link>[0-9]+){REF}|(?<![A-Za-z0-9_/@.&-]){_URL_TEXT}"
    rf"|(?<![A-Za-z0-9_/@.#&-])(?P<owner>{_OWNER})/(?P<repo>{_REPO})#(?P<number>{_NUMBER})"
    # After a slash or a dash only where that joins two numbers: `#1/#2`, `#1-#3`.
    rf"|(?<![A-Za-z0-9_@#&])(?<![^.]\.)(?<![^0-9]/)(?<![^0-9\s]-)#(?P<own>{_NUMBER})"
    rf"|(?<![A-Za-z0-9_/@.#&-])GH-(?P<gh>{_NUMBER})"
    rf"|(?<![A-Za-z0-9_/@.#&:-]){_FILE}(?![A-Za-z0-9_/-]|\.[A-Za-z0-9])",
    re.IGNORECASE,
)
#: Cheap and wide: where this finds nothing there is no reference.
MAYBE: Final = re.compile(
    r"#[1-9]|GH-[1-9]|/(?:issues|pull)/[1-9]|\bissues?\s+(?:no\.?\s*|number\s+)?[1-9]|[0-9]\.md\b", re.IGNORECASE
)
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
    #: It names a file, so it means something only where issues are files.
    file: bool = False


def linked(href: str, words: str) -> Reference | None:
    """The issue that a link leads to."""
    if (found := _URL.match(href)) is not None:
        return _from_url(found, words)
    if (found := _RELATIVE.match(href)) is not None:
        repo = f"{found['owner']}/{found['repo']}" if found["owner"] else ""
        return Reference(repo, int(found["number"]), words)
    if (found := _FILE_LINK.fullmatch(href)) is not None:
        return Reference("", int(found["file"]), words, file=True)
    return None


def numbered(text: str) -> str:
    """The text with ``issue 3`` and ``issues 3 and 4`` as ``issue #3`` and ``issues #3 and #4``."""

    def mark(found: re.Match[str]) -> str:
        plural = found["word"][:6].lower() == "issues"
        return found["word"] + re.sub(r"(?<![0-9])(?=[0-9])", "#", found["numbers"], count=0 if plural else 1)

    return _SAID.sub(mark, text)


def is_file(text: str) -> bool:
    """Whether the text is the name of an issue's file."""
    return _FILE_LINK.fullmatch(text) is not None


def written(found: re.Match[str]) -> Reference | None:
    """The issue of a match of ``REFERENCE``; ``None`` if it belongs to a forge of another kind."""
    if found["url_number"]:
        return _from_url(found, found[0])
    if number := found["own"] or found["gh"]:
        return Reference("", int(number), found[0])
    if found["file"]:
        return Reference("", int(found["file"]), found[0], file=True)
    return Reference(f"{found['owner']}/{found['repo']}", int(found["number"]), found[0])


def _from_url(found: re.Match[str], words: str) -> Reference | None:
    host = (found["host"] or "github.com").lower().partition(":")[0]
    if _OURS.search(host) is None:
        return None
    return Reference(f"{found['url_owner']}/{found['url_repo']}", int(found["url_number"]), words)
