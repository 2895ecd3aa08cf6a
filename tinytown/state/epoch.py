"""The epoch: a key that tells a new database from a lost one. Beside it stands which release wrote there last.

The town's ``town.json`` has the epoch too, and whether it was ever written into the database. From then on
an empty database is a lost one, and nothing goes on as if it were new. A database that a newer release has written to
is left alone: its records may mean what this one does not know.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from enum import Enum

import redis

from tinytown import contract
from tinytown.errors import EXIT_FAILED, DatabaseFullError, UnreachableError
from tinytown.state.database import REFUSALS, connect, refused, says_full
from tinytown.state.keys import Keys
from tinytown.town import Town, amend_identity, read_identity


class ForeignDatabaseError(UnreachableError):
    """A database that answers, and is not the town's: it is empty, or another's."""


class NewerDatabaseError(ForeignDatabaseError):
    """A database of the town that a newer release has written to."""

    exit_code = EXIT_FAILED

    def __init__(self) -> None:
        super().__init__(
            "the town's database was written by a newer tinytown", remedy="update tinytown on this machine"
        )


def prove_epoch(town: Town, url: str) -> None:
    """Prove that the database at ``url`` is this town's; a new one is made so.

    Raises:
        UnreachableError: it does not answer, is empty though the town was in use, is another's, or was written by a
            newer release.
    """
    identity = read_identity(town.root)
    keys = Keys(town.prefix)
    with _asking(connect(url), remedy="run `tt doctor`") as client:
        found, schema = _found(client, keys)
        if found is None and not identity.initialised:
            client.set(keys.epoch, identity.epoch, nx=True)
            found, schema = _found(client, keys)
            with contextlib.suppress(redis.ResponseError):  # unknown before 7.2, refused without append-only file
                client.execute_command("WAITAOF", 1, 0, 2000)  # type: ignore[no-untyped-call]
    if found is None:
        raise lost()
    if found != identity.epoch:
        raise another()
    if schema < contract.SCHEMA:
        with _asking(connect(url), remedy="run `tt doctor`") as client:
            client.set(keys.schema, contract.SCHEMA)
    amend_identity(town.root, initialised=True)


def _found(client: redis.Redis, keys: Keys) -> tuple[str | None, int]:
    """The epoch, and the form of records that was written last; raises ``NewerDatabaseError`` for a newer one."""
    epoch, form = client.mget(keys.epoch, keys.schema)
    schema = int(form) if form is not None and str(form).isdecimal() else 0
    if schema > contract.SCHEMA:
        raise NewerDatabaseError
    return None if epoch is None else str(epoch), schema


@contextlib.contextmanager
def _asking(client: redis.Redis, *, remedy: str, keep: bool = False) -> Iterator[redis.Redis]:
    """Close the client in the end, unless ``keep``; errors of the database become ours."""
    try:
        yield client
    except redis.RedisError as error:
        if says_full(error):
            raise DatabaseFullError from None
        if isinstance(error, REFUSALS):
            raise refused(error) from None
        raise UnreachableError(f"the town's database does not answer: {error}", remedy=remedy) from None
    finally:
        if not keep:
            client.close()


class Epoch(Enum):
    """What a database is to a town."""

    OURS = "ours"
    #: Empty, as this town's never was used.
    NEW = "new"
    #: Empty, though the town was in use.
    LOST = "lost"
    ANOTHER = "another"


def epoch_of(town: Town, url: str, client: redis.Redis | None = None) -> Epoch:
    """What the database at ``url`` is to the town; nothing is written. A ``client`` of it is used if there is one.

    Raises:
        UnreachableError: it does not answer, or a newer release has written to it.
    """
    identity = read_identity(town.root)
    remedy = "start it, or correct REDIS_URL or `[redis] url`" if town.settings.redis.url else "run `tt start`"
    with _asking(client or connect(url, retries=0), remedy=remedy, keep=client is not None) as asked:
        found, _ = _found(asked, Keys(town.prefix))
    if found is None:
        return Epoch.LOST if identity.initialised else Epoch.NEW
    return Epoch.OURS if found == identity.epoch else Epoch.ANOTHER


def another() -> ForeignDatabaseError:
    """The error for a database that is another's."""
    return ForeignDatabaseError(
        "the town's database belongs to an earlier setup of this town",
        remedy="point it at the right server, or restore `.tt` from a backup",
    )


def lost() -> ForeignDatabaseError:
    """The error for a database that is gone."""
    return ForeignDatabaseError(
        "the town's database is lost: it is empty, though the town was in use",
        remedy="point REDIS_URL at the server it used, restore `.tt/data`, or remove `.tt` and run `tt restore FILE` "
        "(or `tt init`, for a new town)",
    )
