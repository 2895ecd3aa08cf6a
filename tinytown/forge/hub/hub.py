"""A hub, as one machine uses it for one repository: fetch what is needed, push what was made, lose nothing.

A mirror notes what the hub has (see ``names``). What the two differ in is pending, and stays so until a push succeeded;
a lost reply is looked up. Refs are moved from exactly what was last seen there, all of a push or none.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from tinytown import files
from tinytown.errors import ConfigurationError, StateError, TinytownError
from tinytown.forge import mirror
from tinytown.forge.clearing import Prover
from tinytown.forge.hub import beside, faults, names
from tinytown.git import transport
from tinytown.git.repository import Git, GitError
from tinytown.git.transport import Address, Move
from tinytown.processes import ProgramTimeoutError

T = TypeVar("T")

#: Times that a push is tried again because refs moved meanwhile.
ROUNDS: Final = 4
#: Names that are tried for work whose own name is another's.
VERSIONS: Final = 9
#: File in a mirror whose time says when the hub was last surveyed.
_SURVEYED: Final = "tinytown-surveyed"


@dataclass(frozen=True)
class Hub:
    """See the module. Every method that speaks to the hub may raise ``HubAwayError`` or ``ConfigurationError``."""

    address: Address
    #: The mirror.
    folder: Path
    #: Where the repository's refs are in the hub; ends in a slash.
    root: str
    #: The town's epoch: a hub that holds another one is another town's.
    epoch: str
    #: Whether the person's repository is on this machine.
    home: bool

    @property
    def own(self) -> Git:
        """Git in the mirror; it speaks to no server."""
        return Git.own(self.folder)

    def known(self, *patterns: str) -> dict[str, str]:
        """What the hub had when it was last looked at, by names below the root that match; all without patterns."""
        wanted = [names.KNOWN + names.listed(pattern) for pattern in patterns or ("*",)]
        return {ref.removeprefix(names.KNOWN): sha for ref, sha in self.own.refs(*wanted).items()}

    def base(self, branch: str) -> str | None:
        """The newest commit of a base that this machine has seen in the hub."""
        return self.known(f"{names.BASE}{branch}").get(f"{names.BASE}{branch}")

    def absent(self, shas: Iterable[str]) -> list[str]:
        """Those of these commits that the mirror does not have."""
        return transport.absent(self.own, shas)

    # -- fetching ----------------------------------------------------------------------------------

    def need(self, shas: Iterable[str]) -> None:
        """Have these commits in the mirror; asks nobody for those that are.

        Raises:
            HubAwayError: the hub does not answer, or does not have one of them yet.
        """
        if not (wanted := self.absent(shas)):
            return
        try:
            self._fetch([f"{sha}:{names.SEEN}{sha}" for sha in wanted])
        except (GitError, ProgramTimeoutError) as error:
            if not transport.not_given(error):
                raise self._said(error) from None
            # Some servers give only what a ref names, and one that is missing hides the others.
            self.take(["*"])
        if lacking := self.absent(wanted):
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise faults.away(
                f"{self.where} does not have commit {lacking[0][:10]}{more} yet",
                remedy="whoever has it brings it there; it is tried again by itself",
            )

    def take(self, patterns: Sequence[str], *, prune: bool = False) -> None:
        """Look at the refs of these names below the root, and take in what others left there."""
        try:
            self._fetch([f"+{self.root}{name}:{names.KNOWN}{name}" for name in patterns], prune=prune)
        except (GitError, ProgramTimeoutError) as error:
            raise self._said(error) from None
        self._adopt(patterns)

    def refresh(self, patterns: Sequence[str] = ()) -> None:
        """On a machine that is not home: the bases as they are now, and what matches; one fetch.

        Raises:
            HubAwayError: the hub does not answer, or home has not brought anything there yet.
            ConfigurationError: it is another town's.
        """
        self._make()
        wanted = (names.TOWN, names.BESIDE, f"{names.BASE}*", *patterns)
        try:
            self._fetch([f"+{self.root}{name}:{names.KNOWN}{name}" for name in wanted])
        except (GitError, ProgramTimeoutError) as error:
            if transport.no_such_ref(error):
                raise self._nothing_yet() from None
            raise self._said(error) from None
        self._require_ours()
        self._require_same()
        self._adopt(wanted)
        beside.put(self._blob(names.BESIDE), self.folder)

    def _require_same(self) -> None:
        """What this machine brought to a hub that was emptied since is to be brought there again."""
        now, before = self.known(names.TOWN)[names.TOWN], self.own.refs(names.FILLED).get(names.FILLED)
        if before == now:
            return
        if before is not None:
            self.forget([name for name in self.known("work/*") if names.is_work(name)])
        # Last, so that a process that dies before it does that again.
        self.own.run("update-ref", names.FILLED, now)

    def _fetch(self, refspecs: Sequence[str], *, prune: bool = False) -> None:
        transport.fetch(self._online(), self.address, refspecs, prune=prune)

    def _adopt(self, patterns: Sequence[str]) -> None:
        """Give what was fetched its own names here; what this machine has made further is left as it is."""
        own = self.own
        known = {
            name: sha
            for name, sha in self.known(*patterns).items()
            if names.is_work(name) or (name.startswith(names.BASE) and not self.home)
        }
        places = [ref for pattern in patterns if (ref := names.here(names.listed(pattern)))]
        refs = own.refs(*(places if "*" not in patterns else (names.WORK, "refs/heads")))
        new = {name: sha for name, sha in known.items() if names.here(name) not in refs}
        proven = self._proven(new) if self.home else set()
        lines = [f"create {names.here(name)} {sha}" for name, sha in new.items() if name not in proven]
        for name, sha in known.items():
            old = refs.get(names.here(name) or "")
            if old not in (None, sha) and (not names.is_work(name) or own.is_ancestor(old, sha)):
                lines.append(f"update {names.here(name)} {sha} {old}")
        for line in lines:
            # One by one: whoever collects at this moment may be quicker with one of them.
            own.run("update-ref", "--stdin", input=f"{line}\n", ok=(0, 128))

    # -- pushing -----------------------------------------------------------------------------------

    def pending(self, *below: str) -> dict[str, str]:
        """What the hub lacks of the refs below these of the mirror, of all without any, by names in the hub."""
        refs = self.own.refs(*(below or (names.WORK, mirror.OURS)))
        ours = {name: sha for ref, sha in refs.items() if (name := names.in_hub(ref)) is not None}
        known = self.known(*(name for ref in below if (name := names.in_hub(ref)))) if ours else {}
        return {name: sha for name, sha in ours.items() if known.get(name) != sha}

    def offer(self, *below: str) -> int:
        """Push what is pending below these refs; gives how many refs that were.

        What others have under the same name is never replaced: the work is pushed under a name of its own.
        """
        wanted = self.pending(*below)
        self._push(wanted)
        return len(wanted)

    def publish(self, branches: Iterable[str]) -> None:
        """At home: bring bases and what goes with every clone to the hub, where that changed. Costs no network else."""
        if not self.known(names.TOWN):
            self._settle()
        self._require_ours()
        known = self.known(names.BESIDE, f"{names.BASE}*")
        bases = {f"{names.BASE}{branch}": f"refs/heads/{branch}" for branch in branches}
        text = self.own.line("hash-object", "-w", "--stdin", input=beside.of_mirror(self.folder))
        there = self.own.refs(*bases.values()) if bases else {}
        wanted = {names.BESIDE: text, **{name: there[ref] for name, ref in bases.items() if ref in there}}
        self._push({name: sha for name, sha in wanted.items() if known.get(name) != sha})

    def survey(self, branches: Iterable[str]) -> None:
        """At home: look at all that the hub has, take in what others left, and bring there whatever it lacks.

        Work that is merged, and that no ref of the mirror keeps any more, is removed there.
        """
        self.take(["*"], prune=True)
        self.publish(branches)
        self.offer()
        self._tidy()
        (self.folder / _SURVEYED).touch()

    def surveyed_ago(self) -> float:
        """Seconds since some process of home did that."""
        try:
            return time.time() - (self.folder / _SURVEYED).stat().st_mtime
        except OSError:
            return float("inf")

    def _settle(self) -> None:
        """At home: make sure that the hub says whose its refs are. An emptied one is given everything anew."""
        self.take(["*"], prune=True)
        if self.known(names.TOWN):
            return
        self.forget(self.known())
        said = json.dumps({"epoch": self.epoch, "made": secrets.token_hex(8)})
        self._push({names.TOWN: self.own.line("hash-object", "-w", "--stdin", input=said)})
        # Another process of home may have been quicker.
        self.take([names.TOWN])

    def _push(self, wanted: Mapping[str, str]) -> None:
        """Move refs, by their names below the root, to these objects."""
        rest = list(wanted.items())
        while rest:
            self._push_some(dict(rest[: transport.REFS_AT_ONCE]))
            rest = rest[transport.REFS_AT_ONCE :]

    def _push_some(self, wanted: dict[str, str]) -> None:
        online, there = self._online(), dict[str, str]()
        for _ in range(ROUNDS):
            known = {**self.known(*wanted), **there}
            moves = [Move(self.root + name, known.get(name, ""), sha) for name, sha in wanted.items()]
            try:
                transport.push(online, self.address, moves)
            except (GitError, ProgramTimeoutError) as error:
                # It may have been done all the same: the refs themselves say.
                there = self.look(list(wanted))
                if any(move.old and move.ref.removeprefix(self.root) not in there for move in moves):
                    # Somebody emptied it: the next sweep looks at all of it.
                    (self.folder / _SURVEYED).unlink(missing_ok=True)
                wanted = {name: sha for name, sha in wanted.items() if there.get(name, "") != sha}
                if not wanted:
                    return
                if not faults.stale(error):
                    raise self._said(error) from None
                wanted = self._go_on(wanted, there)
                if not wanted:
                    return
            else:
                self._note(wanted)
                return
        raise faults.away(f"refs of {self.where} move too fast")

    def _go_on(self, wanted: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
        """What is still to be pushed where the hub has other objects than were expected."""
        rest = {}
        for name, sha in wanted.items():
            present, ref = there.get(name), names.here(name)
            if name == names.TOWN and present is not None:
                continue  # Another process of home was quicker.
            if present is None or not names.is_work(name):
                # Home has the say, and by now its mirror may be further.
                rest[name] = (self.own.commit(ref) if ref is not None else None) or sha
                continue
            self.take([name])
            if self.own.is_ancestor(sha, present):
                continue
            if not self.own.is_ancestor(present, sha):
                rest[self._renamed(name, sha)] = sha
            else:
                rest[name] = sha
        return rest

    def _renamed(self, name: str, sha: str) -> str:
        """Another name for work whose own name is another's: of an earlier life of the town's database, say."""
        free = ""
        for number in range(2, VERSIONS + 1):
            free = f"{name}-{number}"
            if self.look([free]).get(free) in (None, sha):
                break
        else:
            raise StateError(
                f"the hub {self.where} has {VERSIONS} other versions of {name}",
                remedy="look at them there, and remove some",
            )
        old, new = names.here(name), names.here(free)
        done = self.own.run("update-ref", "--stdin", input=f"update {new} {sha}\ndelete {old} {sha}\n", ok=(0, 128))
        if not done.ok and self.own.commit(str(old)) is not None:
            raise GitError("update-ref", done.code, done.stderr)
        # Else another process of this machine has renamed it at this moment.
        return free

    def look(self, wanted: Sequence[str]) -> dict[str, str]:
        """What the hub has of these names, and note it."""
        said = self.ask(lambda: transport.refs(self._online(), self.address, *(self.root + name for name in wanted)))
        there = {ref.removeprefix(self.root): sha for ref, sha in said.items() if ref.startswith(self.root)}
        there = {name: there[name] for name in wanted if name in there}
        have = {name: sha for name, sha in there.items() if not transport.absent(self.own, [sha])}
        self._note(have)
        self.forget([name for name in wanted if name not in have])
        return there

    def _note(self, there: Mapping[str, str]) -> None:
        lines = "".join(f"update {names.KNOWN}{name} {sha}\n" for name, sha in there.items())
        if lines:
            # What another process of this machine prevents is looked up again, with the next push.
            self.own.run("update-ref", "--stdin", input=lines, ok=(0, 128))

    def forget(self, gone: Iterable[str]) -> None:
        """Let go of what was noted of these."""
        gone = list(gone)  # A line of arguments has an end.
        known = self.known(*(gone if len(gone) <= transport.REFS_AT_ONCE else ())) if gone else {}
        lines = [f"delete {names.KNOWN}{name} {known[name]}\n" for name in gone if name in known]
        if not lines or self.own.run("update-ref", "--stdin", input="".join(lines), ok=(0, 128)).ok:
            return
        for line in lines:
            # Another process of this machine is at one of them.
            self.own.run("update-ref", "--stdin", input=line, ok=(0, 128))

    def _tidy(self) -> None:
        """Remove work from the hub that is proven merged, and of which the mirror has no ref any more."""
        known, refs = self.known("work/*"), self.own.refs(names.WORK)
        gone = sorted(self._proven({name: sha for name, sha in known.items() if names.here(name) not in refs}))
        for at in range(0, len(gone), transport.REFS_AT_ONCE):
            some = gone[at : at + transport.REFS_AT_ONCE]
            moves = [Move(self.root + name, known[name], "") for name in some]
            try:
                transport.push(self._online(), self.address, moves)
            except (GitError, ProgramTimeoutError) as error:
                if not faults.stale(error):
                    raise self._said(error) from None
                continue  # One of them moved meanwhile: the next look is soon enough.
            self.forget(some)

    def tidy(self) -> None:
        """Combine what many fetches left in the mirror, and let go of names that nobody needs any more."""
        held = [ref for base in self.known(f"{names.BASE}*").values() for ref in self._held(base, names.SEEN)]
        if lines := "".join(f"delete {ref}\n" for ref in dict.fromkeys(held)):
            self.own.run("update-ref", "--stdin", input=lines)
        if (lock := files.try_lock(mirror.lock_of(self.folder))) is not None:
            try:
                mirror.tidy(self.folder)
            finally:
                os.close(lock)

    def _held(self, base: str, below: str) -> list[str]:
        """The refs below this whose commits a base holds."""
        return self.own.line("for-each-ref", f"--merged={base}", "--format=%(refname)", below).splitlines()

    def _proven(self, work: Mapping[str, str]) -> set[str]:
        """The names of work whose content a base holds, however it came there."""
        prover = Prover(self.folder, list(self.known(f"{names.BASE}*").values())) if work else None
        return {name for name, sha in work.items() if prover is not None and prover.holds(sha)}

    # -- whose it is -------------------------------------------------------------------------------

    @property
    def where(self) -> str:
        """Its address, as it may be shown."""
        return self.address.url

    def _require_ours(self) -> None:
        try:
            epoch = json.loads(self._blob(names.TOWN))["epoch"]
        except (ValueError, KeyError, TypeError):
            epoch = "?"
        if epoch != self.epoch:
            raise ConfigurationError(
                f"the hub {self.where} holds another town under this town's id",
                remedy="give this town a hub of its own: correct `hub.url` in tinytown.toml",
            )

    def _nothing_yet(self) -> TinytownError:
        return faults.away(
            f"{self.where} has nothing of this town yet", remedy="run `tt start` at the town's home; then it goes on"
        )

    def _blob(self, name: str) -> str:
        return self.own.run("cat-file", "blob", f"{names.KNOWN}{name}").stdout

    def _make(self) -> None:
        """Make the mirror of a machine that is not home, if there is none; only the hub knows the format of objects."""
        if self.folder.exists():
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(mirror.lock_of(self.folder), timeout=mirror.WAIT, what=f"making {self.folder.name}"):
            if self.folder.exists():
                return
            lone = transport.git(self.folder.parent, self.address)
            there = self.ask(lambda: transport.refs(lone, self.address, self.root + names.TOWN))
            if not there:
                raise self._nothing_yet()
            mirror.make(self.folder, "sha256" if len(next(iter(there.values()))) == 64 else "sha1")

    def _online(self) -> Git:
        return transport.git(self.folder, self.address)

    def ask(self, call: Callable[[], T]) -> T:
        """What a talk of git's with the hub gives; its errors are a hub's."""
        try:
            return call()
        except (GitError, ProgramTimeoutError) as error:
            raise self._said(error) from None

    def _said(self, error: TinytownError) -> TinytownError:
        return faults.said(error, self.where)
