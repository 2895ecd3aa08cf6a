"""Stories of plans, tasks by hand and the backlog: people add and remove entries, idle agents take what fits them."""

from __future__ import annotations

from collections.abc import Callable

from tests.story import plan_files
from tests.story.backlog_invariants import BacklogWatcher
from tests.story.invariants import ViolationError, Watcher
from tests.story.plan_town import PlanTown
from tests.story.simulation import StoryTown, tell
from tinytown import keys
from tinytown.engine.dispatch import reconcile
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.operate import backlog as operate_backlog
from tinytown.engine.plan import by_hand, claims
from tinytown.errors import TinytownError
from tinytown.missions import backlog as rules
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import ItemState
from tinytown.settings import Settings
from tinytown.state import backlog

#: What entries are tagged with.
TAGS = ((), (), (), ("backend",), ("reviewer",), ("tester", "urgent"), ("urgent",), ("designer",))


class BacklogTown(PlanTown):
    """A town with a backlog."""

    watcher: BacklogWatcher

    def _watcher(self) -> Watcher:
        return BacklogWatcher(self.context.store)

    def _settings(self) -> Settings:
        return super()._settings().model_copy(update={"auto_claim": self.rng.random() < 0.85})

    def build(self) -> None:
        super().build()
        for _ in range(self.rng.choice([0, 1, 3])):
            claims.add(self.context, "Do it", self.rng.choice(TAGS), by="operator")

    def tick(self) -> None:
        def turn() -> None:
            reconcile.reconcile_all(self.context)
            claims.take_up_quietly(self.context, tick=True)

        self.guarded("tick", turn)

    def serve(self, name: str) -> None:
        super().serve(name)
        claims.take_up_quietly(self.context)

    def work(self) -> None:
        super().work()
        if self.rng.random() < 0.7:  # Else the process died just then.
            self.guarded("the idle look", lambda: claims.take_up_quietly(self.context))

    def outcome(self, claimed: Claim) -> Report:
        """What agents do with the backlog within a run, and then its end."""
        if claimed.attempt.purpose.runs_agent and self.chaos.trouble and self.rng.random() < 0.15:
            try:
                if self.rng.random() < 0.5:
                    depth = claimed.item.depth + 1
                    claims.add(self.context, "Go on with it", self.rng.choice(TAGS), by=claimed.agent, depth=depth)
                elif ids := backlog.ids(self.context.store):
                    claims.claim_own(self.context, self.rng.choice(ids), claimed.agent, at=claimed.item.key)
            except TinytownError as error:
                self.note(f"refused: {error}")
        return super().outcome(claimed)

    def operator(self) -> None:
        if self.rng.random() < 0.2:
            self.see_to_the_backlog()
        else:
            super().operator()

    def see_to_the_backlog(self) -> None:
        rng = self.rng
        ids = [*backlog.ids(self.context.store), f"b{rng.randint(1, 9)}"]
        agent = rng.choice([*self.context.crew.agents(), "nobody"])
        deeds: dict[str, Callable[[], object]] = {
            "add": lambda: claims.add(self.context, "Do it", rng.choice(TAGS), by="operator"),
            f"claim {ids[0]} {agent}": lambda: claims.claim(self.context, ids[0], agent),
            f"assign-all {agent}": lambda: claims.claim_all(self.context, agent),
            f"remove {ids[-1]}": lambda: operate_backlog.remove(self.context, ids[-1]),
        }
        verb = rng.choices(list(deeds), (6, 2, 1, 1))[0]
        if verb.startswith("remove"):
            self.watcher.removable.add(ids[-1])
        self.do(f"backlog {verb}", deeds[verb])

    def settle_down(self) -> None:
        super().settle_down()
        seen = claims.standing(self.context, whole=True)
        for entry in backlog.some(self.context.store, backlog.ids(self.context.store)):
            why = claims.why(rules.lines_of(entry.record), seen)
            if not why or why == "it is taken next":
                raise ViolationError(f"{entry.record} is taken by nobody: {why}")

    def _staff(self) -> None:
        super()._staff()
        self.do("spawn designer", lambda: self.employ("designer", "designer"))
        self.attend()
        for id_ in backlog.ids(self.context.store):
            self.do(f"claim {id_}", lambda i=id_: claims.claim(self.context, i, "worker0"))  # type: ignore[misc]

    def _answer(self) -> None:
        super()._answer()
        if left := backlog.ids(self.context.store):
            raise ViolationError(f"{left} are in the backlog for ever")


def tell_of_tasks(seed: int, url: str, *, steps: int = 60) -> StoryTown:
    """One story of plans, tasks by hand and the backlog."""
    return tell(seed, url, steps=steps, town_of=BacklogTown)


class JudgesTown(BacklogTown):
    """A town in which tasks name one of two reviewers as their judge: by chance few of the others have that."""

    def roles(self) -> list[str]:
        return ["worker", "reviewer", "reviewer"]

    def plan(self) -> str:
        work = [{"id": id_, "description": f"Do {id_}", "agent": "worker"} for id_ in "ace"]
        looks = [
            {"id": id_, "description": "Look at it", "agent": "reviewer1", "depends_on": [task["id"]]}
            for id_, task in zip("bdf", work, strict=True)
        ]
        return plan_files.render({"meta": {}, "tasks": [*work, *looks]})


def tell_of_judges(seed: int, url: str, *, steps: int = 60) -> StoryTown:
    """One story of tasks that name who judges them."""
    return tell(seed, url, steps=steps, town_of=JudgesTown)


class WordsTown(BacklogTown):
    """People say of tasks that they are done, whose changes nobody has approved yet."""

    def actions(self) -> list[tuple[float, Callable[[], None]]]:
        return [*super().actions(), (12, self.say_done)]

    def say_done(self) -> None:
        items = [given.item for given in by_hand.all_tasks(self.context)]
        ids = [item.typed for item in items if item.head and item.attempt is None and not item.state.settled]
        if ids:
            id_ = self.rng.choice(ids)
            told = [keys.task_key(id_), keys.task_key(id_, plan="hand")]
            self.do(f"say that {id_} is done", lambda: by_hand.settle(self.context, id_, ItemState.DONE, ""), told=told)


def tell_of_words(seed: int, url: str, *, steps: int = 60) -> StoryTown:
    """One story of people whose word counts."""
    return tell(seed, url, steps=steps, town_of=WordsTown)
