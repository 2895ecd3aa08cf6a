"""Podman with a storage, networks and a configuration of its own, and images made of this machine's own sources.

No registry of images is asked: the base is a Debian that ``mmdebstrap`` makes from the mirror that apt uses here, as
slim as the official one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import psutil

from tests.waiting import patience, wait_until

ROOT = Path(__file__).parents[2]

#: Folder outside the repository in which the base is kept from one run to the next (default: the user's cache folder);
#: if it is set to nothing, the base is made each time.
ENV_CACHE = "TINYTOWN_CONTAINERS_CACHE"
_USERS_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinytown" / "containers"
_NAMED = os.environ.get(ENV_CACHE, str(_USERS_CACHE))
#: That folder, if any. Looked up when this is loaded: tests have an environment and a home of their own.
CACHE = Path(_NAMED) if _NAMED else None
#: Days for which a base is used: afterwards it lacks too many updates.
BASE_DAYS = 7
#: What Debian's own images leave out, too; and nobody needs a half-made image to survive a loss of power.
_SLIM = [
    *(f"path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")),
    "path-include=/usr/share/doc/*/copyright",
    "force-unsafe-io",
]
#: What their apt does not fetch either, at each update.
_TERSE = ['Acquire::Languages "none"']
#: Programs, and the Debian packages that have them.
NEEDED = {"podman": "podman", "mmdebstrap": "mmdebstrap", "netavark": "netavark", "aardvark-dns": "aardvark-dns"}
BASE = "localhost/tinytown-test-base"
TARGETS = ("control", "worker", "hub")
#: Where certificates are in a build, for machines on which an authority of their own signs what registries send.
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def obstacle() -> str:
    """Why no containers can be run here; empty if they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "containers are tested as root on Linux: their storage and networks are this test's own"
    for program, package in NEEDED.items():
        if _program(program) is None:
            return f"no {program} here: `apt-get install {package}`"
    if _program("runc") is None and _program("crun") is None:
        return "no container runtime here: `apt-get install runc`"
    if _mirror() is None:
        return "apt has no sources here, from which a base image could be made"
    return ""


class NoContainersError(Exception):
    """Why no container runs here, though all programs are there."""


@dataclass
class Engine:
    """Podman, with everything that it keeps below ``folder``."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    _networks: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Podman's temporary files belong to the storage; programs that it starts look there, too.
        # Without limits of its own, for a machine that does not let them be raised.
        runtime = "runc" if _program("runc") else "crun"
        (self.folder / "containers.conf").write_text(
            "[containers]\ndefault_ulimits = []\ncgroups = 'enabled'\n"
            f"[engine]\nruntime = '{runtime}'\ncgroup_manager = 'cgroupfs'\nevents_logger = 'file'\n"
            f"tmp_dir = '{self.folder}/tmp'\n"
            f"[network]\nnetwork_backend = 'netavark'\nnetwork_config_dir = '{self.folder}/networks'\n"
        )
        (self.folder / "storage.conf").write_text(
            f"[storage]\ndriver = '{'overlay' if self._overlays() else 'vfs'}'\n"
            f"graphroot = '{self.folder}/storage'\nrunroot = '{self.folder}/run'\n"
        )
        kept = {name: text for name, text in os.environ.items() if name in ("PATH", "LANG", "TERM")}
        self.environment = {
            **kept,
            "HOME": str(self.folder),
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            # The tests' own would be looked for in the containers, too.
            "TMPDIR": str(self.folder),
        }

    def __call__(self, *words: str, check: bool = True, timeout: float = 60) -> str:
        """What podman prints; another exit code than 0 is an error, unless ``check`` is false."""
        return self.run("podman", *words, check=check, timeout=timeout)

    def run(
        self,
        *argv: str,
        check: bool = True,
        timeout: float = 60,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> str:
        done = subprocess.run(
            argv, env={**self.environment, **(env or {})}, cwd=cwd or self.folder, capture_output=True, text=True,
            check=False, timeout=patience(timeout),
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def begin(self) -> None:
        """Make the base, unless the cache has it, and run it once.

        Raises:
            NoContainersError: this machine, or its kernel, does not do that.
        """
        try:
            self._import_base()
            probe = f"probe-{os.getpid()}"
            self("network", "create", probe)
            self("run", "--rm", "--network", probe, BASE, "true")
            self("network", "rm", probe)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            said = str(error).strip().splitlines()
            raise NoContainersError(f"no container runs here: {said[-1]} ({said[0]})") from error

    def build(self) -> None:
        """Make the images, with the machine's own network, as nothing but it may lead to what is installed."""
        sources = self.folder / "pip.conf"
        sources.touch(mode=0o600)
        sources.write_text(_pip_configuration())
        given = ["--network", "host", "--volume", f"{sources}:/etc/pip.conf:ro"]
        if _AUTHORITIES.is_file():
            given += ["--volume", f"{_AUTHORITIES}:/etc/authorities.crt:ro"]

        def make(target: str) -> None:
            self(
                "build", "--quiet", "--pull=never", *given, "--build-arg", f"BASE={BASE}", "--build-arg", "CLI=none",
                "--timestamp", "0", "--file", str(ROOT / "docker/Dockerfile"), "--target", target,
                "--tag", f"localhost/tinytown-{target}", str(ROOT), timeout=600,
            )  # fmt: skip

        for target in TARGETS:
            make(target)

    @contextlib.contextmanager
    def docker_socket(self) -> Iterator[str]:
        """Offers what Docker offers, by podman, until the block ends; gives the address."""
        path = self.folder / "docker.sock"
        argv = ["podman", "system", "service", "--time", "0", f"unix://{path}"]
        said = self.folder / "service.log"
        with said.open("w") as log, subprocess.Popen(argv, env=self.environment, stdout=log, stderr=log) as service:
            try:
                wait_until(lambda: path.exists() or service.poll() is not None, description="podman offers its socket")
                assert service.poll() is None, said.read_text()
                yield f"unix://{path}"
            finally:
                service.terminate()
                service.wait(20)

    def end(self) -> None:
        """Remove every container, network, volume and image, and the storage itself."""
        self.clear()
        self("rmi", "--all", "--force", check=False, timeout=120)
        # Where something was run by the socket, podman keeps its exit code for five minutes, by a process.
        for process in psutil.process_iter(["name", "cmdline"]):
            if process.info["name"] == "conmon" and any(f"{self.folder}/" in word for word in process.info["cmdline"]):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._remove_chains()
        for mounted in _mounts_below(self.folder):
            subprocess.run(["umount", "-l", mounted], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self) -> None:
        """Remove every container, those first on which no other depends, then networks and volumes."""
        while names := self("ps", "--all", "--quiet").split():
            self("rm", "--all", "--force", "--time", "0", check=False, timeout=120)
            left = self("ps", "--all", "--quiet").split()
            assert len(left) < len(names), f"containers cannot be removed: {left}"
        for name in self("network", "ls", "--format", "{{.Name}}").split():
            self._networks.add(name)
        for kind in ("network", "volume"):
            self(kind, "prune", "--force", check=False)

    def knows(self, network: str) -> None:
        """Say that something else makes and removes this network."""
        self._networks.add(network)

    def _remove_chains(self) -> None:
        """Remove what netavark leaves of a network with published ports: a chain named after it, of no rules.

        The kernel refuses to remove a chain that has rules, or that a rule names.
        """
        for network in self._networks - {"podman"}:
            chain = f"NETAVARK-DN-{hashlib.sha512(network.encode()).hexdigest()[:13].upper()}"
            subprocess.run(["iptables", "-w", "-t", "nat", "-X", chain], check=False, capture_output=True)

    def _import_base(self) -> None:
        found = _mirror()
        assert found is not None
        mirror, codename = found
        words = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
        words += [f"--dpkgopt={option}" for option in _SLIM] + [f"--aptopt={option}" for option in _TERSE]
        recipe = hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]
        folder = CACHE or self.folder
        kept = [path for path in folder.glob(f"debian-{codename}-{recipe}-*.tar") if _age_days(path) < BASE_DAYS]
        base = max(kept, default=None)
        if base is None:
            folder.mkdir(parents=True, exist_ok=True)
            base = folder / f"debian-{codename}-{recipe}-{datetime.now(UTC):%Y%m%d}.tar"
            # Beside its place first: another run may look for it, or this one be interrupted.
            making = self.folder / "base.tar"
            self.run(*words, codename, str(making), mirror, timeout=300)
            for path in folder.glob("debian-*.tar*"):
                path.unlink(missing_ok=True)
            beside = base.with_name(f"{base.name}.{os.getpid()}")
            shutil.move(making, beside)
            beside.rename(base)
        self("import", "--quiet", str(base), BASE, timeout=120)

    def _overlays(self) -> bool:
        """Whether layers can be laid over each other here; copying each of them whole takes longer, and room."""
        places = {name: self.folder / "probe" / name for name in ("lower", "upper", "work", "merged")}
        for place in places.values():
            place.mkdir(parents=True)
        options = f"lowerdir={places['lower']},upperdir={places['upper']},workdir={places['work']}"
        argv = ["mount", "-t", "overlay", "overlay", "-o", options, str(places["merged"])]
        works = subprocess.run(argv, check=False, capture_output=True).returncode == 0
        if works:
            subprocess.run(["umount", str(places["merged"])], check=True)
        shutil.rmtree(self.folder / "probe")
        return works


def _program(name: str) -> str | None:
    beside = [f"/usr/lib/podman/{name}", f"/usr/libexec/podman/{name}"]
    return shutil.which(name) or next((path for path in beside if os.access(path, os.X_OK)), None)


def _age_days(base: Path) -> int:
    """How old a base is by its name; for ever if it does not say so."""
    try:
        made = date.fromisoformat(base.stem.rpartition("-")[2])
    except ValueError:
        return BASE_DAYS
    return (datetime.now(UTC).date() - made).days


def _mirror() -> tuple[str, str] | None:
    """The mirror and the release of the distribution that apt uses on this machine."""
    argv = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages", "Label: Debian"]
    with contextlib.suppress(OSError):
        for line in subprocess.run(argv, check=False, capture_output=True, text=True).stdout.splitlines():
            uri, _, codename = line.partition(" ")
            if codename.isalpha():
                return uri, codename
    return None


def _pip_configuration() -> str:
    """Where pip finds packages on this machine, for pip in a build."""
    argv = [sys.executable, "-m", "pip", "config", "list"]
    rows = subprocess.run(argv, check=False, capture_output=True, text=True).stdout.splitlines()
    kept = {}
    for row in rows:
        name, _, value = row.partition("=")
        key = name.rpartition(".")[2]
        if key in ("index-url", "extra-index-url", "trusted-host", "timeout", "default-timeout"):
            kept[key.removeprefix("default-")] = value.strip("'\"")
    if _AUTHORITIES.is_file():
        kept["cert"] = "/etc/authorities.crt"
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in kept.items())


def _mounts_below(folder: Path) -> Iterator[str]:
    """What is mounted there, the innermost first."""
    rows = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    yield from sorted((p for p in (row.split()[1] for row in rows) if p.startswith(f"{folder}/")), reverse=True)
