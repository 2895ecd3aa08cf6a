"""What can be read from files of tests: which tests they hold, which of them are skipped, and what they assert.

Nothing is run, and many languages are read the same way. In doubt too much is reported: a reviewer looks at it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

_CODE = re.compile(
    r"\.(?:py|[cm]?[jt]sx?|go|rs|java|kt|kts|rb|php|cs|scala|swift|c|cc|cpp|cxx|ex|exs|clj|dart|lua|sh|bats|vue)$"
)
_FOLDERS = frozenset({"test", "tests", "__tests__", "spec", "specs", "e2e"})
_NAME = re.compile(
    r"test_.+|.+_test\.\w+|.+[._-](?:test|spec)\.\w+|.+(?:Test|Tests|Spec|IT)\.(?:java|kt|scala|cs|swift|php)|.+_spec\.\w+|"
    r"tests?\.\w+|.+\.bats"
)
_TESTS = re.compile(
    r"^\s*(?:async\s+)?def\s+(test\w*)|^\s*func\s+(?:\([^)]*\)\s*)?(Test\w+|test\w+)|"
    r"^\s*(?:(?:public|final)\s+)*function\s+(test\w+)|^\s*TEST(?:_[FP])?\s*\(\s*(\w+\s*,\s*\w+)|"
    r"^\s*@?(?:it|test|specify)(?:\.\w+)*\s*\(?\s*(['\"`][^'\"`\n]*)|(@(?:Parameterized)?Test\b|#\[(?:\w+::)?test\b|\[(?:Fact|Theory|Test)\b)",
    re.MULTILINE,
)
_SKIP_WORDS = (
    # Python
    r"\bmark\.(?:skip|skipif|xfail)\b|\bunittest\.skip\w*|@skip\w*\b|\bskipTest\s*\(|\bSkipTest\b",
    r"\bpytest\.(?:skip|xfail|importorskip|exit)\s*\(|^\s*(?:skip|xfail)\s*\(|\bcollect_ignore\w*",
    r"\b__test__\s*=\s*False\b|^\s*if\s+(?:False|0)\s*:|\bos\._exit\s*\(",
    r"\bdef\s+test\w*\s*\([^)]*\)[^\n:]*:\s*\n\s+return\b",
    # JavaScript, Dart, Ruby, Elixir
    r"\b(?:it|test|describe|context|suite|bench)(?:\.\w+)*\.(?:skip|only|todo|fixme|fails|failing|skipIf|runIf)\b",
    r"\b(?:xit|xtest|xdescribe|xcontext|xspecify|fdescribe|fcontext)\b|(?<![\w.])fit\s*[('\"]",
    r"\b(?:skip|only|todo|focus|pending):\s*(?!false)\S|[\s,]:(?:skip|focus|pending)\b",
    r"\bthis\.skip\s*\(|\bif\s*\(\s*(?:false|0)\s*\)|\bprocess\.exit\s*\(|\bpending\s*[('\"]",
    r"^\s*skip(?:\s+['\"].*)?$",
    # the others
    r"@(?:Disabled|Ignore)\b|\benabled\s*=\s*false\b|\bassum(?:e|ing)(?:True|False|That|Not\w+)\b",
    r"#\[ignore\b|#\[cfg_attr\([^\]]*\bignore\b|#!?\[cfg\(\s*(?:any\(\s*\)|FALSE|false)",
    r"\b(?:t|tt|tb|b|c|ctx|context)\.[Ss]kip\w*\s*\(|^//\s*(?:go:build|\+build)\b|\bos\.Exit\s*\(",
    r"\[Ignore\b|[\[,]\s*Explicit\b|\bSkip\s*=|\bmarkTest(?:Skipped|Incomplete)\b|\bXCTSkip\w*",
    r"\bDISABLED_\w+|\bGTEST_SKIP\b",
)
_SKIPS = re.compile("|".join(_SKIP_WORDS), re.MULTILINE)
_ASSERTIONS = re.compile(
    r"\bassert\w*\b|\bexpect\s*\(|\.should\b|\bt\.(?:Error|Fatal)\w*\s*\(|\brequire\.\w+\s*\(|\bpytest\.(?:raises|warns)\b|"
    r"\bverify\s*\(|\bAssert\.\w+|\bXCTAssert\w*|\b(?:EXPECT|ASSERT)_\w+"
)
_EMPTY = re.compile(
    r"\bassert\s+(?:True|not\s+False|1)\s*(?:$|[,;#])|\b[Aa]ssert(?:True|_true|\.True|\.ok|!|\.isTrue)?\s*\(\s*(?:[Tt]rue|1)\s*[),]|"
    r"\bexpect\s*\(\s*(true|false|\d+|null)\s*\)\s*\.\s*to\w*\.?\w*\s*\(\s*\1\s*\)",
    re.MULTILINE,
)
#: Text that is not run. Only at the beginning of a line, as `/*` is in many patterns of files.
_HASH = re.compile(r"^[ \t]*#(?![\[!]).*$", re.MULTILINE)
_SLASHES = re.compile(
    r"^[ \t]*//(?!\s*(?:go:build|\+build)\b)[^\n]*$|^[ \t]*/\*.*?(?:\*/|\Z)", re.MULTILINE | re.DOTALL
)
_TEXTS = re.compile(r"\"{3}.*?(?:\"{3}|\Z)|'{3}.*?(?:'{3}|\Z)", re.DOTALL)
_BEGIN = re.compile(r"^=begin\b.*?^=end\b", re.MULTILINE | re.DOTALL)
#: The beginning of a line that decides whether the lines below it are reached.
_CONDITION = re.compile(r"\s*(?:\}\s*)?(?:if|elif|elsif|else|unless|when|case|except|catch|rescue|switch|match)\b")
#: Most lines of one place that skips.
_LONGEST = 12
_HASHED = frozenset({"py", "rb", "ex", "exs", "sh", "bats"})


@dataclass(frozen=True)
class Suite:
    """One version of a file."""

    path: str
    text: str

    @cached_property
    def live(self) -> str:
        """The text without comments and strings."""
        kind = self.path.rpartition(".")[2]
        if kind not in _HASHED:
            return _SLASHES.sub("", self.text)
        text = _TEXTS.sub("''", self.text) if kind == "py" else _BEGIN.sub("", self.text)
        return _HASH.sub("", text)

    @cached_property
    def tests(self) -> list[str]:
        """Names of its tests; a mark stands for a test whose name is not found."""
        return [next(filter(None, found)).strip("'\"`") or "?" for found in _TESTS.findall(self.live)]

    @property
    def skips(self) -> int:
        """How often a test is skipped, or all but one are."""
        return _count(_SKIPS, self.live)

    @cached_property
    def skip_conditions(self) -> Counter[str]:
        """The code of each place that skips, with the condition above it and without blanks and strings."""
        lines = self.live.splitlines()
        found = Counter[str]()
        for match in _SKIPS.finditer(self.live):
            at = self.live.count("\n", 0, match.end())
            said = [_guard(lines, at), lines[at]]
            while "".join(said).count("(") > "".join(said).count(")") and len(said) < _LONGEST and at + 1 < len(lines):
                at += 1
                said.append(lines[at])
            found[re.sub(r"\s+|(['\"]).*?\1", "", "".join(said))] += 1
        return found

    @property
    def assertions(self) -> int:
        """How often something is asserted."""
        return _count(_ASSERTIONS, self.live)

    @property
    def empty(self) -> int:
        """How many of the assertions cannot fail."""
        return _count(_EMPTY, self.live)

    def missing_in(self, after: Suite) -> list[str]:
        """Names of tests that another version does not have, or has less often."""
        return [
            name
            for name in dict.fromkeys(self.tests)
            if name[0] not in "@#[" and self.tests.count(name) > after.tests.count(name)
        ]


def _guard(lines: list[str], at: int) -> str:
    """The condition that decides whether a line is reached, if the line above its block is one; else nothing."""
    depth = _depth(lines[at])
    above = next((line for line in reversed(lines[:at]) if line.strip() and _depth(line) < depth), "")
    return above if _CONDITION.match(above) else ""


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def is_test(path: str) -> bool:
    """Whether it is a file of tests, by its name and its folders."""
    if not path or not _CODE.search(path):
        return False
    return _is_named(path) or _is_placed(path)


def hides(old: str, new: str) -> bool:
    """Whether a file of tests was moved to a path at which no test runner finds it."""
    return (_is_named(old) and not _is_named(new)) or (_is_placed(old) and not _is_placed(new))


def _is_named(path: str) -> bool:
    return bool(_NAME.fullmatch(path.rpartition("/")[2]))


def _is_placed(path: str) -> bool:
    return any(part.lower() in _FOLDERS for part in path.split("/")[:-1])


def _count(pattern: re.Pattern[str], text: str) -> int:
    return sum(1 for _ in pattern.finditer(text))
