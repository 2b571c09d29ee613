"""Addresses as a plain request sees them: whose clock is wrong, whose certificate ends.

Nothing is asked of an API: no credentials go along, and no request budget is touched.
"""

from __future__ import annotations

import ssl
import time
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from urllib3.exceptions import HTTPError

from sync_worker.core.errors import Misconfigured
from sync_worker.remotes.http.connection import connection_to, deadline_of_call
from sync_worker.services.evidence import AddressLook

LOOK_SECONDS = 3.0


class Place(NamedTuple):
    """An address to look at. ``may_be_private``: in a network of our own, too."""

    whose: str
    url: str
    may_be_private: bool


def look_at(place: Place) -> AddressLook | None:
    """One HEAD request; ``None``: nobody answers there, which others tell."""
    parts = urlsplit(place.url)
    host = parts.hostname or ""
    connection = connection_to(host, parts.port, is_tls=parts.scheme == "https")
    try:
        with deadline_of_call(LOOK_SECONDS, allow_private_hosts=place.may_be_private):
            connection.connect()
            ends_at = certificate_end(connection.sock)
            connection.request("HEAD", parts.path or "/")
            ahead = clock_ahead(connection.getresponse().headers.get("Date"))
    except (OSError, HTTPException, HTTPError, ValueError, Misconfigured):
        return None
    finally:
        connection.close()
    return AddressLook(place.whose, host, ahead, ends_at)


def certificate_end(sock: Any) -> float | None:
    """When the certificate of the other end is over; ``None``: it shows none."""
    if not isinstance(sock, ssl.SSLSocket):
        return None
    shown = sock.getpeercert(binary_form=True)
    if shown is None:
        return None
    return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()


def clock_ahead(date: str | None) -> float | None:
    """By a Date header, which is exact to a second."""
    if date is None:
        return None
    return parsedate_to_datetime(date).timestamp() - time.time()
