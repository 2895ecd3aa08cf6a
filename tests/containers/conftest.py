"""One podman for all tests of the folder; skipped, with the reason, where there is none."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import Engine, NoContainersError, obstacle


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The tests of this folder in the order of the file, whatever shuffles others: they share a town and end it.

    Those that stand on pytest-celery are skipped where it is not asked for, as other tests are spared its loading.
    """
    places = [place for place, item in enumerate(items) if item.path.is_relative_to(Path(__file__).parent)]
    ours = sorted((items[place] for place in places), key=lambda item: (item.path, item.reportinfo()[1] or 0))
    for place, item in zip(places, ours, strict=True):
        items[place] = item
    if not config.pluginmanager.hasplugin("docker_tools"):
        for item in ours:
            if item.path.name == "test_celery.py":
                item.add_marker(pytest.mark.skip("needs `-p celery -p docker_tools`, as `make containers` has it"))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Podman with the images built. Its folder is short, because sockets live in it."""
    if why := obstacle():
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="ttc-", dir="/var/tmp"))
    made = Engine(folder / "e")
    try:
        made.begin()
        made.build()
        yield made
    except NoContainersError as why:
        pytest.skip(str(why))
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)
