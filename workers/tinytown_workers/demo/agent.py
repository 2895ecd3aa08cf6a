"""``tt-demo-agent``: an agent CLI without a model, for the demo and for trying a town out.

It reads the brief like any agent (stdin, or a file), writes and mends real files in the working folder, runs
real tests, and reviews by looking at the files. What it does follows from the brief and from what it
finds in the folder; it keeps nothing between runs, needs no network and no keys.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinytown_workers.demo import story

#: What a run pretends to cost, so that a mission's bookkeeping has something to count.
COST_USD = 0.02
#: How long the repository's tests may take.
TEST_SECS = 120

_HEADING = re.compile(r"^# Task: (?P<purpose>work|fix|review) (?P<key>\S+)$", re.MULTILINE)
#: Outside text in a brief: between a line with a random word and a line with the same word.
_FENCED = re.compile(
    r"^<<<(?P<what>.+) (?P<mark>[0-9a-f]+)\n(?P<text>.*?)\n(?P=mark) (?P=what)>>>$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Brief:
    """What the brief says: the purpose, the issue, and what a gate refused."""

    purpose: str
    key: str
    title: str
    body: str
    refusal: str
    wants_answer: bool

    @classmethod
    def read(cls, text: str) -> Brief:
        """Take a brief apart; a text of another form is taken as the issue itself."""
        heading = _HEADING.search(text)
        parts = {match["what"]: match["text"] for match in _FENCED.finditer(text)}
        title, _, body = parts.get("issue", parts.get("task", text)).strip().partition("\n")
        return cls(
            purpose=heading["purpose"] if heading else "work",
            key=heading["key"] if heading else "",
            title=title.lstrip("# ").strip() or "nothing in particular",
            body=body.strip(),
            refusal="\n".join(parts[what] for what in ("reason", "details") if what in parts),
            wants_answer="The answer itself is the result" in text,
        )

    def speaks_of(self, *words: str) -> bool:
        """Whether the title has all these words."""
        return all(re.search(rf"\b{word}s?\b", self.title, re.IGNORECASE) for word in words)

    @property
    def slug(self) -> str:
        """A name for files: the issue's number and title."""
        number = self.key.rpartition("#")[2]
        return "_".join(re.findall(r"[a-z0-9]+", f"issue {number} {self.title}".lower()))[:48].rstrip("_")


class Agent:
    """One run of the agent in one folder."""

    def __init__(self, folder: Path, pace: float) -> None:
        self.folder = folder
        self.pace = pace
        self.did: list[str] = []

    def run(self, brief: Brief) -> str:
        """Do what the brief says and give the result; raises ``SystemExit`` with a reason if it cannot."""
        self.say(f"reading {brief.key or 'the brief'}: {brief.title}")
        if brief.purpose == "review":
            return self.review(brief)
        if brief.purpose == "fix":
            self.mend(brief)
        elif brief.wants_answer:
            files = sorted(str(path.relative_to(self.folder)) for path in self.python_files())
            return f"On “{brief.title}”: the repository has {len(files)} Python files: {', '.join(files) or 'none'}."
        elif brief.speaks_of("auth"):
            self.write_auth(brief)
        if not self.did:
            self.write_any(brief)
        return f"{brief.title}: {', '.join(self.did)}."

    # -- writing ---------------------------------------------------------------------------------

    def write_auth(self, brief: Brief) -> None:
        """The files of the auth feature that this issue asks for."""
        if brief.speaks_of("design"):
            self.write("docs/auth-api.md", story.API)
            self.write("auth/__init__.py", story.PACKAGE)
            self.write("auth/schema.py", story.SCHEMA)
            self.write_test("test_schema.py", story.TEST_SCHEMA)
        elif brief.speaks_of("implement"):
            self.write("auth/tokens.py", story.TOKENS)
            self.write("auth/endpoints.py", story.ENDPOINTS)
            self.write_test("test_endpoints.py", story.TEST_ENDPOINTS)
        elif brief.speaks_of("test"):
            self.write_test("test_auth.py", story.TESTS)

    def write_any(self, brief: Brief) -> None:
        """For an issue that it knows nothing about: a module with the issue's title, and a test for it."""
        name = brief.slug
        self.write(f"{name}.py", f'"""Made for an issue."""\n\nTITLE = {brief.title!r}\n')
        self.write_test(
            f"test_{name}.py",
            f"import unittest\n\nfrom {name} import TITLE\n\n\nclass TitleTest(unittest.TestCase):\n"
            f"    def test_it_is_the_title_of_the_issue(self):\n        self.assertEqual(TITLE, {brief.title!r})\n",
        )

    def write_test(self, name: str, text: str) -> None:
        package = self.folder / "tests" / "__init__.py"
        if not package.exists():
            package.parent.mkdir(exist_ok=True)
            package.write_text("", encoding="utf-8")
        self.write(f"tests/{name}", text)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.did.append(f"wrote {name}")
        self.say(f"writing {name}")

    # -- mending ---------------------------------------------------------------------------------

    def mend(self, brief: Brief) -> None:
        """Find what the refusal is about in the files, change it, and see whether the tests agree."""
        self.say(f"refused because: {brief.refusal.splitlines()[0] if brief.refusal else 'nobody said why'}")
        tokens, tests = self.folder / "auth/tokens.py", self.folder / "tests/test_auth.py"
        if "expired" in brief.refusal and tokens.is_file():
            text = tokens.read_text(encoding="utf-8")
            self.write("auth/tokens.py", text.replace(story.MISTAKE, story.MENDED))
        if "error case" in brief.refusal and tests.is_file():
            text = tests.read_text(encoding="utf-8")
            self.write("tests/test_auth.py", text if "ErrorCaseTest" in text else text + story.ERROR_CASES)
        if not self.did:
            raise SystemExit("it does not know how to fix this")
        self.say("running the tests")
        # Without compiled files, which would be collected with the work.
        tests_run = subprocess.run(
            [sys.executable, "-B", "-m", "unittest"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TEST_SECS,
            check=False,
        )
        if tests_run.returncode:
            sys.stderr.buffer.write(tests_run.stderr)
            raise SystemExit("the tests still fail")
        self.did.append("ran the tests, which pass")

    # -- reviewing -------------------------------------------------------------------------------

    def review(self, brief: Brief) -> str:
        """Look at the files and give the verdict through ``tt``."""
        self.say("looking at the change")
        complaint = next(self.complaints(brief), None)
        words = ["approve"] if complaint is None else ["request-changes", complaint]
        answer = subprocess.run(
            ["tt", "review", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if answer.returncode:
            raise SystemExit(f"the verdict was not taken: {answer.stderr.strip()}")
        return "It does what the issue asks." if complaint is None else f"Changes are needed: {complaint}"

    def complaints(self, brief: Brief) -> Iterator[str]:
        """What is wrong with the files, the worst first."""
        trees = {}
        for path in self.python_files():
            name = str(path.relative_to(self.folder))
            try:
                trees[name] = ast.parse(path.read_bytes(), name)
            except (SyntaxError, ValueError) as error:
                yield f"{name} is not valid Python: {error}"
        tests = {name: tree for name, tree in trees.items() if name.startswith("tests/")}
        calls = {node.attr for tree in tests.values() for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        if re.search(r"error case", brief.body, re.IGNORECASE) and "assertRaises" not in calls:
            yield "the issue asks for error case coverage, but no test expects a refusal (there is no assertRaises)"
        functions = {
            node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
        }
        for endpoint in re.findall(r"implement (\w+) endpoint", brief.body, re.IGNORECASE):
            if endpoint.lower() not in functions:
                yield f"the issue asks for the {endpoint} endpoint, but no function has this name"
        if re.search(r"\bdocument\b", brief.body, re.IGNORECASE) and not list(self.folder.glob("docs/*.md")):
            yield "the issue asks for documentation, but docs/ has none"
        if not tests:
            yield "there is no test"

    def python_files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*.py") if path.is_file() and ".git" not in path.parts)

    def say(self, words: str) -> None:
        """One line of progress, at a pace that a person can follow."""
        sys.stdout.write(f"{words}\n")
        sys.stdout.flush()
        time.sleep(self.pace)


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="tt-demo-agent", description="A scripted demo agent: no model, no network.")
    parser.add_argument("brief", nargs="?", help="file with the brief; without it the brief is read from stdin")
    parser.add_argument("--pace", type=float, default=0.3, metavar="SECS", help="pause after each step (default 0.3)")
    options = parser.parse_args(argv)
    try:
        data = Path(options.brief).read_bytes() if options.brief else sys.stdin.buffer.read()
    except OSError as error:
        parser.error(f"{options.brief} cannot be read: {error.strerror}")
    result = Agent(Path.cwd(), max(0.0, options.pace)).run(Brief.read(data.decode("utf-8", "replace")))
    sys.stdout.write(f"{result}\nThe cost is simulated; no model was asked.\n")
    sys.stdout.write(json.dumps({"tinytown": {"cost_usd": COST_USD, "result": result}}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
