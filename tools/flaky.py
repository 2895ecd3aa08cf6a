"""Run the whole suite again and again, alone and beside a busy machine, and say what failed how often.

``python -m tools.flaky [--runs 20] [--loaded 5] [--busy 10] [pytest arguments]``; ``make flaky`` calls it. The exit
code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

#: What ``make test`` runs.
_SUITE = ("-n", "2", "--dist", "worksteal", "--ignore=tests/packaging", "--ignore=tests/vendors", "-q")


@dataclass(frozen=True)
class Run:
    """One run of the suite."""

    code: int
    seconds: float
    #: Names of the tests that failed, in whatever phase.
    failed: tuple[str, ...]


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run(arguments: Sequence[str]) -> Run:
    """Run the suite once."""
    with tempfile.TemporaryDirectory(prefix="tt-flaky-") as folder:
        report = Path(folder, "report.xml")
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *_SUITE, f"--junitxml={report}", *arguments],
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return Run(done.returncode, time.monotonic() - began, tuple(_failed(report)))


def _failed(report: Path) -> Iterator[str]:
    if not report.exists():
        return
    for case in ET.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            yield f"{case.get('classname')}::{case.get('name')}"


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description="Run the suite again and again and say what failed how often.")
    parser.add_argument("--runs", type=int, default=20, help="runs on the machine as it is")
    parser.add_argument("--loaded", type=int, default=5, help="runs beside busy processes")
    parser.add_argument("--busy", type=int, default=10, help="how many busy processes")
    options, arguments = parser.parse_known_args()
    failures: Counter[str] = Counter()
    bad = 0
    plan = [(0, options.runs, "alone"), (options.busy, options.loaded, f"beside {options.busy} busy processes")]
    for processes, times, where in plan:
        for number in range(1, times + 1):
            with busy(processes):
                one = run(arguments)
            bad += one.code != 0
            failures.update(f"{name} ({where})" for name in one.failed)
            verdict = "passed" if one.code == 0 else f"failed: {', '.join(one.failed) or f'exit code {one.code}'}"
            print(f"{where}, run {number} of {times}: {one.seconds:.0f} s, {verdict}", flush=True)
    print(f"{bad} of {options.runs + options.loaded} runs failed")
    for name, count in failures.most_common():
        print(f"{count} times: {name}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
