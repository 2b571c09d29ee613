"""What the console itself has to know, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class ConsoleConfig:
    """``public_url``: where browsers reach it; plain http on this machine only.

    ``form_key`` signs the tokens of forms; what they say is a secret of the session anyway.
    ``frame_ancestors``: who may frame the pages of a site's owner.
    """

    public_url: str
    form_key: str
    frame_ancestors: str = "'none'"

    @property
    def is_secure(self) -> bool:
        """Whether cookies go over https alone."""
        return urlsplit(self.public_url).scheme == "https"

    @property
    def hosts(self) -> list[str]:
        """Names that a request may call us by: another one is a page that was sent to us."""
        # This machine, too: whoever looks after it asks whether it is well.
        return [urlsplit(self.public_url).hostname or "", "127.0.0.1", "localhost", "[::1]"]
