"""A CLI as a person would open it: it says what it was told and how it stands, then obeys what is typed.

``{prompt_file}`` is its argument, or nothing. Typed: ``say X``, ``tt X``, ``raw`` (takes the terminal's modes), ``own``
(takes the terminal for a group of its own), ``die`` (ends by a signal), ``exit N``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
from pathlib import Path


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def ended(_number: int, _frame: object) -> None:
    say("terminated")
    sys.exit(9)


def interrupted(_number: int, _frame: object) -> None:
    say("interrupted")


def main() -> None:
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, ended)
    told = Path(sys.argv[1]).read_text(encoding="utf-8") if len(sys.argv) > 1 else ""
    say(f"first line: {told.partition(chr(10))[0]}")
    say(f"streams are terminals: {all(os.isatty(number) for number in (0, 1, 2))}")
    say(f"folder: {Path.cwd()} town: {os.environ.get('TINYTOWN_TOWN')} extra: {os.environ.get('EXTRA')}")
    say(f"mine: {os.environ.get('MINE')}")
    while True:
        try:
            line = input()
        except EOFError:
            say("end of input")
            return
        word, _, rest = line.partition(" ")
        match word:
            case "say":
                say(f"heard {rest}")
            case "tt":
                done = subprocess.run(["tt", *rest.split()], stdin=subprocess.DEVNULL, check=False)
                say(f"tt said {done.returncode}")
            case "raw":
                modes = termios.tcgetattr(0)
                modes[3] &= ~(termios.ECHO | termios.ICANON)
                termios.tcsetattr(0, termios.TCSANOW, modes)
                say("raw now")
                os.kill(os.getpid(), signal.SIGKILL)
            case "own":
                signal.signal(signal.SIGTTOU, signal.SIG_IGN)
                os.setpgid(0, 0)
                os.tcsetpgrp(0, os.getpgrp())
                os._exit(4)
            case "exit":
                sys.exit(int(rest))


if __name__ == "__main__":
    main()
