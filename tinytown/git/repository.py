"""The door to git: explicit arguments, a stated environment, a deadline, and no code of anybody else's.

A repository's own configuration can name programs (hooks, filters, a file-system monitor, ssh, pagers).
Two kinds of repository are told apart:

* ``Git.own``: mirrors and the git folders tinytown keeps beside an agent's clone. Neither the machine's nor
  the user's configuration is read, and an agent never writes theirs.
* ``Git.users``: the repository of the person who runs the town. Their configuration counts (line ends,
  ``safe.directory``), but hooks and monitors stay off, and so does every filter but git-lfs where files are written
  (see ``filters``).

No command ever takes an agent's clone as its repository. Values that come from outside go through
``branch_ref`` or ``is_sha`` and never stand where an option could.
"""

from __future__ import annotations

import contextlib
import functools
import re
import resource
import shutil
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path

from tinytown import processes
from tinytown.errors import ConfigurationError, DiskFullError, StateError, TinytownError
from tinytown.git import locks

#: Seconds that one git command may take; fetching and checking out a large repository are the slowest.
DEADLINE = 600.0
#: Bytes of memory, and seconds of a processor, that a command may use on what agents made: a few bytes of theirs can
#: ask for any amount. A repository of a million files needs a quarter of it.
MEMORY_LIMIT = 1024 * 1024 * 1024
PROCESSOR_LIMIT = 600
#: Bytes of output that are taken in, e.g. of a list of files; more is refused, never cut.
OUTPUT_LIMIT = 64 * 1024 * 1024
#: The first release that merges without a work tree (``merge-tree --write-tree``).
OLDEST = (2, 38)
#: Who tinytown's own commits are from.
NAME = "tinytown"
EMAIL = "tinytown@localhost"
#: Prefix of every branch that belongs to tinytown.
BRANCH_PREFIX = "tt/"

#: Free bytes below which git's "unable to write" means a full disk: it doesn't always say why.
CRAMPED = 64 * 1024 * 1024

#: Commands that start others, which are to have the same limits from the beginning.
_WITH_CHILDREN = ("fetch",)
#: Commands whose need grows with the whole history, and that find nothing but what was looked at before.
_UNLIMITED = ("repack",)
#: When the work in hand is to be done, on the monotonic clock.
_until: ContextVar[float | None] = ContextVar("until", default=None)

#: Settings that are asked for as paths, spelt as git gives them.
PATHS = ("core.attributesfile", "core.excludesfile", "lfs.storage")

_UNWRITABLE = re.compile(r"unable to (?:write|create)|write error|write failure|failed to write", re.IGNORECASE)
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$|^[-/.]|^@$")

#: Set on every command line, where it wins over every file.
_ALWAYS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "commit.gpgSign": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
    # One pack a fetch: a clone is made by copying files, so few files matter more than few bytes.
    "fetch.unpackLimit": "1",
    "gc.auto": "0",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
    "protocol.file.allow": "always",
    # Lets a fetch name the exact commit.
    "protocol.version": "2",
    "submodule.recurse": "false",
}
_OWN = {
    # Larger files are neither compared nor held in memory as a whole.
    "core.bigFileThreshold": "64m",
    # Each thread takes its share of the memory, and some machines have hundreds of processors.
    "grep.threads": "4",
    "pack.threads": "1",
    "pack.windowMemory": "128m",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "transfer.fsckObjects": "true",
}
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "file",
    "GIT_AUTHOR_EMAIL": EMAIL,
    "GIT_AUTHOR_NAME": NAME,
    "GIT_COMMITTER_EMAIL": EMAIL,
    "GIT_COMMITTER_NAME": NAME,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    # Messages are read, so they must be in English; the character set stays UTF-8.
    "LC_ALL": "C.UTF-8",
    "LANGUAGE": "C",
}
_OWN_ENVIRONMENT = {
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}


class GitError(TinytownError):
    """A git command failed in a way nobody foresaw; the message has its last words."""

    def __init__(self, command: str, code: int, stderr: str) -> None:
        self.code = code
        self.stderr = stderr
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        said = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
        super().__init__(f"`git {command}` failed: {said or f'exit code {code}'}")


class GitLimitError(GitError):
    """A git command reached a limit: on the same input it would do so again."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """All commands in the block, of this thread, end within so many seconds together."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def is_sha(text: str) -> bool:
    """Whether it is a full object name, SHA-1 or SHA-256."""
    return _SHA.fullmatch(text) is not None


def is_ref_name(name: str) -> bool:
    """Whether git would accept this as the name of a ref, or of a branch."""
    return 0 < len(name) <= 250 and _BAD_IN_REF.search(name) is None


def branch_ref(branch: str, *, ours: bool = False) -> str:
    """``refs/heads/<branch>`` for a name that git would accept; ``ours`` also demands the prefix ``tt/``.

    Raises:
        ConfigurationError: it is no name for a branch.
    """
    if not is_ref_name(branch) or branch.startswith("refs/"):
        raise ConfigurationError(f"{branch!r} is not a valid branch name", remedy="choose another name")
    if ours and not branch.startswith(BRANCH_PREFIX):
        raise ConfigurationError(
            f"{branch!r} is not a branch of tinytown", remedy=f"a branch of tinytown begins with `{BRANCH_PREFIX}`"
        )
    return f"refs/heads/{branch}"


class Git:
    """One repository, and the way all commands on it are run."""

    def __init__(
        self,
        cwd: Path,
        *,
        where: Sequence[str],
        options: Mapping[str, str],
        environment: Mapping[str, str],
        work_tree: Path | None = None,
        limited: bool = False,
        ours: bool = True,
    ) -> None:
        self._cwd = cwd
        self._limited, self._ours = limited, ours
        self._folders = (cwd, *([work_tree] if work_tree else ()))
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._prefix = ("git", "--no-pager", *flags, *where)
        self._environment = dict(environment)

    @classmethod
    def own(
        cls,
        git_dir: Path,
        *,
        work_tree: Path | None = None,
        cwd: Path | None = None,
        index: Path | None = None,
        objects: Path | None = None,
        borrow: Path | None = None,
        network: Mapping[str, str] | None = None,
    ) -> Git:
        """A repository of tinytown's own, for the files in ``work_tree``.

        New objects go to ``objects``, if given, and only those in there are known, and those in ``borrow``. Only with
        ``network``, further variables that ``remote`` makes, does git speak to a server.
        """
        where = [f"--git-dir={git_dir}", *([f"--work-tree={work_tree}"] if work_tree else [])]
        environment = {**_path(), **_ENVIRONMENT, **_OWN_ENVIRONMENT, **(network or {})}
        if index:
            environment["GIT_INDEX_FILE"] = str(index)
        if objects:
            environment["GIT_OBJECT_DIRECTORY"] = str(objects)
        if borrow:
            environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = str(borrow)
        options = {**_ALWAYS, **_OWN}
        return cls(
            cwd or git_dir, where=where, options=options, environment=environment, work_tree=work_tree, limited=True
        )

    @classmethod
    def users(cls, root: Path, *, settings: Mapping[str, str] | None = None) -> Git:
        """The user's repository whose work tree is ``root``; one further up is never taken instead.

        ``settings`` overrule what its configuration says.
        """
        root = root.resolve()
        environment = {**_user_environment(), "GIT_CEILING_DIRECTORIES": str(root.parent)}
        # Not as options: a name in them may hold what would end it there.
        environment["GIT_CONFIG_COUNT"] = str(len(settings or {}))
        for number, (name, value) in enumerate((settings or {}).items()):
            environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        return cls(root, where=(), options=_ALWAYS, environment=environment, ours=False)

    @classmethod
    def mirror_of_users(cls, git_dir: Path) -> Git:
        """A mirror while it takes in the user's repository, which git reads by the user's configuration.

        Their history is taken as it is, old irregularities included.
        """
        environment = _user_environment()
        options = {**_ALWAYS, "transfer.fsckObjects": "false"}
        return cls(git_dir, where=[f"--git-dir={git_dir}"], options=options, environment=environment)

    def run(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002
        ok: Sequence[int] = (0,),
        timeout: float = DEADLINE,
    ) -> processes.Completed:
        """Run one command. Names of files keep their exact bytes (``surrogateescape``).

        Raises:
            GitError: its exit code is not among ``ok``.
            GitLimitError: it said too much, or needed more memory or time of a processor than it may have.
            DiskFullError: it found no room.
            ProgramMissingError: git is not installed.
            ProgramTimeoutError: it ran into its deadline.
        """
        limits = _limits() if self._limited and arguments[0] not in _UNLIMITED else None
        until = _until.get()
        done = processes.run(
            [*self._prefix, *arguments],
            cwd=self._cwd,
            env=self._environment,
            timeout=timeout if until is None else max(0.0, min(timeout, until - time.monotonic())),
            limits=limits,
            inherited=arguments[0] in _WITH_CHILDREN,
            input=None if input is None else input.encode(errors="surrogateescape"),
            check=False,
            limit=OUTPUT_LIMIT,
            whole=True,
            errors="surrogateescape",
        )
        if done.truncated:
            raise GitLimitError(arguments[0], done.code, f"fatal: more than {OUTPUT_LIMIT >> 20} MB of output")
        if done.code not in ok:
            if self._ours and locks.remove_stale(done.stderr, age=2 * DEADLINE):
                return self.run(*arguments, input=input, ok=ok, timeout=timeout)
            if limits and (said := _reached(done)):
                raise GitLimitError(arguments[0], done.code, f"fatal: it needed more than {said}")
            if processes.says_disk_full(done.stderr) or (_UNWRITABLE.search(done.stderr) and self._cramped()):
                raise DiskFullError(f"`git {arguments[0]}` ran out of disk space", remedy="free some space, then retry")
            raise GitError(arguments[0], done.code, done.stderr)
        return done

    def _cramped(self) -> bool:
        return any(shutil.disk_usage(folder).free < CRAMPED for folder in self._folders if folder.exists())

    def line(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002
        """What a command says, without the line's end."""
        return self.run(*arguments, input=input).stdout.strip("\n")

    def names(self, *arguments: str, input: str | None = None) -> tuple[str, ...]:  # noqa: A002
        """The parts of an output that NUL bytes separate (``-z``)."""
        return tuple(part for part in self.run(*arguments, input=input).stdout.split("\0") if part)

    # -- questions ---------------------------------------------------------------------------------

    def commit(self, revision: str) -> str | None:
        """The commit that a full ref or a full object name stands for; ``None`` if there is none."""
        done = self.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", ok=(0, 1))
        return done.stdout.strip() if done.ok else None

    def tree(self, revision: str) -> str:
        """The tree of a commit."""
        return self.line("rev-parse", "--verify", f"{revision}^{{tree}}")

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether ``new`` contains ``old``; every commit contains itself."""
        return old == new or self.run("merge-base", "--is-ancestor", old, new, ok=(0, 1)).ok

    def refs(self, *patterns: str) -> dict[str, str]:
        """Refs under these prefixes with the objects they name."""
        lines = self.line("for-each-ref", "--format=%(objectname) %(refname)", *patterns).splitlines()
        return {name: sha for sha, _, name in (line.partition(" ") for line in lines)}

    # -- what a person's repository says, asked once ---------------------------------------------------

    @functools.cached_property
    def common(self) -> Path:
        """The git directory that all work trees of the repository share."""
        return Path(self.line("rev-parse", "--path-format=absolute", "--git-common-dir"))

    @functools.cached_property
    def settings(self) -> Sequence[tuple[str, str]]:
        """All that its configuration says, in order: of several values of a name mostly the last one counts."""
        entries = (entry.partition("\n") for entry in self.names("config", "--list", "-z"))
        return [(name, value) for name, _, value in entries]

    @functools.cached_property
    def paths(self) -> Mapping[str, str]:
        """Those of its settings that ``PATHS`` names, as paths that need not be whole; what cannot be one is left out.

        Git alone knows what stands for a home in them.
        """
        asked = ("config", "--type=path", "-z", "--get-regexp", f"^({'|'.join(map(re.escape, PATHS))})$")
        done = self.run(*asked, ok=(0, 1, 128))
        if done.code != 128:
            return dict(entry.partition("\n")[::2] for entry in done.stdout.split("\0") if entry)
        single = {name: self.run("config", "--type=path", "-z", "--get", name, ok=(0, 1, 128)) for name in PATHS}
        return {name: one.stdout.rstrip("\0") for name, one in single.items() if one.ok}

    # -- objects -----------------------------------------------------------------------------------

    def contents(self, shas: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Objects with their contents, all asked for at once: there may be very many."""
        wanted = "".join(f"{sha}\n" for sha in dict.fromkeys(shas))
        said = self.run("cat-file", "--batch", input=wanted).stdout.encode(errors="surrogateescape") if wanted else b""
        at = 0
        while at < len(said):
            begin = said.index(b"\n", at) + 1
            sha, _, size = said[at : begin - 1].split(b" ")
            at = begin + int(size) + 1
            yield sha.decode(), said[begin : at - 1]

    def commit_tree(self, tree: str, parents: Sequence[str], message: str) -> str:
        """A commit of tinytown's own."""
        parent_flags = [part for parent in parents for part in ("-p", parent)]
        return self.line("commit-tree", "--no-gpg-sign", *parent_flags, "-F", "-", tree, input=message)


def _limits() -> dict[int, int]:
    return {resource.RLIMIT_DATA: MEMORY_LIMIT, resource.RLIMIT_CPU: PROCESSOR_LIMIT}


def _reached(done: processes.Completed) -> str:
    """The limit that ended a command, if one did."""
    if done.code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"{PROCESSOR_LIMIT} s of a processor" if done.code == -signal.SIGXCPU else "the memory of this machine"
    memory = re.search(r"out of memory|cannot allocate memory|mmap failed", done.stderr, re.IGNORECASE)
    return f"{MEMORY_LIMIT >> 20} MB of memory" if memory else ""


@functools.cache
def version() -> tuple[int, ...]:
    """The release of git on this machine, e.g. ``(2, 39, 5)``; empty if it does not say."""
    done = processes.run(["git", "--version"], cwd="/", env=_path(), timeout=10, check=False)
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def require_merge_tree() -> None:
    """Raise ``StateError`` where git is too old to merge without a work tree."""
    found = version()
    if found < OLDEST:
        shown = ".".join(map(str, found)) or "unknown"
        raise StateError(
            f"git {'.'.join(map(str, OLDEST))} or newer is needed, this is {shown}", remedy="install a newer git"
        )


def _user_environment() -> dict[str, str]:
    files = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM")
    return {**processes.environment(allow=files), **_ENVIRONMENT}


def _path() -> dict[str, str]:
    safe = processes.environment()
    return {name: safe[name] for name in ("PATH", "TMPDIR") if name in safe}
