"""A shop that answers over TLS, with a certificate of its own."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@contextmanager
def serving(folder: Path, answer: str, days: float | None = None) -> Iterator[str]:
    """Answers everybody so, with a certificate that ends in so many days if it is to have one."""
    listener = socket.create_server(("127.0.0.1", 0))
    port, scheme = listener.getsockname()[1], "http"
    if days is not None:
        scheme = "https"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(a_certificate(folder, days))
        listener = context.wrap_socket(listener, server_side=True)

    def serve() -> None:
        while True:
            try:
                asked, _ = listener.accept()
            except ssl.SSLError:
                continue
            except OSError:
                return
            with asked:
                asked.recv(4096)
                asked.sendall(answer.encode())

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"{scheme}://127.0.0.1:{port}/webhooks"
    finally:
        listener.close()


def a_certificate(folder: Path, days: float) -> Path:
    """Signed by itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
