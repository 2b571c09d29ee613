"""Addresses of Redis and of the database, looked at before a library reads them; pure.

Libraries cut an address at the first ``#`` or ``/`` of its password, and print what is left of it.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from sync_worker.core.errors import Misconfigured

REDIS = ("redis", "rediss", "unix")
DATABASE = ("sqlite", "postgresql", "postgres")
# They name a file: nothing in them is a password.
FILES = ("unix", "sqlite")
MAX_PORT = 65535


def check_redis_url(name: str, url: str) -> None:
    """Raises Misconfigured, in one line without a part of the address."""
    if _kind(name, url, REDIS) in FILES:
        return
    rest = url.partition("://")[2]
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    behind = rest[len(host) :]
    # An ``@`` in an option (?client_name=a@b) cuts nothing.
    is_cut = "@" in behind and not re.match(r"/?\d*\?\w+=", behind)
    try:
        port = urlsplit(url).port
    except ValueError:
        is_cut, port = is_cut or "@" in rest, 0
    if is_cut:
        raise _cut(name)
    if port == 0:
        raise _no_port(name)


def check_database_url(name: str, url: str) -> None:
    """Raises Misconfigured, in one line without a part of the address."""
    if _kind(name, url, DATABASE) in FILES:
        return
    # As SQLAlchemy reads it: a password goes up to the first ``@``, and may hold all else.
    rest = re.sub(r"^[^:/@]*(:[^@]*)?@", "", url.partition("://")[2])
    host = re.split(r"[/?]", rest, maxsplit=1)[0]
    if "@" in host:
        raise _cut(name)
    port = re.search(r":([^:\]]*)$", host)
    if port is not None and not _is_port(port[1]):
        raise _no_port(name)


def host_of(url: str) -> str:
    """In small letters, without the dot that may end it; empty where the address has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def has_password(url: str) -> bool:
    """Whether the part before the host names one."""
    user, mark, _ = url.partition("://")[2].rpartition("@")
    return bool(mark) and bool(user.partition(":")[2])


def _kind(name: str, url: str, kinds: tuple[str, ...]) -> str:
    """What the address begins with, without a driver."""
    scheme, mark, _ = url.partition("://")
    kind = scheme.lower().partition("+")[0]
    if mark and kind in kinds:
        return kind
    known = " or ".join(f"{one}://" for one in kinds)
    if not mark:
        raise Misconfigured(f"{name} has to begin with {known}")
    raise Misconfigured(f"{name} begins with {scheme[:20]}://; it has to be {known}")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text) <= MAX_PORT


def _cut(name: str) -> Misconfigured:
    alone = name.replace("CACHE_", "").replace("_URL", "_PASSWORD")
    return Misconfigured(
        f"{name} cannot be read: a sign in its user name or password cuts it in two. There write"
        " # as %23, / as %2F, ? as %3F, @ as %40, [ as %5B, % as %25; or leave the password out and"
        f" set {alone}, as it is"
    )


def _no_port(name: str) -> Misconfigured:
    return Misconfigured(f"{name}: the port is no number from 1 to {MAX_PORT}")


def with_password(url: str, password: str) -> str:
    """The address, with the password in it unless it has one of its own."""
    if has_password(url):
        return url
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    user, _, host = parts.netloc.rpartition("@")
    secret = quote(password, safe="")
    return parts._replace(netloc=f"{user.removesuffix(':')}:{secret}@{host}").geturl()
