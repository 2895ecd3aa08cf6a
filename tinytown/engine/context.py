"""What every use case works with: the town, its records, its forge, and the way to send."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tinytown import contract, keys, plugins, settings
from tinytown.canvases.canvas import Canvas, restore
from tinytown.engine import answers
from tinytown.engine.looks import Looks
from tinytown.errors import ConfigurationError
from tinytown.host import unattended
from tinytown.missions.records.agent import Event
from tinytown.missions.records.attempt import Attempt
from tinytown.state.agents import CrewStore
from tinytown.state.mail import Mail
from tinytown.state.store import Store
from tinytown.town import Town, load_settings

if TYPE_CHECKING:
    from celery import Celery

    from tinytown.forge.contract import Forge
    from tinytown.forge.hub.hub import Hub

log = logging.getLogger(__name__)

#: Canvases kept in memory; they never change once written.
_CANVASES = 64
#: Seconds for which a thread waits for its turn to decide.
_TURN_SECS = 1.0


class Context:
    """One process's view of a town. Celery and the forge are made when first needed: both are slow to import."""

    def __init__(self, town: Town, url: str, *, retries: int = 3, by: str = "", away: bool = False) -> None:
        """``away``: a remote forge is not spoken to from here, so no network is ever waited for."""
        self.town = town
        self._away = away
        self.url = url
        self.store = Store(url, town.prefix, retries=retries, by=by)
        self.store.completes = functools.partial(answers.complete, self.store)
        self.crew = CrewStore(self.store)
        self.mail = Mail(self.store)
        self._canvases: dict[str, tuple[int | None, Canvas]] = {}
        self._deciding = threading.RLock()
        self._read: object = None
        #: Told of new settings, once they count here.
        self.on_new_settings: Callable[[], object] = lambda: None
        #: When this process last did what it does only now and then.
        self._done_at: dict[str, float] = {}
        self.looks = Looks()

    def refresh(self) -> None:
        """Read the configuration again if it changed: a process lives longer than the text that it began with.

        Raises:
            ConfigurationError: it cannot be read, or is wrong; what was known before stays.
        """
        state = settings.state_of(self.town.root)
        if state == self._read:
            return
        new = load_settings(self.town.root, self.town.host)
        if new != self.town.settings:
            self.town = replace(self.town, settings=new)
            for made in ("forge", "_github", "_hubs"):
                self.__dict__.pop(made, None)
            self.on_new_settings()
        self._read = state

    def catch_up(self) -> None:
        """``refresh`` for processes that only decide: if it fails they go on with the settings that they have."""
        try:
            self.refresh()
        except ConfigurationError as error:
            log.warning("%s", error)

    @cached_property
    def app(self) -> Celery:
        """The Celery application of this town."""
        from tinytown.app import create_app

        return create_app(self.url, self.town.prefix)

    @cached_property
    def forge(self) -> Forge:
        """The forge of this town."""
        forge: Forge = plugins.forge(self.town)
        if not self.town.home:
            from tinytown.forge.hub.elsewhere import Elsewhere

            return Elsewhere(forge, self._hub_elsewhere)
        if self._away and self.town.settings.forge.remote:
            from tinytown.forge.away import Away

            return Away(forge)
        return forge

    def forge_of(self, key: str) -> Forge:
        """The forge of an issue: the town's own, or GitHub for an issue there that a local issue names."""
        if self.forge.kind == keys.LOCAL and keys.parse(key).kind == "github":
            return self._github
        return self.forge

    def hub(self, repo: str) -> Hub | None:
        """The hub of a repository, as this machine uses it; ``None`` where the town has none."""
        if not self.town.settings.hub.url:
            return None
        if repo not in self._hubs:
            from tinytown.forge.hub import places

            found = places.hub_of(self.town, self.forge, repo)
            if self.town.home and not found.folder.exists():
                return found  # Only once it is there is it known where it stays.
            self._hubs[repo] = found
        return self._hubs[repo]

    @cached_property
    def _hubs(self) -> dict[str, Hub]:
        return {}

    def _hub_elsewhere(self, repo: str) -> Hub:
        if (hub := self.hub(repo)) is None:
            raise ConfigurationError(
                f"{self.town.host} is not the town's home, and `hub.url` is not set",
                remedy="set `[hub] url` in the tinytown.toml of the town's home",
            )
        return hub

    @cached_property
    def _github(self) -> Forge:
        forge: Forge = plugins.load(plugins.FORGES, "github")(self.town)
        return forge

    @property
    def fallbacks(self) -> dict[str, list[str]]:
        """By role: the CLIs that take its runs while its agents' own are at a usage limit."""
        return {name: role.fallback for name, role in self.town.settings.roles.items() if role.fallback}

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Decide in this block: where several threads would at once, all but one would have to do it again.

        Nobody waits for long for somebody who waits for the database.
        """
        ours = self._deciding.acquire(timeout=_TURN_SECS)
        try:
            yield
        finally:
            if ours:
                self._deciding.release()

    def turn(self, now: float) -> int:
        """Number of the tick: each looks at another page of a large mission."""
        return int(now // self.town.settings.timing.tick_secs)

    def is_time(self, what: str, every: float) -> bool:
        """Whether this process has not done it within the last ``every`` seconds; from now on it has."""
        now = time.monotonic()
        if now - self._done_at.get(what, -every) < every:
            return False
        self._done_at[what] = now
        return True

    def put_off(self, what: str, seconds: float) -> None:
        """Have this process not do it for so long."""
        self._done_at[what] = time.monotonic() + seconds

    def is_put_off(self, what: str) -> bool:
        """Whether that time is not over."""
        return self._done_at.get(what, 0.0) > time.monotonic()

    def canvas(self, mission: str) -> Canvas:
        """The canvas of a mission."""
        edition, canvas = self._canvases.get(mission, (None, None))
        if canvas is None or (edition is not None and edition != self.store.edition(mission)):
            self._canvases.pop(mission, None)
            while len(self._canvases) >= _CANVASES:
                self._canvases.pop(next(iter(self._canvases)))
            stored = self.store.static(mission, "canvas")
            canvas = restore(mission, stored)
            self._canvases[mission] = stored.get("edition"), canvas
        return canvas

    # -- sending: hints that carry ids; the reconciling tick repairs what gets lost -------------------

    def send_attempt(self, mission: str, key: str, attempt: Attempt) -> None:
        """Offer an attempt to its queue."""
        self._send(contract.TASK_ATTEMPT, (mission, key, attempt.number), attempt.queue, _shown(mission, key, attempt))

    def attempt_message(self, mission: str, key: str, attempt: Attempt) -> str | None:
        """The message that offers it, to be put into its queue by the commit that sends it; ``None``: it cannot be."""
        from tinytown.app import shares_database

        return self.task_of(mission, key, attempt) if shares_database(self.url) else None

    def task_of(self, mission: str, key: str, attempt: Attempt) -> str:
        """The task that runs it, as it stands in a queue."""
        from tinytown.canvases.message import message

        args, shown = (mission, key, attempt.number), _shown(mission, key, attempt)
        return message(contract.TASK_ATTEMPT, args, queue=attempt.queue, shown=shown)

    def send_advance(self, mission: str) -> None:
        """Ask for a new decision about a mission."""
        self._send(contract.TASK_ADVANCE, (mission,), contract.QUEUE_CONTROL, f"(mission {mission[:8]})")

    def send_questions(self) -> None:
        """Ask that open questions be looked at, if the unattended conductor is on."""
        if unattended.is_on(self.town):
            self._send(contract.TASK_QUESTIONS, (), contract.QUEUE_CONTROL, "()")

    def send_settled(self, mission: str, keys: Iterable[str]) -> None:
        """Send what these items lead to."""
        from tinytown.app import sending
        from tinytown.canvases import release

        canvas = self.canvas(mission)
        with sending():
            for key in keys:
                release.settle(self.app, canvas, key)

    def begin(self, canvas: Canvas) -> None:
        """Freeze the chords of a new mission and start its roots."""
        from tinytown.app import sending
        from tinytown.canvases import release

        with sending():
            release.freeze(self.app, canvas)
            release.begin(self.app, canvas)

    def rejoin(self, mission: str) -> None:
        """Have the joins of a mission count anew, from how its items stand.

        Those of a database that was made anew have no size, and those of a graph that was changed have counted others.
        Until this is done, and if it is not, the tick starts what they lead to.
        """
        canvas = self.canvas(mission)
        joins = canvas.counted()
        if not joins:
            return
        wanted = dict.fromkeys(key for target in joins for key in (target, *canvas.sources[target]))
        self._freeze(canvas)
        # Read only now: what settles from here on counts by itself.
        items = self.store.some_items(mission, list(wanted))
        settled = {key for key, item in items.items() if item.record.state.settled}
        open_joins = [target for target in joins if target not in settled]
        self._tell_joins(canvas, [(key, t) for t in open_joins for key in canvas.sources[t] if key in settled])

    def _freeze(self, canvas: Canvas) -> None:
        from tinytown.app import sending
        from tinytown.canvases import release

        with sending():
            release.freeze(self.app, canvas)

    def _tell_joins(self, canvas: Canvas, edges: Iterable[tuple[str, str]]) -> None:
        from tinytown.app import sending
        from tinytown.canvases import release

        with sending():
            for key, target in edges:
                release.tell_join(self.app, canvas, key, target)

    def end_attempts(self, ids: Iterable[str]) -> None:
        """Tell all workers to end these attempts now; without that, they end when their lease is not renewed."""
        wanted = list(ids)
        if wanted:
            from tinytown.app import tell_workers

            tell_workers(self.app, "tinytown_end", ids=wanted)

    def ask_workers(self, command: str, *, most: int, seconds: float) -> list[dict[str, Any]]:
        """The workers' answers to a control command: at most ``most``, within ``seconds``."""
        from tinytown.app import ask_workers

        return ask_workers(self.app, command, most=most, seconds=seconds)

    def sweep(self) -> None:
        """Have every machine clean up what no live attempt owns: processes first, then work folders."""
        from tinytown.app import tell_workers

        tell_workers(self.app, "tinytown_sweep")

    def _send(self, name: str, args: tuple[object, ...], queue: str, shown: str) -> None:
        from tinytown.app import send_task, sending

        with sending():
            send_task(self.app, name, args, queue=queue, argsrepr=shown)


def _shown(mission: str, key: str, attempt: Attempt) -> str:
    # Flower's list cuts it after some 45 letters, so what differs between attempts comes first.
    step = attempt.purpose.value
    return f"(mission {mission[:8]} {keys.short(key)} {attempt.role} {step} attempt {attempt.number}, {key})"


def event(kind: str, *, at: float, mission: str = "", item: str = "", **data: Any) -> Event:
    """A line of history."""
    return Event(at=at, kind=kind, mission=mission, item=item, data=data)
