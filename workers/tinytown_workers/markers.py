"""Conflict markers that somebody left in a file, told from those that a document quotes on purpose.

The judge looks at a commit alone, whoever made it and whatever they were told: what it holds, and neither the base
nor the place where it left the base, is left over from a merge.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tinytown.git import Git
from tinytown_workers import weighing

#: Characters of a marker where no attribute says otherwise.
SIZE = 7
#: The shortest that the attribute ``conflict-marker-size`` can ask for without every text being full of them.
SMALLEST = 3
#: Lines of one file that begin like markers and are looked at: a long table or mail must not hide a conflict behind it.
LINES_LIMIT = 100_000
#: Largest file, in bytes, whose quoted conflicts are looked up in other files of the base.
QUOTED_LIMIT = 8 * 1024 * 1024

#: Objects, and paths, named on one command line.
_BATCH, _PATHS = 500, 100
#: Quotes within quotes of a mail are deeper by one at a time.
_MAIL = SIZE - 1
#: Where files were renamed git makes its markers longer than usual, and the label names the file.
_OF_RENAME = re.compile(r"[<>|]{8,12} \S.*:\S+")
_HIT = re.compile(r"([0-9a-f]{40}(?:[0-9a-f]{24})?)\0[0-9]+\0([^\n]*)\n")
_ATTRIBUTE = "conflict-marker-size=[0-9]{1,3}"
_LINK, _GITLINK = "120000", "160000"

#: Marker lines of a file, each as often as it stands there.
Lines = Counter[str]


def unresolved(own: Git, head: str, base: str) -> tuple[str, ...]:
    """Files of ``head`` that hold conflict markers which ``base``, and the commit where it left that, do not hold.

    Only files that differ from the base are read.
    """
    changed = _changed(own, base, head)
    if not changed:
        return ()
    sizes = _sizes(own, head)
    found = _marked(own, changed.values(), sizes)
    marked = {path: found[blob] for path, blob in changed.items() if blob in found}
    if not marked:
        return ()
    known = [base, *own.run("merge-base", base, head, ok=(0, 1)).stdout.split()]
    before = _lines_at(own, known, list(marked), sizes)
    left = [path for path, lines in marked.items() if lines - before.get(path, Lines())]
    quoted = _quoted(own, known, sizes) if left else set()
    return tuple(path for path in left if not _only_quotes(own, changed[path], sizes, quoted))


def holding(own: Git, tree: str, paths: Sequence[str]) -> set[str]:
    """Which of these files of a commit or tree hold conflict markers at all."""
    blobs = _blobs_at(own, tree, paths)
    found = _marked(own, blobs.values(), _sizes(own, tree))
    return {path for path, blob in blobs.items() if blob in found}


def _changed(own: Git, old: str, new: str) -> dict[str, str]:
    """Files that are new or different in a line which could be a marker, with their blobs."""
    raw = own.names(
        "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff", "--no-textconv", "--text",
        "--diff-filter=AMT", f"-G{_pattern({SMALLEST})}", old, new,
    )  # fmt: skip
    entries = ((header.split(" "), path) for header, path in zip(raw[::2], raw[1::2], strict=True))
    return {path: fields[3] for fields, path in entries if fields[1] not in (_LINK, _GITLINK)}


def _sizes(own: Git, tree: str) -> set[int]:
    """The lengths of markers in this repository, as its attributes say."""
    said = own.run(
        "grep", "--no-color", "-I", "-h", "-o", "-E", "-e", _ATTRIBUTE, tree, "--", ":(glob)**/.gitattributes",
        ok=(0, 1),
    ).stdout  # fmt: skip
    named = {int(line.rpartition("=")[2]) for line in said.splitlines()}
    return {SIZE, *(size for size in named if size >= SMALLEST)}


def _marked(own: Git, blobs: Iterable[str], sizes: set[int]) -> dict[str, Lines]:
    """Those of the blobs that hold markers, with the marker lines. Binary files have none."""
    wanted = list(dict.fromkeys(blobs))
    lines: dict[str, list[str]] = {}
    for at in range(0, len(wanted), _BATCH):
        said = own.run(
            "grep", "--no-color", "-I", "-z", "-n", "-o", "-E", f"--max-count={LINES_LIMIT}", "-e", _pattern(sizes),
            *wanted[at : at + _BATCH], ok=(0, 1),
        ).stdout  # fmt: skip
        for blob, line in _HIT.findall(said):
            lines.setdefault(blob, []).append(line)
    found = {blob: _leftover(one, sizes) for blob, one in lines.items()}
    return {blob: one for blob, one in found.items() if one}


def _pattern(sizes: set[int]) -> str:
    least = min(_MAIL, *sizes)
    # The line's end of some systems, and only the beginning of a label: a line can be as long as the file.
    return f"^(<{{{least},}}|>{{{least},}}|[|]{{{least},}})(\r?$| .{{0,200}})"


def _leftover(lines: Sequence[str], sizes: set[int]) -> Lines:
    """The lines that are markers: a whole conflict of any length, or what remains of one in the usual length."""
    by_size: dict[int, list[str]] = {}
    for line in lines:
        by_size.setdefault(_length(line), []).append(line.rstrip("\r"))
    mail = any(line.startswith(">") for line in by_size.get(_MAIL, ()))
    found = Lines()
    for size, same in by_size.items():
        kinds = "".join(line[0] for line in same)
        if 0 <= kinds.find("<") < kinds.rfind(">") and (size >= SIZE or size in sizes):
            found.update(same)
        elif size in sizes and size >= SIZE:
            found.update(line for line in same if len(line) > size and not (mail and line[0] == ">"))
        elif size > SIZE and not mail:
            found.update(line for line in same if _OF_RENAME.fullmatch(line))
    return found


def _length(line: str) -> int:
    return len(line) - len(line.lstrip(line[0]))


def _blobs_at(own: Git, tree: str, paths: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for at in range(0, len(paths), _PATHS):
        for entry in own.names("ls-tree", "-r", "-z", "--full-tree", tree, "--", *paths[at : at + _PATHS]):
            header, _, path = entry.partition("\t")
            mode, _, blob = header.split(" ")
            if mode not in (_LINK, _GITLINK):
                found[path] = blob
    return found


def _lines_at(own: Git, commits: Sequence[str], paths: Sequence[str], sizes: set[int]) -> dict[str, Lines]:
    """Marker lines that these files hold in one of the commits or another."""
    found: dict[str, Lines] = {}
    for commit in dict.fromkeys(commits):
        blobs = _blobs_at(own, commit, paths)
        marked = _marked(own, blobs.values(), sizes)
        for path, blob in blobs.items():
            if blob in marked:
                found[path] = found.get(path, Lines()) | marked[blob]
    return found


def _quoted(own: Git, commits: Sequence[str], sizes: set[int]) -> set[bytes]:
    """All conflicts that stand anywhere in these commits, for documents that were moved or copied."""
    blobs: set[str] = set()
    for commit in dict.fromkeys(commits):
        said = own.run(
            "grep", "--no-color", "-I", "-z", "-l", "-E", "-e", _pattern(sizes), commit, ok=(0, 1)
        ).stdout  # fmt: skip
        paths = [name.partition(":")[2] for name in said.split("\0") if name]
        blobs.update(_blobs_at(own, commit, paths).values())
    return {block for text in _texts(own, sorted(blobs)) for block in _blocks(text)[0]}


def _only_quotes(own: Git, blob: str, sizes: set[int], quoted: set[bytes]) -> bool:
    """Whether all that a file holds of the kind stands in the base too, word for word."""
    if not quoted:
        return False
    for text in _texts(own, [blob]):
        blocks, rest = _blocks(text)
        lines = [
            found[0].decode(errors="replace") for found in re.finditer(_pattern(sizes).encode(), rest, re.MULTILINE)
        ]
        return bool(blocks) and not _leftover(lines, sizes) and all(block in quoted for block in blocks)
    return False


def _texts(own: Git, blobs: Sequence[str]) -> Iterator[bytes]:
    said = own.line("cat-file", "--batch-check=%(objectname) %(objectsize)", input="".join(f"{b}\n" for b in blobs))
    small = [sha for sha, _, size in (line.partition(" ") for line in said.splitlines()) if int(size) <= QUOTED_LIMIT]
    for blob in small:
        yield from (content for _, content in weighing.contents(own, [blob]))


def _blocks(text: bytes) -> tuple[list[bytes], bytes]:
    """The conflicts of a text from their first marker to their last, and what is beside them."""
    blocks: list[bytes] = []
    rest: list[bytes] = []
    inside: list[bytes] = []
    for line in text.splitlines(keepends=True):
        bare = line.rstrip(b"\r\n")
        if inside:
            inside.append(bare)
            if bare.startswith(b">") and _closes(bare, inside[0]):
                blocks.append(b"\n".join(inside))
                inside = []
        elif re.match(rb"<{3,}(?: |$)", bare):
            inside = [bare]
        else:
            rest.append(line)
    return blocks, b"".join(rest) + b"\n".join(inside)


def _closes(end: bytes, begin: bytes) -> bool:
    size = len(begin) - len(begin.lstrip(b"<"))
    return re.match(rb">{%d}(?: |$)" % size, end) is not None
