"""What a mission would do, as data for scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tinytown.engine.start.preview import Preview, PreviewItem


def preview_json(made: Preview) -> dict[str, Any]:
    """Stable keys for scripts."""
    mission = made.draft.mission
    return {
        "repo": mission.repo,
        "base": mission.base,
        "forge": mission.forge,
        "objectives": list(mission.objectives),
        "docs": list(mission.docs),
        "policy": mission.policy.model_dump(mode="json"),
        "town": "running" if made.running else "stopped",
        "order": [one.item.key for one in made.items],
        "waves": [list(wave) for wave in made.waves],
        "critical_path": list(made.critical_path),
        "items": [_item_json(one) for one in made.items],
        "skipped": [item.key for item in made.skipped],
        "roles": [
            {"role": r.role, "items": r.items, "workers": [asdict(w) for w in r.workers], "remedy": r.remedy}
            for r in made.roles
        ],
        "reviewers": list(made.reviewers),
        "refusals": [{"message": error.message, "remedy": error.remedy} for error in made.refusals],
        "base_checks": [
            {"repo": b.repo, "base": b.base, "known": None if b.known is None else asdict(b.known)} for b in made.bases
        ],
        "remarks": list(made.draft.remarks),
        "unread_mentions": [asdict(one) for one in made.draft.graph.unread],
    }


def _item_json(one: PreviewItem) -> dict[str, Any]:
    item = one.item
    return {
        "key": item.key,
        "number": item.number or None,
        "title": item.title,
        "url": item.url,
        "role": item.role,
        "role_named": item.role_named,
        "kind": item.kind,
        "priority": item.priority,
        "wave": one.wave,
        "critical": one.critical,
        "critical_path": item.critical_path,
        "depends_on": [
            {**edge.model_dump(mode="json"), "external": external}
            for external, edges in ((False, item.edges), (True, item.external))
            for edge in edges
        ],
        "blockers": list(item.blockers),
        "takers": list(one.takers),
        "waiting": asdict(one.waiting) if one.waiting is not None else None,
    }
