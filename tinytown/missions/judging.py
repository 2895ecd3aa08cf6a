"""What a change does to what judges it: the definitions of its checks, its tests, and protected paths.

An agent can make a check pass by doing the work, or by changing the check. No rule can tell which it was: so the
reviewer is told of it first, and the checks as the base defines them are run on the change as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tomli

from tinytown.missions import suites
from tinytown.missions.commands import scripts
from tinytown.missions.protection import protected
from tinytown.missions.records.evidence import Remark, ReviewWarnings
from tinytown.missions.suites import is_test

#: Remarks that are kept of one change.
REMARKS = 40
#: Protected paths of one change that are kept by name.
PROTECTED = 500
#: Names in one remark.
NAMES = 5

#: Files that say what a check's command does, by their names in any folder.
DEFINITIONS = re.compile(
    r"(?:GNU|BSD)?[Mm]akefile(?:\.am|\.in)?|.+\.mk|\.?[Jj]ustfile|Rakefile|Taskfile(?:\.dist)?\.ya?ml|tox\.ini|noxfile\.py|"
    r"setup\.cfg|\.?pytest\.(?:ini|toml)|\.?coveragerc|\.?mypy\.ini|\.?ruff\.toml|\.flake8|\.?pylintrc|hatch\.toml|"
    r"pyrightconfig\.json|pyproject\.toml|package\.json|composer\.json|Cargo\.toml|\.?clippy\.toml|nextest\.toml|"
    r"(?:jest|vitest|vite|karma|playwright|cypress|wdio|ava|eslint)\.conf(?:ig)?\.[cm]?[jt]sx?|jest\.config\.json|"
    r"\.mocharc(?:\.\w+)?|\.eslintrc(?:\.\w+)?|biome\.jsonc?|deno\.jsonc?|turbo\.json|nx\.json|bunfig\.toml|\.npmrc|"
    r"tsconfig(?:\.[\w-]+)?\.json|phpunit\.xml(?:\.dist)?|phpstan\.neon(?:\.dist)?|\.rspec|\.rubocop\.ya?ml|"
    r"\.golangci\.(?:ya?ml|toml|json)|CMakeLists\.txt|build\.gradle(?:\.kts)?|gradle\.properties|gradlew|mvnw|pom\.xml|"
    r"build\.sbt|mix\.exs|SConstruct|\.pre-commit-config\.yaml|meson\.build|BUILD(?:\.bazel)?|"
    # Python runs these at each start, before any test.
    r"(?:site|user)customize\.py"
)
#: The same for files that only their folder shows to be such.
_DEFINITION_PATHS = re.compile(r"(?:.+/)?(?:\.cargo/config(?:\.toml)?|\.mvn/[^/]+)")
#: Files that can leave out tests. New tests often need changes in them, so these are only mentioned to the reviewer.
_SUPPORT = re.compile(r"conftest\.py|(?:jest|vitest|test)[.-]setup\.[cm]?[jt]sx?|spec_helper\.rb|rails_helper\.rb")
#: The file by which git may write files to the disk in another encoding than they are committed in.
_ATTRIBUTES = ".gitattributes"
_ENCODED = re.compile(r"^(?!\s*#).*\bworking-tree-encoding\b.*$", re.MULTILINE)
#: The parts of a manifest that define checks; the others say what the project is and needs.
_JUDGING_JSON = ("scripts", "jest", "vitest", "mocha", "ava", "nyc", "c8", "tap", "xo", "eslintConfig", "lint-staged")
_NEEDS_TOML = frozenset({"uv", "poetry", "pdm", "hatch", "setuptools", "setuptools_scm", "flit", "rye", "pixi"})
_NEEDS_CARGO = frozenset({"dependencies", "dev-dependencies", "build-dependencies", "package", "workspace", "target"})


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
    named = _SUPPORT.fullmatch(_name(path)) or _name(path) == _ATTRIBUTES
    return defines(path, commands) or bool(named) or is_test(path) or path.endswith(".rs")


def remarks_on(
    changes: Sequence[Changed],
    *,
    sha: str,
    commands: Sequence[str],
    patterns: Sequence[str],
    always: Callable[[str], bool] = lambda _: False,
) -> ReviewWarnings:
    """What whoever reviews the change ``sha`` must know first; ``always`` tells of paths that no policy frees."""
    paths = [path for one in changes for path in (one.path, one.old) if path]
    named = set(protected(paths, patterns))
    touched = tuple(dict.fromkeys(_shown(path) for path in paths if path in named or always(path)))[:PROTECTED]
    remarks = [
        Remark(kind="protected", path=path, text="a protected path: a person must approve it") for path in touched
    ]
    for one in changes:
        remarks += [remark.evolve(path=_shown(remark.path)) for remark in _remarks(one, commands)]
    return ReviewWarnings(
        sha=sha, remarks=tuple(remarks[:REMARKS]), more=max(0, len(remarks) - REMARKS), protected=touched
    )


def _remarks(one: Changed, commands: Sequence[str]) -> Iterable[Remark]:
    for path in dict.fromkeys(filter(None, (one.old, one.path))):
        if defines(path, commands) and _judges_otherwise(one):
            done = {"added": "is new and", "removed": "is removed and", "renamed": "is renamed and", "changed": ""}[
                one.how
            ]
            yield Remark(kind="checks", path=path, text=f"{done} defines what the checks do".strip())
            break
    if _name(one.path) == _ATTRIBUTES and {*_ENCODED.findall(one.after)} - {*_ENCODED.findall(one.before)}:
        # What a diff shows is what is committed, not what then lies on the disk and is run.
        text = "has files written to the disk in another encoding: what is run is not what the diff shows"
        yield Remark(kind="checks", path=one.path, text=text)
    if _SUPPORT.fullmatch(_name(one.path)):
        yield Remark(kind="tests", path=one.path, text=f"is {one.how} and controls how the tests run")
    if not (is_test(one.path) or is_test(one.old) or one.path.endswith(".rs")):
        return
    yield from (Remark(kind="tests", path=path, text=text) for path, text in _of_tests(one))


def _of_tests(one: Changed) -> Iterator[tuple[str, str]]:
    before = suites.Suite(one.old or one.path, one.before)
    after = suites.Suite(one.path, one.after)
    gone, number = before.missing_in(after), len(before.tests) - len(after.tests)
    named = ", ".join(gone[:NAMES]) + (", …" if len(gone) > NAMES else "")
    fewer = f" ({number}{f': {named}' if named else ''})" if number > 0 else ""
    if one.how == "removed" and is_test(one.path):
        yield one.path, f"its tests are removed{fewer}"
        return
    if one.how == "renamed" and is_test(one.old) and not is_test(one.path):
        yield one.old, f"its tests are removed: it is {one.path} now"
    elif fewer:
        yield one.path, f"tests are removed{fewer}"
    elif gone:
        yield one.path, f"tests are removed or renamed ({named})"
    if one.how == "renamed" and is_test(one.path) and suites.hides(one.old, one.path):
        yield one.old, f"it is {one.path} now, where whatever runs the tests may not look for them"
    skips = after.skips - before.skips
    if skips > 0:
        yield one.path, f"{skips} more {'test is' if skips == 1 else 'tests are'} skipped"
    elif after.skip_conditions - before.skip_conditions:
        yield one.path, "what skips its tests has changed: they may be skipped more often"
    if not is_test(one.path):
        return
    if after.assertions < before.assertions:
        yield one.path, f"fewer assertions: {before.assertions} before, {after.assertions} now"
    if one.how != "added" and after.empty > before.empty:
        yield one.path, f"{after.empty - before.empty} more of its assertions cannot fail"


# -- the definitions of the checks -----------------------------------------------------------------


def defines(path: str, commands: Sequence[str]) -> bool:
    """Whether the file defines what a check does: a build file, a test runner's, or a script that a command runs."""
    return bool(path) and (
        bool(DEFINITIONS.fullmatch(_name(path)) or _DEFINITION_PATHS.fullmatch(path)) or path in scripts(commands)
    )


def _judges_otherwise(one: Changed) -> bool:
    """Whether what the file says of the checks has changed."""
    if one.how != "changed":
        return True
    return bool(judging_part(one.path, one.before) != judging_part(one.path, one.after))


def judging_part(path: str, text: str) -> Any:
    """The part of a file that defines checks: all of it, except in manifests, which mostly say what a project needs."""
    try:
        match _name(path):
            case "package.json" | "composer.json":
                values = json.loads(text)
                return {key: values[key] for key in _JUDGING_JSON if key in values}
            case "pyproject.toml":
                tools = tomli.loads(text).get("tool", {})
                return {key: value for key, value in tools.items() if key not in _NEEDS_TOML}
            case "Cargo.toml":
                return {key: value for key, value in tomli.loads(text).items() if key not in _NEEDS_CARGO}
    except (ValueError, TypeError, AttributeError):
        pass
    return text


def restored(one: Changed) -> str | None:
    """The file as the base's checks need it: the part that defines checks as it was, the rest as it is now.

    ``None``: it was not there. Call it only for what ``judged_by`` gives.
    """
    if one.how == "added":
        return None
    try:
        match _name(one.path) if one.how == "changed" else "":
            case "package.json" | "composer.json":
                before, after = json.loads(one.before), json.loads(one.after)
                for key in _JUDGING_JSON:
                    after.pop(key, None)
                after |= judging_part(one.path, one.before)
                assert isinstance(before, dict)
                return json.dumps(after, indent=2) + "\n"
            case "pyproject.toml":
                # Only here: each worker would keep a megabyte of it that is rarely needed.
                import tomlkit

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
    """The changed definitions of checks: with them restored, the base's checks can be run on the change."""
    found: list[Changed] = []
    for one in changes:
        if one.how == "renamed":
            # The base's checks look for it under its old name.
            if defines(one.old, commands):
                found.append(Changed(one.old, "removed", before=one.before))
            if defines(one.path, commands):
                found.append(Changed(one.path, "added", after=one.after))
        elif defines(one.path, commands) and _judges_otherwise(one):
            found.append(one)
    return found


def _shown(path: str) -> str:
    """A path as text for records: bytes that are not UTF-8 are escaped."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _name(path: str) -> str:
    return path.rpartition("/")[2]
