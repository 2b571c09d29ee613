"""References of a manifest: ``{env: NAME}`` and ``{file: PATH}``, as far as a manifest may look.

A manifest may come from a stranger, and what it names is sent to the addresses that it names. So it
reads no setting of ours, and no file outside the folders that the operator keeps for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sync_worker.core.errors import Misconfigured
from sync_worker.core.pasted import bare, is_placeholder, nearest, secret_of, unsendable_in

FOLDERS_SETTING = "CONNECTOR_SECRETS_FOLDERS"
# Where the containers of the compose file have them, and where deploy/secrets.sh writes them.
DEFAULT_FOLDERS = "/run/secrets/connector,secrets/connector"
OURS = (
    *("WIX_", "DATABASE_", "REDIS_", "SECRETS_KEY", "SECRETS_SEALING_KEY"),
    *("METRICS_", "FLOWER_", "GATEWAY_", "CONSOLE_"),
    # What the compose file, PostgreSQL's own library and Celery read beside our settings.
    *("POSTGRES_", "PGPASS", "PGSERVICE", "CELERY_", "RATINGS_SYNC_"),
)
MAX_SECRET_BYTES = 64 * 1024


class BadReference(Exception):
    """A reference names nothing, or what a manifest must not name."""


def looked_up(
    reference: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    is_optional: bool,
    is_sent: bool = False,
) -> str | None:
    """What a reference names. ``None``: it is optional, and nothing is there.

    ``NAME`` is also found as ``NAME_FILE``. ``is_sent``: it goes into a header, a form or an
    address. Raises BadReference.
    """
    ((kind, name),) = reference.items()
    if not isinstance(name, str) or not name:
        raise BadReference(f"{kind} names a setting or a file as text, not {name!r}")
    if kind == "file":
        return _text_of(name, _within_folders(name, environ), is_sent)
    if name.startswith(OURS):
        raise BadReference(
            f"{name} is a setting of ratings-sync, which a manifest must not read; give the"
            " connector a setting with a name of its own"
        )
    if is_optional and not {name, f"{name}_FILE"} & set(environ):
        return None
    if environ.get(name):
        return real(name, bare(environ[name]), is_sent)
    if path := environ.get(f"{name}_FILE"):
        # Whoever wrote the environment named this file, no manifest did.
        return _text_of(name, Path(bare(path)), is_sent)
    if is_optional:
        return None
    meant = nearest(name, set(environ) - {name})
    slip = f" ({meant} is set: did you mean that?)" if meant else ""
    raise BadReference(f"{name} is not set{slip}; set {name} or {name}_FILE in the environment")


def _within_folders(name: str, environ: Mapping[str, str]) -> Path:
    """The file itself, with every link followed. Raises BadReference if it lies elsewhere."""
    named = environ.get(FOLDERS_SETTING) if FOLDERS_SETTING in environ else None
    folders = [part.strip() for part in (named or DEFAULT_FOLDERS).split(",") if part.strip()]
    try:
        file = Path(name).resolve()
        is_within = any(file.is_relative_to(Path(folder).resolve()) for folder in folders)
    except (OSError, RuntimeError, ValueError):  # links in a circle, a NUL
        is_within = False
    if not is_within:
        raise BadReference(
            f"{name[:200]!r} lies outside the folders for secrets of connectors"
            f" ({', '.join(folders)}); move the file there, or name its folder in {FOLDERS_SETTING}"
        )
    if file in _files_of_ours(environ):
        raise BadReference(f"{name} holds a setting of ratings-sync; a manifest must not read it")
    return file


def _files_of_ours(environ: Mapping[str, str]) -> Iterator[Path]:
    for name in list(environ):
        if name.startswith(OURS) and name.endswith("_FILE") and environ[name]:
            yield Path(environ[name]).resolve()


def _text_of(name: str, path: Path, is_sent: bool) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES)
    except OSError as error:
        raise BadReference(f"cannot read {path} ({error.strerror})") from None
    try:
        return real(name, secret_of(name, str(path), data), is_sent)
    except Misconfigured as error:
        raise BadReference(error.message) from None


def real(name: str, value: str, is_sent: bool) -> str:
    """The value, unless it is still an example's, or damaged. Raises BadReference, without it."""
    if is_placeholder(value):
        raise BadReference(f"{name} is still a placeholder; set its real value")
    if is_sent and (sign := unsendable_in(value)):
        raise BadReference(
            f"{name} holds {sign}, which does not belong there; paste its value again as plain text"
        )
    return value
