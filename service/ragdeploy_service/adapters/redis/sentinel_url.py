"""Reads ``redis+sentinel://`` URLs, in the form that redis-sentinel-url and limits take too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SENTINEL_PORT = 26379

SCHEMES = {"redis+sentinel": False, "rediss+sentinel": True}
"""Schemes, and whether Redis and the Sentinels are spoken to over TLS."""

_PARAMETERS = {"sentinel_username", "sentinel_password", "ssl_ca_certs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelUrl:
    """What a URL says: where the Sentinels are, and how to log in to them and to Redis.

    ``redis`` and ``sentinel`` are options of redis-py's connections. A password
    in the URL is meant for both; ``sentinel_password`` gives the Sentinels
    another, and if it is empty none.

    >>> SentinelUrl.parse("redis+sentinel://:secret@one,two:26380/mymaster/0").sentinels
    (('one', 26379), ('two', 26380))
    """

    sentinels: tuple[tuple[str, int], ...]
    master: str
    redis: dict[str, Any]
    sentinel: dict[str, Any]

    @classmethod
    def is_one(cls, url: str) -> bool:
        """Whether ``url`` has one of the schemes."""
        return url.partition("://")[0] in SCHEMES

    @classmethod
    def parse(cls, url: str) -> SentinelUrl:
        """Read a URL.

        Raises:
            ValueError: it is none; the message never holds the URL.

        """
        parts = urlsplit(url)
        login, _, hosts = parts.netloc.rpartition("@")
        master, _, database = parts.path.removeprefix("/").partition("/")
        if not hosts or not master or not (database or "0").isdigit():
            raise ValueError("it must look like redis+sentinel://:password@host:26379,host/name/0")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if unknown := query.keys() - _PARAMETERS:
            raise ValueError(
                f"it has unknown parameters ({', '.join(sorted(unknown))}); "
                f"there are {', '.join(sorted(_PARAMETERS))}"
            )
        user, _, password = login.partition(":")
        redis = _login(unquote(user), unquote(password))
        sentinel = _login(
            query.get("sentinel_username", redis["username"]),
            query.get("sentinel_password", redis["password"]),
        )
        tls = _tls(query) if SCHEMES[parts.scheme] else {}
        return cls(
            sentinels=tuple(_address(host) for host in hosts.split(",")),
            master=unquote(master),
            redis=redis | tls | {"db": int(database or 0)},
            sentinel=sentinel | tls,
        )


def _login(user: str | None, password: str | None) -> dict[str, Any]:
    return {"username": user or None, "password": password or None}


def _tls(query: dict[str, str]) -> dict[str, Any]:
    return {"ssl": True, "ssl_ca_certs": query.get("ssl_ca_certs")}


def _address(text: str) -> tuple[str, int]:
    parsed = urlsplit(f"//{text}")
    if not parsed.hostname:
        raise ValueError("a Sentinel in it has no name")
    return parsed.hostname, parsed.port or SENTINEL_PORT
