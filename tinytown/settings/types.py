"""The kinds of values that settings have, each with its check."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any

import pydantic
from pydantic import BaseModel, ByteSize, ConfigDict, Field

from tinytown import patterns

Seconds = Annotated[float, Field(gt=0)]
#: Seconds, or 0 for no limit.
SecondsOrNever = Annotated[float, Field(ge=0)]
ExitCode = Annotated[int, Field(ge=1, le=255)]
NonNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


def _sound_pattern(text: str) -> str:
    if fault := patterns.fault(text):
        raise ValueError(f"{fault}; use a simpler pattern: `{text[:60]}`")
    return text


#: A regular expression that is never slow; see ``patterns``.
Pattern = Annotated[str, pydantic.AfterValidator(_sound_pattern)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _an_address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if value and not (colon and host and port.isdigit() and int(port) < 65536):
        raise ValueError(f"{value!r} is no address such as `127.0.0.1:9464`")
    return value


#: Where a server listens, as ``host:port``; an IPv6 address stands in brackets. Empty: nowhere.
Listen = Annotated[str, pydantic.AfterValidator(_an_address)]


def _a_title(value: str) -> str:
    if "{title}" not in value or re.search(r"[{}]", value.replace("{title}", "").replace("{issue}", "")):
        raise ValueError(f"{value!r} must hold `{{title}}`, and may hold `{{issue}}`, e.g. `#{{issue}}: {{title}}`")
    return value


#: A title with places for that of an issue, and for its number.
Title = Annotated[str, pydantic.AfterValidator(_a_title)]


def _inside(value: str) -> str:
    parts = value.split("/")
    if (
        not value.strip("/")
        or value.startswith(("/", "~"))
        or any(p in ("..", ".") or p.lower() == ".git" for p in parts)
    ):
        raise ValueError(f"{value!r} is not a path inside the repository, such as `.env.test`")
    return value.strip("/")


def _command(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{value!r} cannot be split into arguments: {error}") from None
    if not words:
        raise ValueError("an empty command")
    return value


#: A path inside a repository.
InnerPath = Annotated[str, pydantic.AfterValidator(_inside)]
#: A command that is split into arguments; no shell runs it.
Command = Annotated[str, pydantic.AfterValidator(_command)]


def _a_size(value: Any) -> Any:
    if not re.fullmatch(r"\d+(\.\d+)?\s*([KMGTkmgt]i?)?[Bb]?", str(value)):
        raise ValueError("must be a number of bytes, or one such as `8G`")
    return value


#: Bytes, as a number or with a unit.
Size = Annotated[ByteSize, pydantic.BeforeValidator(_a_size)]


def _is_absolute(path: str) -> str:
    if not (path.startswith(("/", "~/")) and ".." not in path.split("/") and "\0" not in path):
        raise ValueError("must be an absolute path, or begin with `~/`, without `..`")
    return path


#: A place on this machine, at an absolute path or below the home.
ShownPath = Annotated[str, pydantic.AfterValidator(_is_absolute)]


def _names_files(pattern: str) -> str:
    if not pattern.strip("/ ") or pattern.startswith(("!", "~")) or any(p in ("..", ".") for p in pattern.split("/")):
        raise ValueError(f"{pattern!r} names no files of a repository; write e.g. `.scribe/` or `SCRIBE.md`")
    return pattern


#: Files of a repository, as in a `.gitignore`, without a `!`.
RepositoryPattern = Annotated[str, pydantic.AfterValidator(_names_files)]


def _a_repository(value: str) -> str:
    # The address itself stays untold: it may hold a password.
    scheme, web, rest = value.partition("://")
    if (
        not value.strip()
        or value.startswith("-")
        or re.search(r"[\x00-\x1f\x7f]", value)
        or (not web and "::" in value)
    ):
        raise ValueError("is not an address of a git repository")
    if web and (scheme not in ("file", "git", "http", "https", "ssh") or not rest.strip("/") or rest.startswith("-")):
        raise ValueError("must be a path, or begin with `ssh://`, `https://`, `http://`, `git://` or `file://`")
    if re.search(r"[{}]", value.replace("{repo}", "")):
        raise ValueError("may hold `{repo}`, but no other braces")
    return value


#: Where a git repository is served, with a place for the name of the town's repository.
RepositoryAddress = Annotated[str, pydantic.AfterValidator(_a_repository)]


def split(value: Any) -> Any:
    try:
        return shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"{error} in {value[:80]!r}") from None
