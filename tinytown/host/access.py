"""Whether a server on the network opens its data to whoever reaches it, agents included."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tinytown.errors import UnreachableError

#: Seconds for the server to answer a stranger; it has just answered us.
PATIENCE = 5.0
#: Parts of an address by which a client proves who it is without a password.
_CERTIFICATE = "ssl_certfile"


def is_open(url: str) -> bool:
    """Whether the server at ``url`` answers somebody on the network who has neither password nor certificate."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return False  # Who may open the socket is the file system's to say.
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
        # Any other answer is one to a stranger's question, e.g. that it has no memory left.
        return not str(error).startswith(("NOAUTH", "WRONGPASS", "DENIED"))
    except redis.RedisError:
        return False
    finally:
        stranger.close()
    return True


def require_password(url: str, shown: str) -> None:
    """See that the server at ``url``, which people are told of as ``shown``, asks for a password.

    Raises:
        UnreachableError: it does not, so everything on this machine can change the town's records.
    """
    if is_open(url):
        raise UnreachableError(
            f"the server at {shown} asks for no password: any program that reaches it can change what the town decides",
            remedy="give it one (`requirepass`) and put it into REDIS_URL, or set `[redis] insecure = true`",
        )
