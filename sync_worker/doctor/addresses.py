"""Addresses as a plain request sees them: whose clock is wrong, whose certificate ends.

Nothing is asked of an API: no credentials go along, and no request budget is touched.
"""

from __future__ import annotations

import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

from cryptography import x509

from sync_worker.services.evidence import AddressLook

LOOK_SECONDS = 3.0


def look_at(whose: str, url: str) -> AddressLook | None:
    """One HEAD request; ``None``: nobody answers there, which others tell."""
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    connection = HTTPConnection(host, parts.port, timeout=LOOK_SECONDS)
    if is_tls:
        # Whether it is to be trusted is for the calls to say; here only its end counts.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPSConnection(host, parts.port, timeout=LOOK_SECONDS, context=context)
    try:
        connection.connect()
        ends_at = certificate_end(connection.sock)
        connection.request("HEAD", parts.path or "/")
        ahead = clock_ahead(connection.getresponse())
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return AddressLook(whose, host, ahead, ends_at)


def certificate_end(sock: socket.socket) -> float | None:
    """When the certificate of the other end is over; ``None``: it shows none."""
    if not isinstance(sock, ssl.SSLSocket):
        return None
    shown = sock.getpeercert(binary_form=True)
    if shown is None:
        return None
    return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()


def clock_ahead(response: HTTPResponse) -> float | None:
    """By its Date header, which is exact to a second."""
    date = response.headers.get("Date")
    if date is None:
        return None
    return parsedate_to_datetime(date).timestamp() - time.time()
