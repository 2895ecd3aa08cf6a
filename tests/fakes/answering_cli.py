"""A conductor's CLI that does what the file ``script`` beside the journal says, a line after the other.

::

    tt WORDS     type a tt command; its end is a line in the journal
    wait NAME    wait until a test makes the file NAME beside the journal
    write NAME   write a file into its folder
    say TEXT     print
    hang         never end, ignoring SIGTERM
    exit CODE    end with this code
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

JOURNAL = Path(os.environ["JOURNAL"])


def note(event: str, **data: object) -> None:
    with JOURNAL.open("a") as journal:
        journal.write(json.dumps({"event": event, "mission": os.environ["TINYTOWN_MISSION"], **data}) + "\n")


def main() -> int:
    prompt = sys.stdin.read()
    note(
        "asked",
        prompt=prompt,
        files=sorted(path.name for path in Path().iterdir()),
        pid=os.getpid(),
        budget=os.environ.get("TINYTOWN_BUDGET_USD"),
    )
    for line in (JOURNAL.parent / "script").read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word == "tt":
            done = subprocess.run(["tt", *shlex.split(rest)], capture_output=True, text=True, check=False)
            note("tt", words=rest, code=done.returncode, out=done.stdout, err=done.stderr)
        elif word == "wait":
            while not (JOURNAL.parent / rest).exists():
                time.sleep(0.02)
        elif word == "write":
            Path(rest).write_text("planted\n")
        elif word == "say":
            sys.stdout.write(f"{rest}\n")
        elif word == "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(60)
        elif word == "exit":
            return int(rest)
    return 0


if __name__ == "__main__":
    sys.exit(main())
