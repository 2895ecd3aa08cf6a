"""A GitHub on this machine: a real HTTP server that answers as the API does, and fails as it is told to."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: Where the API is, as at an Enterprise server.
PREFIX = "/api/v3"


@dataclass
class Answer:
    """What is sent back: a status, headers, and JSON or bytes."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """A request that came in."""

    method: str
    path: str
    authorization: str
    #: The status that was answered; 0 where a function wrote the answer by itself.
    status: int = 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, which tests of deadlines do, is no error."""


class GitHubServer:
    """See the module. ``issue`` and ``branch`` fill it; ``answers`` replaces what a path answers."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        #: Answers by path after the prefix; a list is used up, its last one stays; a function writes by itself.
        self.answers: dict[str, Answer | list[Answer] | Callable[[BaseHTTPRequestHandler], None]] = {}
        self._issues: dict[str, dict[str, Any]] = {}
        self._blockers: dict[str, list[str]] = {}
        self._branches: dict[str, dict[str, str]] = {}
        self._renamed: dict[str, str] = {}
        self._moved: dict[str, str] = {}
        self._comments: dict[str, list[dict[str, Any]]] = {}
        #: ``admin``, ``write``, ``read`` or ``none`` of people, by login.
        self.permissions: dict[str, str] = {}
        self.token: str | None = None
        #: Set when the server ends, so that no handler waits on.
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def base_url(self) -> str:
        return f"{self.web}{PREFIX}"

    @contextmanager
    def running(self) -> Iterator[GitHubServer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    # -- what is there ---------------------------------------------------------------------------

    def issue(
        self,
        key: str,
        *,
        title: str = "An issue",
        body: str | None = "",
        labels: tuple[str, ...] = (),
        state: str = "open",
        reason: str | None = None,
        blocked_by: tuple[str, ...] = (),
        merged_at: str | None = None,
        pull: bool = False,
        summary: bool = True,
        author: str | None = None,
        comments: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Make, or change, an issue (or, with ``pull``, a pull request)."""
        repo, number = key.split("#")
        self._branches.setdefault(repo, {"main": "1" * 40})
        page = f"{self.web}/{repo}/{'pull' if pull else 'issues'}/{number}"
        made: dict[str, Any] = {
            "id": 1000 + int(number),
            "number": int(number),
            "title": title,
            "body": body,
            "state": state,
            "state_reason": reason,
            "labels": [{"id": n, "name": name, "color": "ededed"} for n, name in enumerate(labels)],
            "url": f"{self.base_url}/repos/{repo}/issues/{number}",
            "repository_url": f"{self.base_url}/repos/{repo}",
            "html_url": page,
        }
        if author is not None:
            made["user"] = {"login": author, "type": "User"}
        made["comments"] = len(comments)
        self._comments[key] = [
            {"id": n, "user": {"login": who, "type": "Bot" if who.endswith("[bot]") else "User"}, "body": text,
             "created_at": f"2026-01-01T00:00:{n % 60:02}Z"}
            for n, (who, text) in enumerate(comments)
        ]  # fmt: skip
        if pull:
            made["pull_request"] = {"url": page, "html_url": page, "merged_at": merged_at}
        if summary:
            made["issue_dependencies_summary"] = {
                "blocked_by": len(blocked_by), "total_blocked_by": len(blocked_by), "blocking": 0, "total_blocking": 0,
            }  # fmt: skip
        self._issues[key] = made
        self._blockers[key] = list(blocked_by)

    def rename(self, old: str, new: str) -> None:
        """The repository is called ``new`` now; its old name leads there."""
        for key in [key for key in self._issues if key.startswith(f"{old}#")]:
            del self._issues[key]
        self._branches.setdefault(new, self._branches.pop(old))
        self._renamed[old] = new

    def move(self, old: str, new: str) -> None:
        """The issue was transferred to ``new``, which is there."""
        self._moved[old] = new

    def branch(self, repo: str, name: str, sha: str) -> None:
        self._branches.setdefault(repo, {})[name] = sha

    def paths(self) -> list[str]:
        """Paths that were asked for, without their queries."""
        return [one.path.partition("?")[0] for one in self.seen]

    # -- answering -------------------------------------------------------------------------------

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        github = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

            def _serve(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                github.seen.append(Seen(self.command, self.path, self.headers.get("Authorization") or ""))
                found = github._find(self.path)
                if callable(found):
                    found(self)
                    return
                data = found.body if isinstance(found.body, bytes) else json.dumps(found.body).encode()
                etag = f'W/"{hashlib.sha256(data).hexdigest()}"'
                status = found.status
                if status == 200 and self.headers.get("If-None-Match") == etag:
                    status, data = 304, b""
                github.seen[-1] = replace(github.seen[-1], status=status)
                self.send_response(status)
                headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(data))}
                headers["ETag"] = etag
                for name, value in {**headers, **found.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

        return Handler

    def regular(self, path: str) -> Answer:
        """What a path answers where nothing is scripted and anybody may ask."""
        return self._known(path) or Answer(404, {"message": "Not Found"})

    def _find(self, path: str) -> Answer | Callable[[BaseHTTPRequestHandler], None]:
        place = path.partition("?")[0].removeprefix(PREFIX)
        scripted = self.answers.get(place) or self.answers.get("*")
        if isinstance(scripted, list):
            return scripted.pop(0) if len(scripted) > 1 else scripted[0]
        if scripted is not None:
            return scripted
        if self.token is not None and self.seen[-1].authorization != f"token {self.token}":
            return Answer(401, {"message": "Bad credentials"})
        return self.regular(place)

    def _known(self, place: str) -> Answer | None:
        words = place.strip("/").split("/")
        if len(words) < 3 or words[0] != "repos":
            return None
        repo = next((r for r in (*self._branches, *self._renamed) if r.lower() == "/".join(words[1:3]).lower()), "")
        if repo in self._renamed:
            return self._redirect(place, f"/repos/{words[1]}/{words[2]}", f"/repos/{self._renamed[repo]}")
        if repo and len(words) == 3:
            return Answer(body={"id": 7, "full_name": repo, "url": f"{self.base_url}/repos/{repo}"})
        if repo and words[3] == "branches":
            name = "/".join(words[4:])
            sha = self._branches[repo].get(name)
            commit = {"sha": sha, "url": f"{self.base_url}/repos/{repo}/commits/{sha}"}
            return Answer(body={"name": name, "commit": commit, "protected": False}) if sha else None
        if repo and words[3] == "collaborators" and words[5:] == ["permission"]:
            known = self.permissions.get(words[4])
            return Answer(body={"permission": known, "user": {"login": words[4]}}) if known else None
        if repo and words[3:] == ["issues"]:
            mine = [issue for key, issue in self._issues.items() if key.startswith(f"{repo}#")]
            return Answer(body=[issue for issue in mine if issue["state"] == "open"])
        key = f"{repo}#{words[4]}" if len(words) > 4 and words[3] == "issues" else ""
        if key in self._moved:
            new_repo, number = self._moved[key].split("#")
            return self._redirect(place, f"/repos/{repo}/issues/{words[4]}", f"/repos/{new_repo}/issues/{number}")
        if key not in self._issues:
            return None
        if words[5:] == ["dependencies", "blocked_by"]:
            return Answer(body=[self._issues[blocker] for blocker in self._blockers[key]])
        if words[5:] == ["comments"]:
            query = parse_qs(urlsplit(self.seen[-1].path).query)
            size, page = (int(query.get(name, ["1"])[0]) for name in ("per_page", "page"))
            return Answer(body=self._comments[key][size * (page - 1) : size * page])
        return Answer(body=self._issues[key]) if len(words) == 5 else None

    def _redirect(self, place: str, old: str, new: str) -> Answer:
        where = f"{self.base_url}{new}{place[len(old) :]}"
        return Answer(301, {"message": "Moved Permanently", "url": where}, {"Location": where})
