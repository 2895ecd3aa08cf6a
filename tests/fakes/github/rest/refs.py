"""Branches as git knows them, and files."""

from __future__ import annotations

import base64

from tests.fakes.github.calls import Call, route
from tests.fakes.github.objects import NOTHING
from tests.fakes.github.requests import Answer, RefusedError, missing
from tests.fakes.github.rules import branches
from tests.fakes.github.shapes.repos import Json


def _shape(call: Call, ref: str, sha: str) -> Json:
    at = f"{call.world.api}/repos/{call.repo.name}/git"
    target = {"sha": sha, "type": "commit", "url": f"{at}/commits/{sha}"}
    return {"ref": ref, "node_id": f"REF_{ref}", "url": f"{at}/{ref}", "object": target}


@route("GET", "~/git/ref/{ref:path}", "contents:read")
def get(call: Call) -> Answer:
    ref = f"refs/{call.words['ref']}"
    sha = call.repo.bare.resolve(ref)
    if sha is None:
        raise missing()
    return Answer(body=_shape(call, ref, sha))


@route("GET", "~/git/matching-refs/{ref:path}", "contents:read")
def matching(call: Call) -> Answer:
    wanted = f"refs/{call.words['ref']}"
    lines = call.repo.bare.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    found = [tuple(line.split(" ")) for line in lines if line.startswith(wanted)]
    return call.page(found, lambda one: _shape(call, *one))


@route("POST", "~/git/refs", "contents:write")
def create(call: Call) -> Answer:
    ref, sha = call.text("ref"), call.text("sha")
    if not ref.startswith("refs/heads/"):
        raise RefusedError(422, "Reference name is not valid")
    branch = ref.removeprefix("refs/heads/")
    if call.repo.bare.tip(branch) is not None:
        raise RefusedError(422, "Reference already exists")
    if call.repo.bare.resolve(sha) != sha:
        raise RefusedError(422, "Object does not exist")
    call.repo.bare.move(branch, sha)
    branches.moved(call.world, call.repo, branch, NOTHING, sha, call.user)
    return Answer(201, _shape(call, ref, sha))


@route("PATCH", "~/git/refs/{ref:path}", "contents:write")
def move(call: Call) -> Answer:
    branch, before = _branch(call)
    sha = call.text("sha")
    if call.repo.bare.resolve(sha) != sha:
        raise RefusedError(422, "Object does not exist")
    if not call.body.get("force") and not call.repo.bare.contains(before, sha):
        raise RefusedError(422, "Update is not a fast forward")
    call.repo.bare.move(branch, sha, old=before)
    branches.moved(call.world, call.repo, branch, before, sha, call.user)
    return Answer(body=_shape(call, f"refs/heads/{branch}", sha))


@route("DELETE", "~/git/refs/{ref:path}", "contents:write")
def delete(call: Call) -> Answer:
    branch, before = _branch(call)
    if branch == call.repo.default:
        raise RefusedError(422, "Cannot delete the default branch")
    if branch in call.repo.protections:
        raise RefusedError(422, "Cannot delete this protected branch")
    call.repo.bare.move(branch, None, old=before)
    branches.moved(call.world, call.repo, branch, before, NOTHING, call.user)
    return Answer(204)


def _branch(call: Call) -> tuple[str, str]:
    kind, _, branch = call.words["ref"].partition("/")
    tip = call.repo.bare.tip(branch) if kind == "heads" else None
    if tip is None:
        raise RefusedError(422, "Reference does not exist")
    return branch, tip


@route("GET", "~/contents/{path:path}", "contents:read")
def contents(call: Call) -> Answer:
    """A file, or the names in a folder."""
    bare, path = call.repo.bare, call.words["path"].strip("/")
    sha = bare.resolve(call.request.query.get("ref", call.repo.default))
    if sha is None:
        raise RefusedError(404, "No commit found for the ref")
    text = bare.show(sha, path)
    if text is not None:
        encoded = base64.encodebytes(text.encode()).decode()
        return Answer(body=_file(call, path, sha, len(text)) | {"content": encoded, "encoding": "base64"})
    inside = [one for one in bare.files(sha) if one.startswith(f"{path}/") and "/" not in one[len(path) + 1 :]]
    if not inside:
        raise missing()
    return Answer(body=[_file(call, one, sha, len(bare.show(sha, one) or "")) for one in inside])


def _file(call: Call, path: str, sha: str, size: int) -> Json:
    at = f"{call.world.api}/repos/{call.repo.name}"
    blob = call.repo.bare.git("rev-parse", f"{sha}:{path}")
    urls = {
        "url": f"{at}/contents/{path}?ref={sha}", "git_url": f"{at}/git/blobs/{blob}",
        "html_url": f"{call.world.web}/{call.repo.name}/blob/{sha}/{path}",
        "download_url": f"{call.world.web}/{call.repo.name}/raw/{sha}/{path}",
    }  # fmt: skip
    links = {"self": urls["url"], "git": urls["git_url"], "html": urls["html_url"]}
    name = path.rpartition("/")[2]
    return {"type": "file", "size": size, "name": name, "path": path, "sha": blob, **urls, "_links": links}
