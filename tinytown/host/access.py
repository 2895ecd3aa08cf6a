"""Whether a server on the network lets anybody who reaches it read and change its data, agents included."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tinytown.errors import UnreachableError

#: Seconds for the server to answer a client without credentials; it has just answered us.
PATIENCE = 5.0
#: Parts of an address by which a client proves who it is without a password.
_CERTIFICATE = "ssl_certfile"


def is_open(url: str) -> bool:
    """Whether the server at ``url`` answers somebody on the network who has neither password nor certificate."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return False  # The file system decides who may open a socket.
    query = parse_qs(parts.query)
    if _CERTIFICATE in query:
        return False
    checks = {name: query[name][0] for name in ("ssl_cert_reqs", "ssl_ca_certs") if name in query}
    stranger: redis.Redis = redis.Redis.from_url(
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 0),
        **checks,
    )
    try:
        stranger.get("tinytown")
    except redis.exceptions.NoPermissionError:
        return False
    except redis.ResponseError as error:
        # Any other answer shows that it serves clients without credentials, e.g. that it has no memory left.
        return not str(error).startswith(("NOAUTH", "WRONGPASS", "DENIED"))
    except redis.RedisError:
        return False
    finally:
        stranger.close()
    return True


def require_password(url: str, shown: str) -> None:
    """Make sure that the server at ``url`` asks for a password; ``shown`` is its address as errors name it.

    Raises:
        UnreachableError: it does not, so everything on this machine can change the town's records.
    """
    if is_open(url):
        raise UnreachableError(
            f"the server at {shown} asks for no password: any program that reaches it can change what the town decides",
            remedy="give it one (`requirepass`) and put it into REDIS_URL, or set `[redis] insecure = true`",
        )
