"""Tell a program of yours when help is asked, a mission ends or a budget is reached: ``[notify] command``.

The news is written in the commit that it tells of, and sent by the control worker, one after the other: exactly once,
but for a crash between the program's end and its record. The program runs outside the sandbox, and ``tinytown.toml``
lies in a repository that agents change: so only that command is run which a person's own ``tt`` has seen
(``accept``), and no program inside the repository.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from pathlib import Path
from typing import Any, Literal

from tinytown import contract, files
from tinytown import processes as programs
from tinytown import programs as tools
from tinytown.agents.relative import within
from tinytown.agents.shown import private
from tinytown.engine.conductor.questions import answer_to
from tinytown.engine.context import Context
from tinytown.errors import StateError, TinytownError
from tinytown.host.process_specs import working_folder
from tinytown.missions.records.mission import Mission
from tinytown.state.change import Change
from tinytown.state.notices import Outbox
from tinytown.town import Town

log = logging.getLogger(__name__)

News = Literal["help_asked", "budget_reached", "mission_completed", "mission_failed", "mission_cancelled"]

#: Seconds for which a sender waits for news before it looks whether it shall end.
_LOOK = 2.0
#: Seconds between two tries to reach a database that does not answer.
_PAUSE = 2.0
#: Bytes of the program's output that are kept for the log.
_OUTPUT = 4096
#: Variables of a desktop that the program may see besides those that any may.
_DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XAUTHORITY")


def announce(context: Context, change: Change, news: News, mission: Mission, *, at: float) -> None:
    """Put news into the outbox, in the change that it tells of; does nothing where no command is configured."""
    if not context.town.settings.notify.command:
        return
    mission = mission.evolve(objectives=context.store.objectives(mission))
    change.notice(json.dumps(_told(context.town, news, mission, at=at), ensure_ascii=False))


def _told(town: Town, news: News, mission: Mission, *, at: float) -> dict[str, Any]:
    """What the program reads; its keys are documented and stable."""
    asked = mission.help
    reasons = list(asked.reasons) if asked is not None else [mission.reason] if mission.reason else []
    wants = news in ("help_asked", "budget_reached")
    what = (
        news.replace("mission_", "is ")
        .replace("help_asked", "needs help")
        .replace("budget_reached", "has reached its budget")
    )
    return {
        "event": news,
        "at": at,
        "town": town.name,
        "root": str(town.root),
        "mission": mission.id,
        "state": mission.state.value,
        "text": f"Mission {mission.short} of {town.name} {what}"
        + (f": {reasons[0].removeprefix('budget: ')}" if reasons else ""),
        "reasons": reasons,
        "asked": asked.asked if asked is not None else 0,
        "answer": answer_to(mission, reasons) if wants else "",
        "objectives": list(mission.objectives),
        "spent_usd": round(mission.spent_usd, 6),
        "budget_usd": mission.policy.budget_usd,
    }


# -- which command may run -------------------------------------------------------------------------


def accept(town: Town) -> bool:
    """Let the configured command run, as a person's ``tt`` has seen it; returns whether it is a new one."""
    wanted = _wanted(town)
    if wanted is None or files.read_json(_accepted(town)) == wanted:
        return False
    files.write_atomically(_accepted(town), json.dumps(wanted) + "\n")
    return True


def obstacle(town: Town) -> StateError | None:
    """Why the command that is configured does not run, if it does not."""
    wanted = _wanted(town)
    if wanted is None:
        return None
    known = files.read_json(_accepted(town))
    if known != wanted:
        how = "is new" if known is None else "has changed"
        return StateError(
            f"`[notify] command` {how}, and does not run before you have started something with it",
            remedy="check it, then run `tt start`",
        )
    name = wanted["command"][0]
    program = Path(name).expanduser()
    inside = within([str(program), *wanted["command"][1:]], private(town))
    if programs.is_relative(name) or inside:
        return StateError(
            f"`{inside or name}` is in the repository, which agents can change",
            remedy="move it outside, and write its full path",
        )
    if (shutil.which(program) if "/" in name else tools.find(name)) is None:
        return StateError(f"`{name}` of `[notify] command` is not installed", remedy="correct it, then run `tt start`")
    return None


def _wanted(town: Town) -> dict[str, Any] | None:
    notify = town.settings.notify
    return {"command": list(notify.command), "env": dict(notify.env)} if notify.command else None


def _accepted(town: Town) -> Path:
    return town.folder / "notify.json"


# -- sending ---------------------------------------------------------------------------------------


class Sender:
    """A thread that hands news to the command, one after the other."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._outbox = Outbox(context.store)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Stop after what is being sent now; if that takes too long, the next sender sends it again."""
        self._ending.set()
        self._thread.join(timeout=2 * _LOOK)

    def _run(self) -> None:
        recovered = False
        while not self._ending.is_set():
            try:
                recovered = recovered or self._outbox.recover() >= 0
                text = self._outbox.take(seconds=_LOOK)
                if text is not None:
                    self.send(text)
                    self._outbox.sent(text)
            except TinytownError as error:
                log.warning("notify: %s", error)
                self._ending.wait(_PAUSE)

    def send(self, text: str) -> bool:
        """Run the command with ``text`` on its stdin; returns whether it succeeded."""
        self._context.catch_up()
        why = _run_command(self._context.town, text)
        if why is not None:
            log.warning("notify: %s", why)
        self._outbox.note_failure(why, at=self._context.store.now())
        return why is None


def _run_command(town: Town, text: str) -> str | None:
    """Why it failed; ``None`` if it did not."""
    notify = town.settings.notify
    if not notify.command:
        return None  # The command was removed from the configuration meanwhile.
    if (error := obstacle(town)) is not None:
        return str(error)
    argv = [str(Path(notify.command[0]).expanduser()), *notify.command[1:]]
    env = programs.environment(add={**notify.env, contract.ENV_TOWN: str(town.root)}, allow=_DESKTOP)
    try:
        done = programs.run(
            argv, cwd=working_folder(town), env=env, timeout=notify.timeout, input=text, check=False, limit=_OUTPUT
        )
    except TinytownError as error:
        return str(error)
    if done.ok:
        return None
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return f"exit code {done.code}" + (f": {said[-1][:200]}" if said else "")
