"""``tt`` inside an attempt: it speaks to its worker's socket and to nothing else.

Standard library only, because an agent may call it often and every import is waited for.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any, NoReturn

from tinytown import contract
from tinytown.errors import (
    EXIT_NOT_FOUND,
    EXIT_STATE,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    ConfigurationError,
    NotFoundError,
    StateError,
    TinytownError,
    UnreachableError,
)

#: Commands that exist inside an attempt.
COMMANDS = frozenset({"task", "review", "send", "inbox", "backlog"})
#: How long the worker may take for an answer.
PATIENCE = 30.0
#: Patience for what may take long and has a limit of the worker's own.
WITHOUT_END = 24 * 3600.0

_ERRORS: dict[int, type[TinytownError]] = {
    EXIT_USAGE: ConfigurationError,
    EXIT_NOT_FOUND: NotFoundError,
    EXIT_STATE: StateError,
    EXIT_UNREACHABLE: UnreachableError,
}


def inside() -> bool:
    """Whether this process belongs to an attempt."""
    return contract.ENV_SOCKET in os.environ


def answers() -> bool:
    """Whether this process belongs to a run of the unattended conductor."""
    return inside() and os.environ.get(contract.ENV_ROLE) == contract.QUEUE_CONDUCTOR


def refuse(command: str) -> NoReturn:
    """Raise the error for a command that does not exist inside an attempt."""
    raise StateError(
        f"`tt {command}` cannot be used inside an agent's run",
        remedy="use `tt task`, `tt review`, `tt send`, `tt inbox` or `tt backlog`",
    )


def call(verb: str, patience: float = PATIENCE, /, **args: Any) -> Any:
    """Ask the worker; ``patience`` is how long the answer may take, in seconds.

    Raises:
        TinytownError: the worker refused, with the error's own exit code.
        UnreachableError: nobody answers.
    """
    request = {"token": os.environ.get(contract.ENV_TOKEN, ""), "verb": verb, "args": args}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(os.environ.get(contract.ENV_SOCKET, ""))
            connection.sendall(json.dumps(request).encode() + b"\n")
            connection.settimeout(patience)
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline())
    except (OSError, ValueError):
        raise UnreachableError(
            "the worker of this attempt does not answer", remedy="the attempt may have ended; stop working on it"
        ) from None
    if answer["ok"]:
        return answer["result"]
    raise _ERRORS.get(answer["code"], TinytownError)(answer["error"], remedy=answer["remedy"])


def send(to: str, text: str, *, kind: str = "message", urgent: bool = False, sender: str = "") -> Any:
    """Put a message into the mailbox of an agent, or of the conductor; only the run's own agent can be ``sender``."""
    return call("send", to=to, text=text, kind=kind, urgent=urgent, sender=sender)


def inbox(*, everything: bool = False) -> list[dict[str, Any]]:
    """This agent's new messages, or all of them."""
    messages: list[dict[str, Any]] = call("inbox", all=everything)
    return messages
