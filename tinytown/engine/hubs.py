"""The hub in use cases: what is brought there, and what is had from it. Where a town has none, nothing is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tinytown.engine.context import Context
from tinytown.errors import HubAwayError, TinytownError
from tinytown.forge.hub import faults
from tinytown.git.repository import time_limit
from tinytown.missions.records.mission import Mission

#: Seconds that a start may wait for a hub.
GREET_SECS = 20.0
#: Seconds for which a process that decides leaves a hub alone that did not answer.
PAUSE_SECS = 15.0
_AWAY = "hub"


def need(context: Context, repo: str, shas: Iterable[str | None]) -> None:
    """Have these commits in this machine's mirror; raises ``HubAwayError`` where the hub cannot give one."""
    if (hub := context.hub(repo)) is not None:
        hub.need(sha for sha in shas if sha is not None)


def bring_here(context: Context, repo: str, sha: str) -> None:
    """At home, in a process that decides: have a commit that another machine made, but wait only briefly for it.

    Raises:
        HubAwayError: it was not to be had, or was not just now; nobody asks again so soon.
    """
    if not context.town.settings.hub.url:
        return
    context.forge.mirror(repo)
    hub = context.hub(repo)
    if hub is None or not hub.absent([sha]):
        return
    if context.is_put_off(_AWAY):
        raise faults.away(f"{hub.where} did not answer just now")
    try:
        with time_limit(GREET_SECS):
            hub.need([sha])
    except HubAwayError:
        context.put_off(_AWAY, PAUSE_SECS)
        raise


def publish(context: Context, bases: Mapping[str, Iterable[str]]) -> None:
    """At home: bring these branches, by repositories, to the hub as they are now.

    Raises:
        HubAwayError: it does not answer.
        ConfigurationError: it cannot be used as it is.
    """
    if not (context.town.home and context.town.settings.hub.url):
        return
    for repo, branches in bases.items():
        context.forge.mirror(repo)
        if (hub := context.hub(repo)) is not None:
            hub.publish(branches)


def greet(context: Context) -> TinytownError | None:
    """When a town starts: bring the bases to the hub, or elsewhere have them from there; gives why that is not so.

    The town goes on in any case, and this is tried again by itself.
    """
    own = context.forge.repo
    base = context.town.settings.forge.base_of(own)
    try:
        with time_limit(GREET_SECS):
            if context.town.home:
                publish(context, {own: (base,)} if base else {})
            elif (hub := context.hub(own)) is not None:
                hub.refresh()
    except TinytownError as error:
        return error
    return None


def bases_of(mission: Mission) -> Mapping[str, tuple[str, ...]]:
    """The branches that changes of a mission go into, by repositories."""
    if mission.workspace == "none":
        return {}
    return {repo: (mission.base_of(repo),) for repo in (mission.repo, *mission.bases)}


def all_bases(context: Context) -> Mapping[str, tuple[str, ...]]:
    """Those of the town's own repository and of all live missions."""
    settings, own = context.town.settings.forge, context.forge.repo
    base = settings.base_of(own)
    found: dict[str, tuple[str, ...]] = {own: (base,)} if base else {}
    for mission_id in context.store.mission_ids(live=True):
        for repo, branches in bases_of(context.store.mission(mission_id).record).items():
            found[repo] = tuple(dict.fromkeys((*found.get(repo, ()), *branches)))
    return found
