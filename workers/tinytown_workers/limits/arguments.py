"""Whether the system would start a program at all: its arguments and variables are limited, in bytes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tinytown import processes
from tinytown.agents.arguments import ARGUMENT_BYTES, in_bytes
from tinytown.errors import ConfigurationError, UnreachableError

#: Bytes of the limit for all arguments and variables that are left for the program's name and what the kernel adds.
RESERVE_BYTES = 8192
#: Bytes of the pointer to an argument or a variable, and of the zero at its end.
_EACH_BYTES = 9


def require_room(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Make sure that a program can be started with these.

    Raises:
        ConfigurationError: it cannot; the words name what is too long.
    """
    program = Path(argv[0]).name
    for number, word in enumerate(argv):
        if sys.platform == "linux" and in_bytes(word) > ARGUMENT_BYTES:
            raise _too_long(f"argument {number} of `{program}`", in_bytes(word), "shorten it, or put it into a file")
    for name, text in env.items():
        if sys.platform == "linux" and in_bytes(f"{name}={text}") > ARGUMENT_BYTES:
            raise _too_long(f"the variable {name} for `{program}`", in_bytes(text), "shorten it in `env`")
    words = [*argv, *(f"{name}={text}" for name, text in env.items())]
    whole = sum(in_bytes(word) + _EACH_BYTES for word in words)
    most = os.sysconf("SC_ARG_MAX") - RESERVE_BYTES
    if whole > most:
        raise ConfigurationError(
            f"the arguments and variables of `{program}` have {whole} bytes together, and the system takes {most}",
            remedy="shorten its `command` or `env` in tinytown.toml",
        )


def require_program(cli: str, program: str, path: str) -> None:
    """Make sure that the CLI is there; if it is gone, that is not the agent's fault, and uses up no attempt.

    Raises:
        UnreachableError: it is not there.
        ConfigurationError: it would be looked for in the clone, whose files agents wrote.
    """
    if processes.is_relative(program):
        raise ConfigurationError(
            f"the CLI {cli} would run `{program}` of the clone, which agents can write",
            remedy="install it outside of your repositories, and have its driver name it or its absolute path",
        )
    if shutil.which(program, path=path) is None:
        raise UnreachableError(
            f"the CLI {cli} is not installed: `{program}` was not found",
            remedy="install it on this machine; it will be tried again later",
        )


def _too_long(what: str, size: int, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{what} has {size} bytes, and the system takes {ARGUMENT_BYTES}", remedy=remedy)
