"""What the sandbox on this machine cannot do: ``python -m tinytown_workers.sandbox [--town]`` prints it as JSON.

With ``--network`` only why agents would share the machine's network: nothing if they have one of their own.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from tinytown.errors import TinytownError
from tinytown.town import open_town
from tinytown_workers.sandbox.detection import detect, of_town, try_network


def main(arguments: list[str]) -> int:
    """The process; gives its exit code."""
    answer: dict[str, Any]
    if "--network" in arguments:
        found = detect("auto")
        sys.stdout.write(found.reason or try_network(found))
        return 0
    try:
        found = of_town(open_town()) if "--town" in arguments else detect("auto")
        answer = {"weak": [asdict(one) for one in found.weaknesses()]}
    except TinytownError as error:
        answer = {"error": error.message, "remedy": error.remedy}
    sys.stdout.write(f"{json.dumps(answer)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
