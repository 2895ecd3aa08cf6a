"""Podman with a storage of its own, for tests of the sandbox of containers.

It gets its image from tinytown itself, which makes one of nothing: no registry is asked, and nothing is built.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.waiting import wait_until

#: Set where the tests that take long are to be run, too.
ENV_THOROUGH = "TESTS_OF_CONTAINERS"


def obstacle() -> str:
    """Why no containers can be run here; empty if they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "containers are tested as root on Linux: their storage is the tests' own"
    missing = [name for name in ("podman", "conmon") if shutil.which(name) is None]
    if missing:
        return f"no {missing[0]} here: `apt-get install podman`"
    if not (shutil.which("runc") or shutil.which("crun")):
        return "no container runtime here: `apt-get install runc`"
    return ""


@contextlib.contextmanager
def of_its_own() -> Iterator[None]:
    """Whatever starts podman meanwhile uses a storage that is removed afterwards."""
    # Short, as sockets live in it, and where no test's own folder for temporary files is.
    folder = Path(tempfile.mkdtemp(prefix="ttp-", dir="/var/tmp"))
    runtime = "runc" if shutil.which("runc") else "crun"
    # Without limits of its own, for a machine that does not let them be raised.
    (folder / "containers.conf").write_text(
        "[containers]\ndefault_ulimits = []\ncgroups = 'enabled'\n"
        f"[engine]\nruntime = '{runtime}'\ncgroup_manager = 'cgroupfs'\nevents_logger = 'none'\n"
        f"tmp_dir = '{folder}/tmp'\n[network]\nnetwork_config_dir = '{folder}/networks'\n"
    )
    (folder / "storage.conf").write_text(
        f"[storage]\ndriver = 'vfs'\ngraphroot = '{folder}/storage'\nrunroot = '{folder}/run'\n"
    )
    names = {"CONTAINERS_CONF": "containers.conf", "CONTAINERS_STORAGE_CONF": "storage.conf"}
    with mock.patch.dict(os.environ, {name: str(folder / file) for name, file in names.items()}):
        try:
            yield
            assert containers() == []
        finally:
            _podman("rm", "--all", "--force", "--time", "0")
            _unmount(folder)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def podman() -> Iterator[None]:
    """The same for the tests that ask for it; skipped, with the reason, where no containers can be run."""
    if why := obstacle():
        pytest.skip(why)
    with of_its_own():
        yield


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> None:
    """The same for tests that take long: they are part of `make containers`, and not of every run of all tests."""
    if not os.environ.get(ENV_THOROUGH):
        pytest.skip("takes long: `make containers` runs it")
    request.getfixturevalue("podman")


@pytest.fixture(scope="session")
def docker(thorough: None) -> Iterator[None]:
    """Docker's own program, answered by podman, below which no container of it is; skipped where that is not there."""
    if shutil.which("docker") is None:
        pytest.skip("no docker here: `apt-get install docker-cli`")
    place = Path(os.environ["CONTAINERS_CONF"]).with_name("docker.sock")
    with mock.patch.dict(os.environ, {"DOCKER_HOST": f"unix://{place}"}):
        service = subprocess.Popen(
            ["podman", "system", "service", "--time", "0", f"unix://{place}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until(place.exists, description="podman answers as Docker does")
            yield
        finally:
            service.kill()
            service.wait()


def containers() -> list[str]:
    """Names of all containers, those that have ended too."""
    return _podman("ps", "--all", "--format", "{{.Names}}").split()


def _podman(*words: str) -> str:
    return subprocess.run(["podman", *words], check=False, capture_output=True, text=True, timeout=60).stdout


def _unmount(folder: Path) -> None:
    rows = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    for place in sorted((row.split()[1] for row in rows if row.split()[1].startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "-l", place], check=False, capture_output=True)
