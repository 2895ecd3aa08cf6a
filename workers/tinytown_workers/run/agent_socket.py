"""The unix socket of one attempt, through which ``tt`` inside it speaks to its worker.

An agent gets no database and no forge; it has this socket, a random token, and the commands that its purpose
allows. One JSON object a line each way::

    {"token": …, "verb": "task.complete", "args": {"result": "…"}}
    {"ok": true, "result": …}  or  {"ok": false, "error": "…", "remedy": "…", "code": 4}

``task.current``, ``send`` and ``inbox`` are answered by the injected ``AgentCommands``; what the agent says about
its own work (a result, a failure, a verdict) is collected here and read when the attempt has ended. The
peer is not trusted: whatever it sends, it gets an answer or a closed connection.

Every process of the run has the socket and the token, even code that its CLI runs. So an approval is taken only
from the CLI's own process and its direct children (see ``caller``), or, of a CLI that marks its final answer, from
that answer alone. A refusal needs no proof, since whoever forges one harms only its own change: it is taken from every
process of a run whose CLI judges by command. It is final: nothing that comes after it makes it an approval.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import secrets
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tinytown import commands, contract
from tinytown.engine.plan.claims import Added
from tinytown.errors import EXIT_FAILED, ConfigurationError, StateError, TinytownError
from tinytown.missions.states import Purpose
from tinytown_workers.run.answering import AgentCommands, Answers, CommandRunner
from tinytown_workers.run.caller import Peer, Speaker, peer_of
from tinytown_workers.run.callers import CALLERS

log = logging.getLogger(__name__)

#: Largest request; a longer one closes the connection.
REQUEST_BYTES = 256 << 10
#: Longest text of one message or result, in characters.
TEXT_CHARS = 60_000
#: How long a connection may take for a request.
PATIENCE = 10.0
#: Connections served at the same time; the next one waits, at most until one has asked for nothing for so many seconds.
CONNECTIONS = 8
HELD = 1.0
#: Callers that may queue; beyond, a connection is refused at once.
BACKLOG = 128
#: Requests in one attempt: enough for any honest agent.
REQUESTS = 10_000
#: The commands that only a reviewer's CLI may give.
VERDICTS = ("review.approve", "review.request_changes")
#: The end of an answer that is a verdict.
ANSWER = "end your answer with the line `VERDICT: APPROVE` or `VERDICT: REQUEST_CHANGES: why`"
#: Messages in one attempt. A mailbox keeps a thousand: requests for help must not drown in an agent's chatter.
MESSAGES = 100
#: Entries that one attempt may add to the backlog.
ENTRIES = 20


class AgentSocket:
    """Serves one attempt while it runs; a context manager. What was said is in the attributes."""

    def __init__(
        self,
        folder: Path,
        agent_commands: AgentCommands,
        *,
        purpose: Purpose,
        speaker: Speaker | None = None,
        in_answer: bool = False,
        runs: CommandRunner | None = None,
        answers: Answers | None = None,
    ) -> None:
        """``speaker`` is whom an approval is taken from, everybody if there is none.

        With ``in_answer`` it is not given here at all, but in the CLI's answer.
        """
        self.token = secrets.token_urlsafe(24)
        #: Short, because the path of a socket must be.
        self.path = folder / f"{secrets.token_hex(5)}.socket"
        #: Approved or not, and why not. Only a review can have one, and a refusal stands.
        self.verdict: tuple[bool, str] | None = None
        #: It was approved, whatever came after.
        self.approved = False
        #: Approvals that were not taken, because programs gave them that the CLI started.
        self.denied = 0
        #: The agent's own account of its work.
        self.result: str | None = None
        #: Why the agent gave up.
        self.failure: str | None = None
        self._agent_commands = agent_commands
        self._purpose = purpose
        self._speaker = speaker
        self._in_answer = in_answer
        self._runs = runs
        self._answers = answers
        self._slots = threading.BoundedSemaphore(CONNECTIONS)
        self._lock = threading.Lock()
        self._requests = 0
        self._messages = 0
        self._entries = 0
        #: Connections, and since when it is the peer's turn; ``None`` while it is ours.
        self._open: dict[socket.socket, float | None] = {}
        self._closed = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._serve, name="agent-socket", daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which ``tt`` inside the attempt finds the socket."""
        return {contract.ENV_SOCKET: str(self.path), contract.ENV_TOKEN: self.token}

    def __enter__(self) -> Self:
        # The folder is the user's alone, so nobody comes between these two steps.
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._socket.bind(str(self.path))
            self.path.chmod(0o600)
            self._socket.listen(BACKLOG)
        except OSError:
            self._socket.close()
            self.path.unlink(missing_ok=True)
            raise
        CALLERS.wait_for(self._socket, self._thread.start)
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        if self._runs is not None:
            self._runs.end()
        if CALLERS.forget(self._socket):
            # Nobody ever called.
            self._socket.close()
            self.path.unlink(missing_ok=True)
            return
        # Where a shutdown does not wake a listener, a caller does.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.setblocking(False)
            caller.connect(str(self.path))
        with self._lock:
            peers = list(self._open)
        for peer in (self._socket, *peers):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    # -- connections -----------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            if self._closed:
                peer.close()
                return
            # At once, because the number of an ended process may be given to another one.
            caller = peer_of(peer)
            while not self._slots.acquire(timeout=HELD):
                self._make_room()
            with self._lock:
                self._open[peer] = time.monotonic()
            threading.Thread(target=self._attend, args=(peer, caller), name="agent-socket-peer", daemon=True).start()

    def _make_room(self) -> None:
        """Close connections on which nothing is asked, as they would keep the others out."""
        before = time.monotonic() - HELD
        with self._lock:
            for peer, since in self._open.items():
                if since is not None and since <= before:
                    with contextlib.suppress(OSError):
                        peer.shutdown(socket.SHUT_RDWR)

    def _attend(self, peer: socket.socket, caller: Peer | None) -> None:
        try:
            while not self._closed and (line := _read_line(peer)):
                self._note(peer, None)
                answer = self._answer(line, caller)
                # A peer that does not read the answer also keeps the connection busy.
                self._note(peer, time.monotonic())
                peer.settimeout(PATIENCE)
                peer.sendall(answer + b"\n")
        except OSError:
            pass  # It went away, or dawdled.
        finally:
            with self._lock:
                del self._open[peer]
            peer.close()
            self._slots.release()

    def _note(self, peer: socket.socket, since: float | None) -> None:
        with self._lock:
            self._open[peer] = since

    # -- requests --------------------------------------------------------------------------------

    def _answer(self, line: bytes, caller: Peer | None) -> bytes:
        try:
            return json.dumps({"ok": True, "result": self._do(line, caller)}).encode()
        except TinytownError as error:
            answer = {"ok": False, "error": error.message, "remedy": error.remedy, "code": error.exit_code}
        except Exception:
            log.exception("a request of an agent could not be answered")
            answer = {"ok": False, "error": "the worker could not answer", "remedy": "try again", "code": EXIT_FAILED}
        return json.dumps(answer).encode()

    def _do(self, line: bytes, caller: Peer | None) -> Any:
        try:
            request = json.loads(line)
            # A request that is nested too deeply fails here, and is not reported as a bug of ours.
            token, verb, args = request["token"], request["verb"], _cleaned(request.get("args", {}))
            if not (isinstance(token, str) and isinstance(verb, str) and isinstance(args, dict)):
                raise TypeError
        except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
            raise ConfigurationError("that is not a request") from None
        if not hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.token.encode()):
            raise StateError("this attempt has another token")
        with self._lock:
            self._requests += 1
            # Verdicts do not count: programs that may not give one must not use up the requests of the CLI that may.
            if self._requests > REQUESTS and verb not in VERDICTS:
                raise StateError(f"this attempt has made {REQUESTS} requests already")
        return self._obey(verb, args, caller)

    def _obey(self, verb: str, args: dict[str, Any], caller: Peer | None) -> Any:
        asked = _Asked(self, self._agent_commands, caller)
        if self._answers is not None:
            return self._answers.answer(verb, asked, args)
        command = commands.COMMANDS.get(verb)
        if command is None or commands.Who.AGENT not in command.by:
            raise ConfigurationError(f"there is no command `{verb[:40]}` inside an agent's run")
        return command.answer(commands.agent(asked), args)

    def complete(self, result: str) -> None:
        """The agent says that it is done."""
        self.result = result
        self.failure = None

    def fail(self, why: str) -> None:
        """The agent gives up."""
        self.failure = _said("why", why)

    def judge(self, caller: Peer | None, refusal: str | None) -> None:
        """Take a verdict: why it is refused, or ``None`` for an approval."""
        if self._purpose is not Purpose.REVIEW:
            raise StateError("this attempt is not a review", remedy="only a reviewer gives a verdict")
        if self._in_answer:
            raise StateError("the verdict of this review is in its answer, not in a command", remedy=ANSWER)
        allowed = refusal is not None or self._speaker is None or self._speaker.owns(caller)
        with self._lock:
            if not allowed:
                self.denied += 1
                raise StateError("a program that the reviewer's CLI started cannot approve in its place", remedy=ANSWER)
            refused = self.verdict[1] if self.verdict is not None and not self.verdict[0] else None
            if refusal is None and refused is not None:
                raise StateError(
                    "this review has requested changes already, and that stands",
                    remedy="a new commit of the change will be reviewed anew",
                )
            if refusal is None:
                self.approved = True
                self.verdict = (True, "")
            elif refused is None or refusal not in refused:
                self.verdict = (False, f"{refused}\n{refusal}"[:TEXT_CHARS] if refused else refusal)

    def have_run(self, argv: Sequence[str]) -> Mapping[str, Any]:
        """Run a command for a reviewer."""
        # Anybody in the run may ask: the command can do no more there than here, and its output is no verdict.
        if self._runs is None:
            raise StateError("this attempt has nothing run for it", remedy="only the review of a change has")
        if not argv or any("\0" in word for word in argv):
            raise ConfigurationError("`argv` must be a command, word by word")
        return self._runs.run(argv)

    def count_message(self) -> None:
        """One more; raises ``StateError`` where there were too many."""
        with self._lock:
            self._messages += 1
            if self._messages > MESSAGES:
                raise StateError(f"this attempt has sent {MESSAGES} messages already")

    def count_entry(self) -> None:
        """One more for the backlog; raises ``StateError`` where there were too many."""
        with self._lock:
            self._entries += 1
            if self._entries > ENTRIES:
                raise StateError(
                    f"this attempt has added {ENTRIES} entries to the backlog already",
                    remedy="write what is left into one of them, or into your result",
                )


class _Asked:
    """One request of the run, with the process that made it."""

    def __init__(self, agent_socket: AgentSocket, agent_commands: AgentCommands, caller: Peer | None) -> None:
        self._agent_socket = agent_socket
        self._agent_commands = agent_commands
        self._caller = caller
        self.task_current = agent_commands.task_current
        self.inbox = agent_commands.inbox
        self.backlog = agent_commands.backlog
        self.claim = agent_commands.claim
        self.complete = agent_socket.complete
        self.fail = agent_socket.fail
        self.have_run = agent_socket.have_run

    def judge(self, refusal: str | None) -> None:
        self._agent_socket.judge(self._caller, refusal if refusal is None else _said("why", refusal))

    def send(self, to: str, text: str, *, kind: str, urgent: bool) -> Mapping[str, Any]:
        said = _said("text", text)
        self._agent_socket.count_message()
        return self._agent_commands.send(to, said, kind=kind, urgent=urgent)

    def add_to_backlog(self, text: str, tags: Sequence[str]) -> Added:
        self._agent_socket.count_entry()
        return self._agent_commands.add_to_backlog(text, tags)


def _read_line(peer: socket.socket) -> bytes:
    """One line within the limits of size and time; empty when there is none."""
    until = time.monotonic() + PATIENCE
    data = bytearray()
    while True:
        peer.settimeout(max(0.01, until - time.monotonic()))
        chunk = peer.recv(65536)
        data += chunk
        if not chunk or len(data) > REQUEST_BYTES or time.monotonic() > until:
            return b""
        if data.endswith(b"\n"):
            return bytes(data)


def _cleaned(value: Any) -> Any:
    """Texts that can be stored: cut, and without lone surrogates."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()[:TEXT_CHARS]
        case list():
            return [_cleaned(one) for one in value]
        case dict():
            return {_cleaned(name): _cleaned(one) for name, one in value.items()}
    return value


def _said(name: str, text: str) -> str:
    """A text that says something."""
    if not text.strip():
        raise ConfigurationError(f"`{name}` must be a text")
    return text
