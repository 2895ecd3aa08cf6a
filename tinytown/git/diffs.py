"""What a commit changes, as text in which nothing is left out in silence.

Git calls a file binary if it holds a NUL byte, and then only says that it differs: a script with one NUL in a comment
would run unseen. Files that are text except for such bytes are shown; others are named with their size and type. The
text is raw: pass it through ``characters`` before you show it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tinytown.git.repository import Git

#: Most bytes of a diff by default.
LIMIT = 200_000
#: Largest file, in bytes, that is read to see whether it is text, and most such files of one diff.
TEXT_LIMIT, TEXTS = 256 << 10, 20
#: Most files that are named after a diff was cut.
NAMED = 50

_FLAGS = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--ignore-submodules=none")
_BINARY = re.compile(r"^Binary files .* differ$", re.MULTILINE)
_TYPES = (
    (b"\x7fELF", "program (ELF)"), (b"MZ", "program (Windows)"), (b"\xcf\xfa\xed\xfe", "program (Mach-O)"),
    (b"\xca\xfe\xba\xbe", "program (Java class or Mach-O)"), (b"\0asm", "program (WebAssembly)"),
    (b"\x89PNG", "image (PNG)"), (b"\xff\xd8\xff", "image (JPEG)"), (b"GIF8", "image (GIF)"), (b"%PDF", "PDF"),
    (b"PK\x03\x04", "archive (ZIP)"), (b"\x1f\x8b", "archive (gzip)"), (b"\xfd7zXZ", "archive (xz)"),
    (b"7z\xbc\xaf", "archive (7z)"), (b"SQLite format 3", "database (SQLite)"), (b"wOF2", "font"),
    (b"\xff\xfe", "text in UTF-16"), (b"\xfe\xff", "text in UTF-16"),
)  # fmt: skip


def diff(own: Git, old: str, new: str, *, limit: int = LIMIT, only: Sequence[str] | None = None) -> str:
    """What ``new`` changes of ``old``, about ``limit`` bytes; says what was cut. Bytes that are no UTF-8 are escaped.

    ``only`` are the files that are shown; ``None`` shows all.
    """
    if only is not None and not only:
        return ""
    between = [old, new, *(["--", *map(_literal, only)] if only is not None else [])]
    with tempfile.TemporaryDirectory(prefix="tt-diff-") as temporary:
        # Into a file, because a diff may be larger than the memory.
        output = Path(temporary) / "diff"
        own.run("diff", *_FLAGS, f"--output={output}", *between)
        size = output.stat().st_size
        with output.open("rb") as file:
            text = file.read(limit).decode(errors="surrogateescape")
    if size <= limit and not _BINARY.search(text):
        return text
    names = [part.split("\t", 2) for part in own.names("diff", *_FLAGS, "--numstat", "-z", *between)]
    if size > limit:
        text = _cut(text, [name for _, _, name in names], limit, size)
    binary = [name for added, _, name in names if added == "-"]
    return _with_binary(own, old, new, text, binary)


def _literal(path: str) -> str:
    return f":(top,literal){path}"


def _cut(text: str, names: Sequence[str], limit: int, size: int) -> str:
    text = text[: text.rfind("\n") + 1]
    whole = max(text.count("\ndiff --git ") + text.startswith("diff --git ") - 1, 0)
    cut = names[whole:]
    more = f" and {len(cut) - NAMED} more" if len(cut) > NAMED else ""
    shown = ", ".join(name.replace("\n", "\\n") for name in cut[:NAMED])
    return f"{text}\n[cut here: {limit} of {size} bytes; not or not wholly shown: {shown}{more}]\n"


def _with_binary(own: Git, old: str, new: str, text: str, binary: Sequence[str]) -> str:
    """``text`` with a description of each binary file in place of git's line about it; both are in the same order."""
    parts: list[str] = []
    at = texts = 0
    for name, match in zip(binary, _BINARY.finditer(text), strict=False):
        before, after = (_blob(own, commit, name) for commit in (old, new))
        parts.append(text[at : match.start()])
        at = match.end()
        if texts < TEXTS and all(data is None or _is_text(data) for _, data in (before, after)):
            texts += 1
            parts.append(_as_text(own, old, new, name))
        else:
            told = " became ".join(_told(size, data) for size, data in (before, after))
            parts.append(f"Binary file: {told}")
    return "".join((*parts, text[at:]))


def _as_text(own: Git, old: str, new: str, name: str) -> str:
    said = own.run("diff", *_FLAGS, "--text", old, new, "--", _literal(name)).stdout
    begin = said.find("\n--- ")
    return (
        f"(It holds NUL characters; this is all of it.)\n{said[begin + 1 :].rstrip()}" if begin >= 0 else said.rstrip()
    )


def _blob(own: Git, commit: str, name: str) -> tuple[int, bytes | None]:
    """Size and beginning of a file (all of a small one); ``(0, None)`` if there is none."""
    entry = own.names("ls-tree", "-z", "-l", "--full-tree", commit, "--", _literal(name))
    words = entry[0].partition("\t")[0].split() if entry else []
    if len(words) != 4 or words[1] != "blob":
        return 0, None
    size = int(words[3])
    if size > TEXT_LIMIT:
        return size, b""
    return size, next(own.contents([words[2]]))[1]


def _is_text(data: bytes) -> bool:
    """Whether it is text except for some NUL characters."""
    if not data or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    odd = sum(data.count(code) for code in range(32) if code not in b"\t\n\r\f\x1b")
    try:
        data.decode()
    except UnicodeDecodeError:
        # Another character set, or no text at all: then at least every third byte is one that text does not have.
        return odd * 50 < len(data)
    return odd * 4 < len(data)


def _told(size: int, data: bytes | None) -> str:
    if data is None:
        return "nothing"
    sort = next((sort for begin, sort in _TYPES if data.startswith(begin)), "")
    script = "script" if data.startswith(b"#!") else ""
    return f"{size:,} bytes{f', {sort or script}' if sort or script else ''}"
