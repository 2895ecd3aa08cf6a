"""A real agent executable whose behaviour is written in the issue: ``do: …`` lines, one after the other.

::

    do: sleep 2            take time
    do: wait NAME          wait until a test makes the file NAME beside the journal
    do: write NAME TEXT    write a file (without any: a file named for the issue)
    do: append NAME TEXT   add a line to a file
    do: show NAME          put a file's text into the journal
    do: tt WORDS           type a tt command; its end is a line in the journal
    do: sh WORDS           let a shell do it; its exit code does not matter
    do: nothing            leave no change
    do: fill               take all the space on the disk
    do: fail               exit with 3, after what stands before it
    do: hang               never end, ignoring SIGTERM
    do: children           leave children in sessions of their own
    do: say TEXT           print
    do: cost USD           report a cost
    do: bill USD [NAME]    report a cost, also when it is ended by SIGTERM (once the file NAME is beside the journal)

    do: first N …          one of these, only in the first N runs of this item and purpose
    do: later N …          only after them
    do: work …             only in the first place, not in a fix round
    do: fix …              only in a fix round

    verdict: reject-first N    request changes in the first N reviews (default: approve)
    verdict: mute-first N      give no verdict in the first N reviews

Every start and end is a line in the journal named by ``JOURNAL``, the tests' witness.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

#: Seconds that `wait` waits for its file.
PATIENCE = 90.0


def note(event: str, **data: object) -> None:
    """Append one line to the journal, in one write."""
    line = {
        "event": event,
        "at": time.time(),
        "pid": os.getpid(),
        "mission": os.environ.get("TINYTOWN_MISSION", ""),
        "item": os.environ.get("TINYTOWN_ITEM", ""),
        "attempt": int(os.environ.get("TINYTOWN_ATTEMPT", "0")),
        "agent": os.environ.get("TINYTOWN_AGENT_NAME", ""),
        "role": os.environ.get("TINYTOWN_ROLE", ""),
        **data,
    }
    path = os.environ.get("JOURNAL")
    if path:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, (json.dumps(line) + "\n").encode())
        os.close(fd)


def earlier_runs(purpose: str) -> int:
    """Runs of this item and purpose before this one."""
    path = Path(os.environ.get("JOURNAL", "/dev/null"))
    if not path.exists():
        return 0
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    mine = [r for r in rows if r["event"] == "start" and r["item"] == os.environ.get("TINYTOWN_ITEM")]
    return sum(1 for r in mine if r["purpose"] == purpose) - 1


class Agent:
    """One run."""

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        self.cost: float | None = None
        self.until: str = ""
        self.wrote = False

    def obey(self, command: str) -> None:
        """Carry out one command; one that ends the run raises ``SystemExit``."""
        verb, _, rest = command.strip().partition(" ")
        if verb in ("first", "later"):
            count, _, inner = rest.partition(" ")
            if (earlier_runs(self.purpose) < int(count)) == (verb == "first"):
                self.obey(inner)
        elif verb in ("work", "fix"):
            if self.purpose == verb:
                self.obey(rest)
        else:
            self.act(verb, rest)

    def act(self, verb: str, rest: str) -> None:
        match verb:
            case "sleep":
                time.sleep(float(rest))
            case "wait":
                self.wait(rest)
            case "write" | "append":
                name, _, text = rest.partition(" ")
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                with open(name, "w" if verb == "write" else "a") as file:
                    file.write(f"{text}\n")
                self.wrote = True
            case "show":
                path = Path(rest)
                note("show", purpose=self.purpose, name=rest, text=path.read_text() if path.exists() else None)
            case "tt":
                done = subprocess.run(["tt", *shlex.split(rest)], capture_output=True, text=True, check=False)
                note("tt", purpose=self.purpose, words=rest, code=done.returncode, out=done.stdout, err=done.stderr)
            case "sh":
                subprocess.run(["sh", "-c", rest], check=False)
                self.wrote = True
            case "nothing":
                self.wrote = True
            case "fill":
                fill()
                self.wrote = True
            case "fail":
                note("end", purpose=self.purpose, code=3)
                print("it failed as told")
                self.report()
                raise SystemExit(3)
            case "hang":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    time.sleep(60)
            case "children":
                subprocess.Popen(["sleep", "600"], start_new_session=True)
                subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 600 & wait"], start_new_session=True)
            case "say":
                print(rest, flush=True)
            case "cost":
                self.cost = float(rest)
            case "bill":
                cost, _, self.until = rest.partition(" ")
                self.cost = float(cost)
                signal.signal(signal.SIGTERM, self.end)
            case _:
                raise ValueError(f"no such verb: {verb}")

    def wait(self, name: str) -> None:
        path = Path(os.environ["JOURNAL"]).parent / name
        deadline = time.monotonic() + PATIENCE
        while not path.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} did not come")
            time.sleep(0.02)

    def end(self, _number: int, _frame: FrameType | None) -> None:
        if self.until:
            self.wait(self.until)
        self.report()
        raise SystemExit(143)

    def report(self) -> None:
        if self.cost is not None:
            print(json.dumps({"tinytown": {"cost_usd": self.cost}}))


def main() -> int:
    brief = sys.stdin.read()
    heading = re.search(r"^# Task: (\w+) (\S+)", brief, re.MULTILINE)
    purpose = heading[1] if heading else "work"
    key = heading[2] if heading else "?"
    note("start", purpose=purpose)
    if purpose == "review":
        return review(brief)
    agent = Agent(purpose)
    for command in re.findall(r"^do: (.+)$", brief, re.MULTILINE):
        agent.obey(command)
    if not agent.wrote:
        agent.act("append", f"work-{re.sub(r'[^a-z0-9]+', '-', key.lower())}.txt {purpose} {earlier_runs(purpose)}")
    note("end", purpose=purpose, code=0)
    print(f"did {key}")
    agent.report()
    return 0


def fill() -> None:
    """Take all there is, then the last pages of it; in files that are not too large to be kept."""
    for size in (50 << 20, 1 << 20, 4096):
        for number in range(10_000):
            try:
                with open(f"full-{size}-{number}", "wb") as file:
                    os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                print(f"cannot write: {error.strerror}")
                break


def review(brief: str) -> int:
    def asked(verb: str) -> bool:
        found = re.search(rf"^verdict: {verb} (\d+)$", brief, re.MULTILINE)
        return found is not None and earlier_runs("review") < int(found[1])

    files = [str(path) for path in Path().rglob("*") if path.parts[0] != ".git" and path.is_file()]
    note("sees", purpose="review", names=sorted(files))
    if asked("mute-first"):
        print("I have looked at it.\nVERDICT: approve")
    elif asked("reject-first"):
        subprocess.run(["tt", "review", "request-changes", "not good enough yet"], check=True)
    else:
        subprocess.run(["tt", "review", "approve"], check=True)
    note("end", purpose="review", code=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
