"""What lies between two commits."""

from __future__ import annotations

from tests.fakes.github.models import Repo
from tests.fakes.github.shapes.repos import Json
from tests.fakes.github.world import World

#: The tree that has nothing in it, which a first commit is compared with.
_EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_WORDS = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}


def files(world: World, repo: Repo, start: str, end: str) -> list[Json]:
    """Each file that differs, with how much of it and the difference itself."""
    text = repo.bare.fact("diff", "--no-renames", "--raw", "--numstat", "--no-abbrev", "-z", start, end)
    fields = text.rstrip("\0").split("\0") if text else []
    # First `:mode mode blob blob status`, each with its name after it; then `added<tab>removed<tab>name`.
    raw = [at for at, one in enumerate(fields) if one.startswith(":")]
    kinds = {fields[at + 1]: fields[at].split(" ") for at in raw}
    counted = [one.split("\t", 2) for one in fields[2 * len(raw) :]]
    return [_file(world, repo, start, end, name, kinds[name], (more, less)) for more, less, name in counted]


def _file(world: World, repo: Repo, start: str, end: str, name: str, kind: list[str], counts: tuple[str, str]) -> Json:
    added, removed = (0 if count == "-" else int(count) for count in counts)
    patch = repo.bare.fact("diff", "--no-renames", start, end, "--", name).partition("\n@@")
    page = f"{world.web}/{repo.name}"
    status = _WORDS[kind[4]]
    made: Json = {
        "sha": kind[2] if status == "removed" else kind[3], "filename": name, "status": status, "additions": added,
        "deletions": removed, "changes": added + removed, "blob_url": f"{page}/blob/{end}/{name}",
        "raw_url": f"{page}/raw/{end}/{name}",
        "contents_url": f"{world.api}/repos/{repo.name}/contents/{name}?ref={end}",
    }  # fmt: skip
    return made | ({"patch": f"@@{patch[2]}"} if patch[1] else {})


def counts(repo: Repo, start: str, end: str) -> tuple[int, int, int]:
    """Lines that were added and removed, and in how many files."""
    rows = [line.split("\t") for line in repo.bare.fact("diff", "--no-renames", "--numstat", start, end).splitlines()]
    numbers = [[0 if one == "-" else int(one) for one in row[:2]] for row in rows]
    return sum(row[0] for row in numbers), sum(row[1] for row in numbers), len(rows)


def of_commit(world: World, repo: Repo, sha: str) -> Json:
    """What a commit changed in its first parent."""
    parents = repo.bare.fact("show", "-s", "--format=%P", sha).split()
    start = parents[0] if parents else _EMPTY
    more, less, _ = counts(repo, start, sha)
    return {
        "stats": {"total": more + less, "additions": more, "deletions": less},
        "files": files(world, repo, start, sha),
    }
