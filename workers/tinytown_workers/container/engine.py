"""Podman or Docker: which there is, and the command that starts a container which shows a layout."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown import programs

#: Programs that are looked for, the first one first.
PROGRAMS = ("podman", "docker")
#: What labels of containers are called: the town that one belongs to, its run, and the process that stands for it.
LABEL_TOWN, LABEL_RUN, LABEL_CARRIER = "tinytown.town", "tinytown.run", "tinytown.carrier"
#: Stands in the command for the process that stands for the container, see ``carrier``.
CARRIER = "&carrier"
#: An image in which there is nothing but folders and links: what is to be seen is mounted.
EMPTY = "localhost/tinytown-nothing"
#: Folder inside for ``inner`` and its socket.
INNER = "/.tinytown"
#: Folders of that image.
_FOLDERS = ("dev", "proc", "sys", "tmp", "etc", "run", "var", "usr", INNER.strip("/"))
#: Links that machines have at the top.
_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
#: Variables by which people tell these programs what to do.
_VARIABLES = (
    "HOME",
    "LANG",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
)
_PREFIXES = ("CONTAINERS_", "CONTAINER_", "DOCKER_", "STORAGE_", "BUILDAH_")
#: Seconds for what takes a moment.
_PATIENCE = 60.0
_ANY_PORT = "net.ipv4.ip_unprivileged_port_start=0"
#: Badness of what runs inside: when memory runs out, the kernel takes it and not the worker.
_OOM_SCORE = "500"


class EngineError(Exception):
    """The engine cannot do what it has to; the text says why."""


@dataclass(frozen=True)
class Engine:
    """A container engine of this machine."""

    program: str
    #: It takes Docker's words; else podman's.
    is_docker: bool = False
    #: Its containers' root is this user, and nobody else of this machine.
    rootless: bool = False

    @property
    def name(self) -> str:
        """What people call it."""
        return Path(self.program).name

    def run(self, *words: str, data: bytes | None = None) -> str:
        """What it answers.

        Raises:
            EngineError: it could not, and says why.
        """
        given: dict[str, object] = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
        try:
            done = subprocess.run(  # type: ignore[call-overload]
                [self.program, *words],
                env=environment(),
                cwd="/",
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
                **given,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(f"{self.name} does not work here: {error}") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise EngineError(f"{self.name}: {said[-1] if said else f'exit code {done.returncode}'}")
        text: str = done.stdout.decode("utf-8", "replace").strip()
        return text

    def empty_image(self) -> str:
        """The image with nothing in it, made where it is missing; it is never pulled.

        Raises:
            EngineError: it cannot be made.
        """
        return _empty_image(self)

    def left(self, name: str) -> bool:
        """Whether a container is on record still."""
        try:
            return bool(self.run("ps", "--all", "--quiet", "--filter", f"name=^{name}$"))
        except EngineError:
            return True

    def remove(self, name: str) -> None:
        """Remove a container, running or not; one that is gone already is no error."""
        with contextlib.suppress(EngineError):
            self.run("rm", "--force", "--volumes", *([] if self.is_docker else ["--ignore", "--time", "0"]), name)

    def start(
        self,
        *,
        name: str,
        labels: Mapping[str, str],
        user: tuple[int, int],
        mounts: Sequence[str],
        image: str,
        program: Sequence[str],
        shared_network: bool,
        memory: int,
        processes: int,
        shm: int,
    ) -> list[str]:
        """The command that runs ``program`` in a container of that name, and ends with it; sizes are bytes."""
        uid, gid = user
        if self.rootless and self.is_docker:
            uid = gid = 0
        return [
            self.program, "run", "--rm", "--pull", "never", "--name", name,
            *(word for key, value in labels.items() for word in ("--label", f"{key}={value}")),
            # Ports of the machine that are let in may be low ones, and nobody inside is root.
            *(["--network", "host"] if shared_network else ["--network", "none", "--sysctl", _ANY_PORT]),
            "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--security-opt", "label=disable",
            *(["--userns", "keep-id"] if self.rootless and not self.is_docker else []),
            "--user", f"{uid}:{gid}",
            "--workdir", "/", "--entrypoint", program[0], "--log-driver", "none",
            *(["--read-only-tmpfs=false", "--no-hosts"] if not self.is_docker else []),
            "--pids-limit", str(processes or -1),
            *(["--memory", f"{memory}b", "--memory-swap", f"{memory}b"] if memory else []),
            "--oom-score-adj", _OOM_SCORE, "--shm-size", f"{shm}b",
            *mounts, image, *program[1:],
        ]  # fmt: skip

    def left_over(self, town: str) -> list[tuple[str, str, str]]:
        """This town's containers: the name, the run and what stood for each.

        Raises:
            EngineError: it could not be asked.
        """
        names = self.run("ps", "--all", "--filter", f"label={LABEL_TOWN}={town}", "--format", "{{.Names}}").split()
        found = []
        for name in names:
            with contextlib.suppress(EngineError):  # It has ended meanwhile.
                (told,) = json.loads(self.run("inspect", "--type", "container", name))
                labels = told["Config"]["Labels"]
                found.append((name, labels.get(LABEL_RUN, ""), labels.get(LABEL_CARRIER, "")))
        return found


def environment() -> dict[str, str]:
    """What of this process's environment the engine is started with."""
    found = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    found |= {name: text for name, text in os.environ.items() if name.startswith(_PREFIXES)}
    return {**found, "PATH": programs.trusted_path()}


def find(wanted: str = "") -> Engine:
    """The engine of this machine, or the one that is wanted, by its name or path.

    Raises:
        EngineError: there is none.
    """
    return _find(wanted, programs.trusted_path())


def forget() -> None:
    """Look again which engine there is, and whether it has the image still: people clear up what nothing uses."""
    _find.cache_clear()
    _empty_image.cache_clear()


@functools.lru_cache(maxsize=4)
def _find(wanted: str, _path: str) -> Engine:
    names = (wanted,) if wanted else PROGRAMS
    found = [str(one) for one in (programs.find(name) for name in names) if one is not None]
    if not found:
        raise EngineError(f"{wanted or 'neither podman nor docker'} {'was not found' if wanted else 'is installed'}")
    program = found[0]
    # By what it says and not by its name: podman has a `docker`, too.
    if "podman" in Engine(program).run("--version").lower():
        return Engine(program, rootless=os.geteuid() != 0)
    options = Engine(program, is_docker=True).run("info", "--format", "{{json .SecurityOptions}}")
    return Engine(program, is_docker=True, rootless="rootless" in options)


@functools.lru_cache(maxsize=4)
def _empty_image(engine: Engine) -> str:
    data = _archive()
    tag = f"{EMPTY}:{hashlib.sha256(data).hexdigest()[:12]}"
    try:
        engine.run("image", "inspect", tag)
    except EngineError:
        engine.run("import", "-", tag, data=data)
    return tag


def _archive() -> bytes:
    """The folders and links of the machine's root, as an archive that is the same each time."""
    # Only here: most workers never run a container.
    import tarfile

    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in _FOLDERS:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        links = {name: os.readlink(f"/{name}") for name in _LINKS if Path(f"/{name}").is_symlink()}  # noqa: PTH115
        for name, target in {**links, "var/tmp": "/tmp"}.items():  # noqa: S108 - the container's own
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return made.getvalue()
