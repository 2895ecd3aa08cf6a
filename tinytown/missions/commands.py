"""Which files of a repository the commands of its checks run, as far as the commands themselves say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

_INTERPRETERS = re.compile(r"(?:ba|da|z|k)?sh|python[\d.]*|node|ruby|perl|deno|bun|php|tsx|ts-node|fish|lua|source|\.")
#: Options that name the file which says what to run.
_FILE_OPTIONS = {
    "make": ("-f", "--file", "--makefile"), "gmake": ("-f", "--file", "--makefile"), "just": ("-f", "--justfile"),
    "tox": ("-c", "--conf"), "pytest": ("-c",), "nox": ("-f", "--noxfile"),
}  # fmt: skip
#: Programs that run the command that follows them, with their own options.
_WRAPPERS = re.compile(
    r"(?:env|nice|time|exec|command|sudo|nohup|xvfb-run|npx|ionice|stdbuf|setsid)|timeout|"
    r"(?:uv|poetry|pipenv|pdm|hatch|rye|pixi|bun|deno) run|(?:bundle|mise|npm|pnpm|yarn) exec"
)
_OPERATORS = frozenset(
    {"&&", "||", ";", "|", "&", "(", ")", ";;", "|&", "!", "{", "}", "then", "do", "else", "if", "while"}
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
#: How deep commands within commands are read.
_DEPTH = 3


def scripts(commands: Sequence[str]) -> set[str]:
    """Files of the repository that the commands run, where they say so."""
    return {path for command in commands for path in _of(command, _DEPTH)}


def _of(command: str, depth: int) -> Iterator[str]:
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split = True
        lexer.commenters = ""
        words = list(lexer)
    except ValueError:
        return
    folder = ""
    for one in _split(words):
        if one[0] == "cd" and len(one) > 1:
            folder = _joined(folder, one[1])
            continue
        yield from (_joined(folder, path) for path in _called(one))
        if depth > 1 and (inner := _inline(one)):
            yield from (_joined(folder, path) for path in _of(inner, depth - 1))


def _split(words: Sequence[str]) -> Iterator[list[str]]:
    """The simple commands of a line, without what only wraps them."""
    one: list[str] = []
    for word in [*words, ";"]:
        if word in _OPERATORS:
            if bare := _bare(one):
                yield bare
            one = []
        else:
            one.append(word)


def _bare(words: list[str]) -> list[str]:
    while words:
        name = words[0].rpartition("/")[2]
        if _ASSIGNMENT.match(words[0]):
            words = words[1:]
        elif _WRAPPERS.fullmatch(" ".join((name, *words[1:2]))):
            words = _behind(words[2:])
        elif _WRAPPERS.fullmatch(name):
            words = _behind(words[1:])
            words = words[1:] if name == "timeout" else words
        else:
            break
    return words


def _behind(words: list[str]) -> list[str]:
    while words and words[0].startswith("-"):
        words = words[1:]
    return words


def _called(words: Sequence[str]) -> Iterator[str]:
    for number, word in enumerate(words):
        called = number == 0 and "/" in word
        if number and words[number - 1] == "-m" and re.fullmatch(r"python[\d.]*", _name(words[0])):
            # A program in the repository comes before an installed one.
            module = word.replace(".", "/")
            yield from (f"{module}.py", f"{module}/__main__.py")
        elif (called or _handed(words[:number])) and not word.startswith(("-", "/")) and "=" not in word:
            yield word


def _handed(before: Sequence[str]) -> bool:
    """Whether what comes after these words is a script for an interpreter, or a file that says what to run."""
    if not before:
        return False
    if before[-1] in _FILE_OPTIONS.get(_name(before[0]), ()) or before[-1] == "--config":
        return True
    while len(before) > 1 and before[-1].startswith("-") and before[-1] not in ("-c", "-m"):
        before = before[:-1]
    return bool(_INTERPRETERS.fullmatch(_name(before[-1])))


def _inline(words: Sequence[str]) -> str:
    """The command that a shell is given as one word."""
    if _INTERPRETERS.fullmatch(_name(words[0])) and _name(words[0]).endswith("sh"):
        for number, word in enumerate(words[1:-1], start=1):
            if re.fullmatch(r"-\w*c", word):
                return words[number + 1]
    return ""


def _joined(folder: str, path: str) -> str:
    parts: list[str] = []
    for part in f"{folder}/{path}".split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _name(path: str) -> str:
    return path.rpartition("/")[2]
