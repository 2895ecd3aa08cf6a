"""What a change does to what judges it: the definitions of its checks, its tests, and protected paths.

An agent can make a check pass by doing the work, or by changing the check. Which it was no rule can tell: whoever
reviews is told first, and what the base's own definitions say of the change is asked apart.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tomlkit

from tinytown.missions.model import Looks, Remark
from tinytown.missions.protection import protected

#: Remarks that are kept of one change.
REMARKS = 40
#: Names in one remark.
NAMES = 5

#: Files that say what a check's command does, by their names in any folder.
DEFINITIONS = re.compile(
    r"(?:GNU)?[Mm]akefile|.+\.mk|[Jj]ustfile|Rakefile|Taskfile\.ya?ml|tox\.ini|noxfile\.py|setup\.cfg|pytest\.ini|"
    r"\.?coveragerc|mypy\.ini|ruff\.toml|\.flake8|pyproject\.toml|package\.json|Cargo\.toml|"
    r"(?:jest|vitest|vite|karma|playwright|cypress|wdio|ava|eslint)\.conf(?:ig)?\.[cm]?[jt]sx?|jest\.config\.json|"
    r"\.mocharc(?:\.\w+)?|\.eslintrc(?:\.\w+)?|phpunit\.xml(?:\.dist)?|\.rspec|CMakeLists\.txt|build\.gradle(?:\.kts)?|"
    r"pom\.xml|build\.sbt|\.pre-commit-config\.yaml|meson\.build|BUILD(?:\.bazel)?"
)
#: Files that belong to the tests and can leave some out. New tests often need other ones, so they are only told.
_SUPPORT = re.compile(r"conftest\.py|(?:jest|vitest|test)[.-]setup\.[cm]?[jt]sx?|spec_helper\.rb|rails_helper\.rb")
_INTERPRETERS = re.compile(r"(?:ba|da|z|k)?sh|python[\d.]*|node|ruby|perl|deno|bun|php|tsx|ts-node|fish|lua")
#: Options by which a program is told the file that says what to run.
_FILE_OPTIONS = {
    "make": ("-f", "--file", "--makefile"), "gmake": ("-f", "--file", "--makefile"), "just": ("-f", "--justfile"),
    "tox": ("-c", "--conf"), "pytest": ("-c",), "nox": ("-f", "--noxfile"),
}  # fmt: skip
#: Parts of a manifest that judge; the others say what the project is and needs.
_JUDGING_JSON = ("scripts", "jest", "vitest", "mocha", "ava", "nyc", "c8", "tap", "xo", "eslintConfig", "lint-staged")
_NEEDS_TOML = frozenset({"uv", "poetry", "pdm", "hatch", "setuptools", "setuptools_scm", "flit", "rye", "pixi"})
_NEEDS_CARGO = frozenset({"dependencies", "dev-dependencies", "build-dependencies", "package", "workspace", "target"})

_CODE = re.compile(
    r"\.(?:py|[cm]?[jt]sx?|go|rs|java|kt|kts|rb|php|cs|scala|swift|c|cc|cpp|ex|exs|clj|dart|lua|sh|bats|vue)$"
)
_TEST_FOLDERS = frozenset({"test", "tests", "__tests__", "spec", "specs", "e2e"})
_TEST_NAME = re.compile(
    r"test_.+|.+_test\.\w+|.+[._-](?:test|spec)\.\w+|.+(?:Test|Tests|Spec|IT)\.(?:java|kt|scala|cs|swift|php)|.+_spec\.\w+|"
    r"tests?\.\w+"
)
_TESTS = re.compile(
    r"^\s*(?:async\s+)?def\s+(test\w*)|^\s*func\s+(?:\([^)]*\)\s*)?(Test\w+|test\w+)|"
    r"^\s*(?:it|test|specify)(?:\.\w+)*\s*\(?\s*(['\"`][^'\"`\n]*)|(@(?:Parameterized)?Test\b|#\[(?:\w+::)?test\b|\[(?:Fact|Theory|Test)\b)",
    re.MULTILINE,
)
_SKIPS = re.compile(
    r"\bmark\.(?:skip|skipif|xfail)\b|\bunittest\.skip\w*|@skip\w*\b|\bskipTest\s*\(|\bpytest\.(?:skip|xfail|importorskip)\s*\(|"
    r"\b(?:it|test|describe|context|suite)\.(?:skip|only|todo|fixme|fails)\b|\b(?:xit|xtest|xdescribe|fit|fdescribe)\s*\(|"
    r"@(?:Disabled|Ignore)\b|#\[ignore\b|\bt\.Skip\w*\s*\(|\[Ignore\b|\bSkip\s*=|\bcollect_ignore\w*|\bpending\s*\("
)
_ASSERTIONS = re.compile(
    r"\bassert\w*\b|\bexpect\s*\(|\.should\b|\bt\.(?:Error|Fatal)\w*\s*\(|\brequire\.\w+\s*\(|\bpytest\.(?:raises|warns)\b|"
    r"\bverify\s*\(|\bAssert\.\w+"
)


@dataclass(frozen=True)
class Changed:
    """A file that differs from the commit that the change was made on."""

    path: str
    how: Literal["added", "changed", "removed", "renamed"]
    #: Its text before and after; empty where it was not there, or is none.
    before: str = ""
    after: str = ""
    #: For a renamed file: where it was.
    old: str = ""


def relevant(path: str, commands: Sequence[str]) -> bool:
    """Whether the text of a changed file matters here."""
    return defines(path, commands) or bool(_SUPPORT.fullmatch(_name(path))) or is_test(path) or path.endswith(".rs")


def look(changes: Sequence[Changed], *, sha: str, commands: Sequence[str], patterns: Sequence[str]) -> Looks:
    """What whoever reviews the change ``sha`` must know first."""
    touched = tuple(map(_shown, protected([p for one in changes for p in (one.path, one.old) if p], patterns)))
    remarks = [
        Remark(kind="protected", path=path, text="a protected path: a person has to approve it") for path in touched
    ]
    for one in changes:
        remarks += [remark.evolve(path=_shown(remark.path)) for remark in _remarks(one, commands)]
    return Looks(sha=sha, remarks=tuple(remarks[:REMARKS]), more=max(0, len(remarks) - REMARKS), protected=touched)


def _remarks(one: Changed, commands: Sequence[str]) -> Iterable[Remark]:
    for path in dict.fromkeys(filter(None, (one.old, one.path))):
        if defines(path, commands) and _judges_otherwise(one):
            done = {"added": "is new and", "removed": "is removed and", "renamed": "is renamed and", "changed": ""}[
                one.how
            ]
            yield Remark(kind="checks", path=path, text=f"{done} says what the checks do".strip())
            break
    if _SUPPORT.fullmatch(_name(one.path)):
        yield Remark(kind="tests", path=one.path, text=f"is {one.how} and says how the tests run")
    if not (is_test(one.path) or is_test(one.old) or one.path.endswith(".rs")):
        return
    gone = _left_out(one)
    if one.how == "removed" and is_test(one.path):
        yield Remark(kind="tests", path=one.path, text=f"its tests are removed{gone}")
        return
    if one.how == "renamed" and not is_test(one.path):
        yield Remark(kind="tests", path=one.old, text=f"its tests are removed: it is {one.path} now")
    elif gone:
        yield Remark(kind="tests", path=one.path, text=f"tests are removed{gone}")
    skips = _count(_SKIPS, one.after) - _count(_SKIPS, one.before)
    if skips > 0:
        yield Remark(
            kind="tests", path=one.path, text=f"{skips} more {'test is' if skips == 1 else 'tests are'} skipped"
        )
    before, after = _count(_ASSERTIONS, one.before), _count(_ASSERTIONS, one.after)
    if after < before and is_test(one.path):
        yield Remark(kind="tests", path=one.path, text=f"fewer assertions: {before} before, {after} now")


def _left_out(one: Changed) -> str:
    """Names of tests that are not there any more, as the end of a sentence."""
    before, after = _test_names(one.before), _test_names(one.after)
    gone = [name for name in dict.fromkeys(before) if before.count(name) > after.count(name)]
    if not gone or (one.how != "removed" and len(after) >= len(before)):
        return ""
    named = [name for name in gone if name[0] not in "@#["][:NAMES]
    number = len(before) - len(after)
    return f" ({number}{': ' + ', '.join(named) if named else ''}{', …' if len(gone) > NAMES else ''})"


def _test_names(text: str) -> list[str]:
    return [next(filter(None, found)).strip("'\"`") or "?" for found in _TESTS.findall(text)]


def _count(pattern: re.Pattern[str], text: str) -> int:
    return sum(1 for _ in pattern.finditer(text))


def is_test(path: str) -> bool:
    """Whether it is a file of tests, by its name and its folders."""
    parts = path.split("/")
    if not path or not _CODE.search(path):
        return False
    return bool(_TEST_NAME.fullmatch(parts[-1])) or any(part.lower() in _TEST_FOLDERS for part in parts[:-1])


# -- the definitions of the checks -----------------------------------------------------------------


def defines(path: str, commands: Sequence[str]) -> bool:
    """Whether it says what a check does: a build's or a test runner's file, or a script that a command runs."""
    return bool(path) and (bool(DEFINITIONS.fullmatch(_name(path))) or path in scripts(commands))


def scripts(commands: Sequence[str]) -> set[str]:
    """Files of the repository that the commands run, where they say so."""
    found: set[str] = set()
    for command in commands:
        try:
            words = shlex.split(command)
        except ValueError:
            continue
        for number, word in enumerate(words):
            called = number == 0 and "/" in word
            if (called or _handed(words[:number])) and not word.startswith(("-", "/")) and "=" not in word:
                found.add("/".join(part for part in word.split("/") if part not in ("", ".")))
    return found


def _handed(before: Sequence[str]) -> bool:
    """Whether what comes after these words is a script for an interpreter, or a file that says what to run."""
    if not before:
        return False
    if before[-1] in _FILE_OPTIONS.get(_name(before[0]), ()) or before[-1] == "--config":
        return True
    while len(before) > 1 and before[-1].startswith("-") and before[-1] not in ("-c", "-m"):
        before = before[:-1]
    return bool(_INTERPRETERS.fullmatch(_name(before[-1])))


def _judges_otherwise(one: Changed) -> bool:
    """Whether what it says of the checks is another thing now."""
    if one.how != "changed":
        return True
    return bool(judging_part(one.path, one.before) != judging_part(one.path, one.after))


def judging_part(path: str, text: str) -> Any:
    """What of a file judges: all of it, but for manifests, which mostly say what a project is and needs."""
    try:
        match _name(path):
            case "package.json":
                values = json.loads(text)
                return {key: values[key] for key in _JUDGING_JSON if key in values}
            case "pyproject.toml":
                tools = tomllib.loads(text).get("tool", {})
                return {key: value for key, value in tools.items() if key not in _NEEDS_TOML}
            case "Cargo.toml":
                return {key: value for key, value in tomllib.loads(text).items() if key not in _NEEDS_CARGO}
    except (ValueError, TypeError, AttributeError):
        pass
    return text


def restored(one: Changed) -> str | None:
    """The file as the base's checks need it: its judging part as it was, the rest as it is now.

    ``None``: it was not there. Call it only for what ``judged_by`` gives.
    """
    if one.how == "added":
        return None
    try:
        match _name(one.path) if one.how == "changed" else "":
            case "package.json":
                before, after = json.loads(one.before), json.loads(one.after)
                for key in _JUDGING_JSON:
                    after.pop(key, None)
                after |= judging_part(one.path, one.before)
                assert isinstance(before, dict)
                return json.dumps(after, indent=2) + "\n"
            case "pyproject.toml":
                document, was = tomlkit.parse(one.after), tomlkit.parse(one.before)
                tools: Any = document.setdefault("tool", tomlkit.table())
                for key in [key for key in tools if key not in _NEEDS_TOML]:
                    del tools[key]
                for key, value in was.get("tool", {}).items():
                    if key not in _NEEDS_TOML:
                        tools[key] = value
                return tomlkit.dumps(document)
    except (ValueError, TypeError, AttributeError, AssertionError):
        pass
    return one.before


def judged_by(changes: Sequence[Changed], commands: Sequence[str]) -> list[Changed]:
    """The changed definitions: with them as they were, the base's checks can be asked about the change."""
    found: list[Changed] = []
    for one in changes:
        if one.how == "renamed":
            # Under its old name it is what the base's checks look for.
            if defines(one.old, commands):
                found.append(Changed(one.old, "removed", before=one.before))
            if defines(one.path, commands):
                found.append(Changed(one.path, "added", after=one.after))
        elif defines(one.path, commands) and _judges_otherwise(one):
            found.append(one)
    return found


def _shown(path: str) -> str:
    """A path as text for records: whatever isn't UTF-8 is spelt out."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _name(path: str) -> str:
    return path.rpartition("/")[2]
