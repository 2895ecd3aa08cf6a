"""Random sequences of every Lua script, with the real server and the model of ``records_model`` side by side.

After each step the answers are equal, and so is everything that is stored: wrong versions, calls made twice, drafts
that are committed long after they were made, claims whose lease has run out, and a server that forgot its scripts.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.survival.records_model import (
    MODELS,
    Database,
    Expectation,
    Line,
    RefusedError,
    View,
    Write,
    commit,
    renew,
    set_aside,
    snapshot,
    stands_for,
    view,
)
from tests.survival.records_model import replace as replace_all
from tinytown.errors import ConflictError
from tinytown.state import saved
from tinytown.state.database import Draft, Scripts, connect
from tinytown.state.keys import Keys

#: Names of keys, without the town's prefix.
K = Keys("")
M = "m"
COUNTED = (K.rounds, K.counts(M))
NUMBERS = (K.admissions, K.tasks_number)
STRINGS = (K.plan, K.mail_seen("ann"))
HASHES = (K.mission(M), K.items(M), K.attempts, K.agents, K.limits, K.disks)
SETS = (K.wanting, K.live, K.messages_due)
ZSETS = (K.later(M), K.missions)
STREAMS = (K.events, K.mission_events(M))
QUEUE, TAKEN, TAKEN_INDEX, QUARANTINE = "control", "unacked", "unacked_index", K.quarantine("control")
ONCE = (K.once("x"), K.once("y"))
COPIES = (K.saving("s", ""), K.saving("t", ""))
FORM = "indexed"

names = st.sampled_from(["1", "2", "3", "k 4", "ü"])
#: Attempts: few, so that claims, renewals and leases meet.
attempts = st.sampled_from(["1", "2", "3"])
tokens = st.sampled_from(["0", "1", "2", "t"])
values = st.builds(
    lambda version, body: f"{version}{body}", tokens, st.sampled_from(["", "\n", '\n{"a": 1}', "\nä\n2"])
)
millis = st.sampled_from(["-5000", "0", "60000", "3600000"])
#: Far from now on both sides, in seconds.
times = st.sampled_from(["0.5", "1000.25", "99999999999.5"])
lines = st.builds(
    lambda lane, order, key: f"{lane} {order} {key}",
    st.sampled_from(["a", "a!", "ab", "role/ü"]), st.sampled_from(["1", "2"]), names,
)  # fmt: skip


def _fields(count: int = 3) -> st.SearchStrategy[list[str]]:
    return st.dictionaries(names, values, min_size=1, max_size=count).map(lambda d: [w for p in d.items() for w in p])


def _some(one: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(one, min_size=1, max_size=most, unique=True)


def _write(command: str, keys: Sequence[str], words: st.SearchStrategy[list[str]]) -> st.SearchStrategy[Write]:
    return st.builds(lambda key, rest: (command, key, *rest), st.sampled_from(list(keys)), words)


def _scored(score: st.SearchStrategy[str], member: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    found = st.dictionaries(member, score, min_size=1, max_size=3)
    return found.map(lambda d: [w for name, value in d.items() for w in (value, name)])


def _swapped(words: list[str]) -> list[str]:
    """Members before their scores."""
    return [word for score, member in zip(words[::2], words[1::2], strict=True) for word in (member, score)]


writes = st.one_of(
    _write("HSET", HASHES, _fields()),
    _write("HSET", HASHES, _fields()),
    _write("HSET", [K.attempts], st.builds(lambda name, value: [name, value], attempts, values)),
    _write("HDEL", [*HASHES, *COUNTED], _some(names)),
    _write("HINCRBY", COUNTED, st.builds(lambda name, by: [name, by], names, st.sampled_from(["1", "-2"]))),
    _write("INCR", NUMBERS, st.just([])),
    _write("SET", STRINGS, _some(values, 1)),
    _write("DEL", [*HASHES, *STRINGS, *SETS, K.lanes(M)], st.just([])),
    _write("UNLINK", [*HASHES, *STRINGS, *SETS, K.lanes(M)], st.just([])),
    _write("SADD", SETS, _some(names)),
    _write("SREM", SETS, _some(names)),
    _write("ZADD", ZSETS, _scored(times, names)),
    _write("ZADD", [K.lanes(M)], _scored(st.just("0.0"), lines)),
    _write("ZADD_IN", [K.leases, K.alive], _scored(millis, attempts).map(_swapped)),
    st.builds(
        lambda name, usd, tokens: ("SPEND", K.spent, K.costs, name, "2", usd, tokens),
        names,
        st.sampled_from(["", "0", "250000000"]),
        st.sampled_from(["", "0", "1200"]),
    ),
    _write("HSET", [K.spent], st.just(["started", "5.0"])),
    _write("ZREM", [*ZSETS, K.leases, K.lanes(M)], _some(st.one_of(names, lines))),
    _write("LPUSH", [QUEUE], _some(values, 1)),
    _write("RPUSH", [K.notices], _some(values, 1)),
    _write("XADD", [K.mail("ann")], st.builds(lambda value: ["MAXLEN", "~", "3", "*", "m", value], values)),
)
reads = st.one_of(
    _write("HGET", HASHES, _some(names, 1)), _write("HMGET", HASHES, _some(names)),
    _write("HGETALL", HASHES, st.just([])), _write("SMEMBERS", SETS, st.just([])),
)  # fmt: skip
#: What is added to the history: values, and whether to a second stream besides.
entries = st.lists(st.tuples(values, st.booleans()), max_size=3)
#: What is expected: a key, a field, and by how much the version is wrong (0: it is right).
expectations = st.one_of(
    st.tuples(st.sampled_from(HASHES), names, st.sampled_from([0, 0, 0, 0, 0, 0, 1])),
    st.tuples(st.sampled_from([*STRINGS, *NUMBERS]), st.just(""), st.sampled_from([0, 0, 0, 0, 0, 0, 1])),
    st.tuples(st.just(K.leases), attempts.map("<{}".format), st.just(0)),
)


@dataclass(frozen=True)
class Order:
    """What a commit is to do."""

    expected: tuple[Expectation, ...] = ()
    writes: tuple[Write, ...] = ()
    entries: tuple[tuple[str, bool], ...] = ()
    reads: tuple[Write, ...] = ()
    once: str = ""


class Machine(RuleBasedStateMachine):
    """See the module."""

    url: ClassVar[str] = ""
    #: Planted faults: a script, and words of it that are replaced by others.
    planted: ClassVar[tuple[str, str, str] | None] = None
    #: How often each script gave each kind of answer.
    seen: ClassVar[Counter[tuple[str, str]]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.client = connect(self.url)
        self.prefix = f"tt:lua-{uuid.uuid4().hex[:12]}:"
        self.scripts = Scripts(self.client)
        self.others = {name: self._register(name) for name in ("set_aside", "snapshot", "replace")}
        for name in ("commit", "renew", "view"):
            setattr(self.scripts, name, self._register(name))
        self.data = Database()
        self.held: list[Order] = []
        self.last = Order()

    def _register(self, name: str) -> Any:
        text = (resources.files("tinytown.state") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
        if self.planted is not None and self.planted[0] == name:
            _, old, new = self.planted
            if text.count(old) != 1:  # No assertion: that would be taken for a fault that was seen.
                raise ValueError(f"{name}.lua has {text.count(old)} times `{old}`")
            text = text.replace(old, new)
        return self.client.register_script(text)

    def teardown(self) -> None:
        if left := list(self.client.scan_iter(match=f"{self.prefix}*", count=1000)):
            self.client.delete(*left)
        self.client.close()

    # -- one call on both sides ------------------------------------------------------------------

    def _millis(self) -> float:
        seconds, micros = self.client.time()
        return int(seconds) * 1000 + int(micros) / 1000

    def _both(self, name: str, real: Callable[[], Any], model: Callable[[], Any]) -> tuple[Any, Any]:
        """Answers of the script and of its model; the clock's readings are compared, and then those of the server."""
        self.data.now, self.data.clocked = self._millis(), {}
        answers = _answer(real), _answer(model)
        self._adopt(self._millis())
        assert self._kind(answers[0]) == self._kind(answers[1]), f"{name}: {answers}"
        self.seen[name, self._kind(answers[1])] += 1
        return answers

    def _kind(self, answer: Any) -> str:
        return "refused" if answer in (0, -1) or (isinstance(answer, tuple) and answer[0] == "refused") else "done"

    def _adopt(self, until: float) -> None:
        """What the server wrote by its clock must lie between its readings before and after."""
        for (key, member), at_least in self.data.clocked.items():
            if member in self.data.zsets.get(key, {}):
                score = self.client.zscore(self.prefix + key, member)
                spread = until - self.data.now
                assert score is not None, f"{member} of {key} is missing"
                assert at_least - 1 <= score <= at_least + spread + 1, f"{member} of {key}: {score}, not {at_least}"
                self.data.zsets[key][member] = score

    # -- commits ---------------------------------------------------------------------------------

    def _order(self, data: st.DataObject) -> Order:
        expected: list[Expectation] = []
        for key, name, wrong in data.draw(st.lists(expectations, max_size=4)):
            found = self.data.hashes.get(key, {}).get(name) if name else self.data.strings.get(key)
            version = (found or "0").split("\n", 1)[0] if found is not None else "0"
            expected.append((key, name, "9" if wrong else version))
        return Order(
            tuple(expected), tuple(data.draw(st.lists(writes, max_size=6))), tuple(data.draw(entries)),
            tuple(data.draw(st.lists(reads, max_size=2))), data.draw(st.sampled_from(["", "", "", *ONCE])),
        )  # fmt: skip

    def _draft(self, order: Order) -> Draft:
        draft = Draft()
        if order.once:
            draft.once(self.prefix + order.once)
        for key, name, version in order.expected:
            draft.expect(self.prefix + key, name, version)
        for value, twice in order.entries:
            also = (self.prefix + STREAMS[1], 5) if twice else None
            draft.append(self.prefix + STREAMS[0], 4, value, also=also)
        for command, key, *words in (*order.writes, *order.reads):
            if command == "SPEND":
                words[0] = draft.index(self.prefix + words[0])
            draft.write(command, self.prefix + key, *words)
        return draft

    def _told(self, order: Order) -> list[Write]:
        """The writes as the model knows them."""
        found: list[Write] = []
        for twice in dict.fromkeys(twice for _, twice in order.entries):
            words = [w for n, v in enumerate(v for v, t in order.entries if t == twice) for w in (f"e{n or ''}", v)]
            found.append(("XADD", STREAMS[0], "4", *words))
            if twice:
                found.append(("XADD", STREAMS[1], "5", *words))
        for command, key, *words in (*order.writes, *order.reads):
            # Without the words that say how a stream is cut.
            found.append((command, key, words[2], *words[4:]) if command == "XADD" else (command, key, *words))
        return found

    def _commit(self, order: Order) -> None:
        self.last = order
        real, model = self._both(
            "commit",
            lambda: self._draft(order).commit(self.scripts),
            lambda: commit(self.data, order.expected, self._told(order), order.once),
        )
        if isinstance(model, tuple):
            assert real == model
            return  # It was refused, for the same reason.
        self.seen["commit", "again" if model is None else "first"] += 1
        if model is None:
            assert real == [], "it was committed twice"
            return
        found, wanted = (answers[len(answers) - len(order.reads) :] for answers in (real, model))
        for (command, *_), one, other in zip(order.reads, found, wanted, strict=True):
            assert _plain(command, one) == other, f"{command}: {one}, not {other}"

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Something is there."""
        self._commit(replace(self._order(data), expected=(), once=""))

    @rule(data=st.data())
    def commits(self, data: st.DataObject) -> None:
        self._commit(self._order(data))

    @rule(data=st.data())
    def draws_up(self, data: st.DataObject) -> None:
        """A process decides now, by what is there now, and commits later."""
        self.held.append(self._order(data))

    @rule()
    def commits_late(self) -> None:
        if self.held:
            self._commit(self.held.pop(0))

    @rule()
    def commits_again(self) -> None:
        """The answer was lost, and the client repeats it."""
        self._commit(self.last)

    @rule(name=attempts, token=tokens, lease=millis)
    def claims(self, name: str, token: str, lease: str) -> None:
        """An attempt begins to live, under a token and a lease."""
        self._commit(Order(writes=(("HSET", K.attempts, name, f"{token}\n{{}}"), ("ZADD_IN", K.leases, name, lease))))

    @rule(name=attempts)
    def reclaims(self, name: str) -> None:
        """What is taken from whom nobody heard of: only if its lease has run out."""
        self._commit(
            Order(
                expected=((K.leases, f"<{name}", "0"),),
                writes=(("HDEL", K.attempts, name), ("ZREM", K.leases, name)),
                reads=(("HGETALL", K.attempts),),
            )
        )

    @rule(found=st.lists(lines, min_size=2, max_size=5, unique=True), name=names, time=times)
    def becomes_due(self, found: list[str], name: str, time: str) -> None:
        """Items stand in their lines, or wait for their time."""
        scored = [word for entry in found for word in ("0.0", entry)]
        self._commit(Order(writes=(("ZADD", K.lanes(M), *scored), ("ZADD", K.later(M), time, name))))

    @rule(count=st.sampled_from([999, 1000, 1001, 2100]), wrong=st.sampled_from([False, False, True]))
    def commits_much(self, count: int, wrong: bool) -> None:
        """More than one command takes."""
        many = [str(n) for n in range(count)]
        fill = tuple(("HSET", K.results(M), name, f"{name}\n") for name in many)
        self._commit(Order(writes=fill))
        # Also the last of them is compared.
        proof = tuple((K.results(M), name, "9" if wrong and name == many[-1] else name) for name in many)
        self._commit(Order(expected=proof, writes=(("DEL", K.results(M)), ("HSET", K.results(M), "1", "x"))))
        self._commit(Order(writes=(("DEL", K.results(M)),)))

    # -- the others ------------------------------------------------------------------------------

    @rule(name=attempts, token=tokens, lease=millis, right=st.booleans())
    def renews(self, name: str, token: str, lease: str, right: bool) -> None:
        if right:
            token = self.data.hashes.get(K.attempts, {}).get(name, token).split("\n", 1)[0]
        self._both(
            "renew",
            lambda: int(
                self.scripts.renew(
                    keys=[self.prefix + K.attempts, self.prefix + K.leases], args=[name, token, int(lease)]
                )
            ),
            lambda: renew(self.data, K.attempts, K.leases, name, token, int(lease)),
        )

    @rule()
    def limits_the_day(self) -> None:
        """A person gives this day other limits."""
        self._commit(Order(writes=(("HSET", K.spent, f"{int(self.data.now // 86_400_000)}/raised", "{}"),)))

    @rule(page=st.sampled_from([1, 2, 3]), further=st.lists(names, max_size=3), costs=st.booleans())
    def looks(self, page: int, further: list[str], costs: bool) -> None:
        keys = [K.admissions, K.mission(M), K.lanes(M), K.items(M), K.attempts, K.agents, K.alive, K.wanting, K.limits,
                K.later(M), K.messages_due, K.spent, K.costs, K.disks]  # fmt: skip
        real, model = self._both(
            "view",
            lambda: self.scripts.view(
                keys=[self.prefix + key for key in keys], args=[page, FORM, int(costs), *further]
            ),
            lambda: view(self.data, keys, page, FORM, further, costs=costs),
        )
        found = _viewed(real)
        assert found == model, f"{found}\nnot\n{model}"
        self.seen["view", "cut" if model.ends else "whole"] += 1
        self.seen["view", "ripe" if model.ripe else "unripe"] += 1

    @rule(value=values, tag=st.sampled_from(["1", "2"]))
    def takes(self, value: str, tag: str) -> None:
        """A worker takes a message."""
        self._commit(Order(writes=(("HSET", TAKEN, tag, value), ("ZADD", TAKEN_INDEX, "1.0", tag))))

    @rule(value=values, tag=st.sampled_from(["", "1", "2"]), right=st.booleans())
    def sets_aside(self, value: str, tag: str, right: bool) -> None:
        """One that is there (``right``), or any."""
        place, index = (TAKEN, TAKEN_INDEX) if tag else (QUEUE, "")
        there = [self.data.hashes.get(TAKEN, {}).get(tag)] if tag else self.data.lists.get(QUEUE, [])
        message = next((one for one in there if one is not None and right), value)
        if right and message not in there:
            self._commit(Order(writes=(("LPUSH", QUEUE, message),))) if not tag else self.takes(value=value, tag=tag)
        keys = [self.prefix + key for key in (place, QUARANTINE, index) if key]
        self._both(
            "set_aside",
            lambda: int(self.others["set_aside"](keys=keys, args=[message, tag])),
            lambda: set_aside(self.data, place, QUARANTINE, message, tag, index),
        )

    @rule(copy=st.sampled_from(COPIES), everything=st.booleans(), room=st.sampled_from(["", "1000000000", "1"]))
    def copies(self, copy: str, everything: bool, room: str) -> None:
        """All records at one moment; not if there is no room."""
        self._forget(copy)
        words = saved.words() if everything else [K.admissions, "mission:*", K.agents]
        fits = room != "1" or not any(stands_for(words, key) for key in self.data.names())
        args = [self.prefix, self.prefix + copy, 600_000, room, *words]
        real, model = self._both(
            "snapshot",
            lambda: int(self.others["snapshot"](args=args)),
            lambda: snapshot(self.data, copy, words) if fits else -1,
        )
        assert real == model

    def _forget(self, target: str) -> None:
        """Copies end by themselves."""
        for key in [key for key in self.data.names() if key.startswith(target)]:
            self.client.delete(self.prefix + key)
            self.data.remove(key)

    @rule(source=st.sampled_from(["", *COPIES]), stay=st.booleans())
    def restores(self, source: str, stay: bool) -> None:
        """Other records in the place of all."""
        stays = [*([K.admissions, "mail:*"] if stay else []), "saving:*"]
        args = [self.prefix, self.prefix + source if source else "", *stays]
        real, model = self._both(
            "replace",
            lambda: tuple(map(int, self.others["replace"](args=args))),
            lambda: replace_all(self.data, source, stays),
        )
        assert real == model

    @rule()
    def forgets_scripts(self) -> None:
        """The server was started anew, or somebody flushed its scripts."""
        self.client.script_flush()

    @rule(seconds=st.sampled_from([30.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        for key in (K.leases, K.alive):
            for member, score in self.data.zsets.get(key, {}).items():
                self.data.zsets[key][member] = score - seconds * 1000
                self.client.zadd(self.prefix + key, {member: score - seconds * 1000})

    # -- what is stored --------------------------------------------------------------------------

    @invariant()
    def all_is_equal(self) -> None:
        wanted, found = self.data, self._stored()
        assert found.names() == wanted.names()
        for name, one, other in zip(
            ("strings", "hashes", "sets", "zsets", "lists"), found.stores(), wanted.stores(), strict=False
        ):
            assert one == other, f"{name}: {one}\nnot\n{other}"
        for key, line in wanted.streams.items():
            there = found.streams[key].values
            assert there == line.values[-len(there) :], key
            assert len(there) >= min(line.keeps, len(line.values)), f"{key} was cut to {len(there)}"

    def _stored(self) -> Database:
        """All that the server has, each key with whether it ends by itself."""
        keys = sorted(set(self.client.scan_iter(match=f"{self.prefix}*", count=5000)))
        with self.client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.type(key)
                pipe.pttl(key)
            about = pipe.execute()
            for key, kind in zip(keys, about[::2], strict=True):
                _ask(pipe, key, kind)
            contents = pipe.execute()
        data = Database()
        for key, kind, ends, content in zip(keys, about[::2], about[1::2], contents, strict=True):
            name = key.removeprefix(self.prefix)
            passing = name.startswith(("once:", "saving:"))
            assert (ends > 0) == passing, f"{name} ends in {ends} ms"
            _STORES[kind](data)[name] = _content(kind, content)
        return data


_STORES: dict[str, Callable[[Database], dict[str, Any]]] = {
    "string": lambda data: data.strings,
    "hash": lambda data: data.hashes,
    "set": lambda data: data.sets,
    "zset": lambda data: data.zsets,
    "list": lambda data: data.lists,
    "stream": lambda data: data.streams,
}


def _ask(pipe: Any, key: str, kind: str) -> None:
    match kind:
        case "string":
            pipe.get(key)
        case "hash":
            pipe.hgetall(key)
        case "set":
            pipe.smembers(key)
        case "zset":
            pipe.zrange(key, 0, -1, withscores=True)
        case "list":
            pipe.lrange(key, 0, -1)
        case "stream":
            pipe.xrange(key)


def _content(kind: str, content: Any) -> Any:
    if kind == "zset":
        return dict(content)
    if kind == "stream":
        return Line([[word for pair in fields.items() for word in pair] for _, fields in content])
    return set(content) if kind == "set" else content


def _answer(call: Callable[[], Any]) -> Any:
    """What it gives; a refusal as the place that was not as expected."""
    try:
        return call()
    except RefusedError as error:
        return ("refused", error.where[0], error.where[1])
    except ConflictError as error:
        # The key with its prefix, the field (which may have spaces, or be empty), and the rest of the sentence.
        where = error.message.removesuffix(" changed in the meantime")
        key, _, name = where.partition(" ")
        return ("refused", key.split(":", 2)[2], name)


def _plain(command: str, answer: Any) -> Any:
    match command:
        case "HGETALL":
            return dict(zip(answer[::2], answer[1::2], strict=True)) if isinstance(answer, list) else answer
        case "SMEMBERS":
            return set(answer)
    return answer


def _pairs(flat: Any) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _viewed(answer: Any) -> View:
    _, version, head, entries_, ends, due, ripe, later, *rest = answer
    live, agents, presence, wanted, further, limits, letters, day, costs, disks = rest
    return View(
        version=version, head=head, entries=entries_, ends=ends, due=due, ripe=ripe, later=bool(later),
        attempts=_pairs(live), agents=_pairs(agents),
        presence={name: float(score) for name, score in _pairs(presence).items()},
        wanted=set(wanted), further=further, limits=_pairs(limits), letters=set(letters),
        day=day, costs=_pairs(costs), disks=_pairs(disks),
    )  # fmt: skip


__all__ = ["MODELS", "Machine"]
