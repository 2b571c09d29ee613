"""Calls the stand-in Wix as an app does, without a socket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient

from sync_sandbox.wix.state import WixState

REVIEWS = "/reviews/v1/reviews"


@dataclass
class WixClient:
    """``call("POST", path, body)`` gives status and JSON."""

    wix: WixState
    http: FlaskClient

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """``body``: a text goes out as it is. Without headers the call has the app's token."""
        if not headers:
            headers = {"Authorization": self.wix.new_token()}
        data = body if isinstance(body, str | None) else json.dumps(body)
        kind = None if data is None else "application/json"
        answer = self.http.open(path, method=method, data=data, headers=headers, content_type=kind)
        return answer.status_code, answer.get_json()

    def good(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a call that has to succeed."""
        status, answer = self.call(method, path, body)
        assert status == 200, answer
        return answer

    def create(self, draft: dict[str, Any]) -> dict[str, Any]:
        review = self.good("POST", REVIEWS, {"review": draft})["review"]
        assert isinstance(review, dict)
        return review

    def get(self, review_id: str) -> dict[str, Any]:
        path = f"{REVIEWS}/{review_id}?returnPrivateReviews=true"
        review = self.good("GET", path)["review"]
        assert isinstance(review, dict)
        return review

    def update(self, review_id: str, revision: str, **changes: Any) -> tuple[int, Any]:
        review = {"id": review_id, "revision": revision, **changes}
        return self.call("PATCH", f"{REVIEWS}/{review_id}", {"review": review})

    def found(self, where: dict[str, Any], *, private: bool = True) -> list[dict[str, Any]]:
        asked = {"query": {"filter": where}, "returnPrivateReviews": private}
        return list(self.good("POST", f"{REVIEWS}/query", asked)["reviews"])

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status, and the field or the code that the refusal names."""
        status, answer = self.call(method, path, body)
        assert status >= 400, answer
        details = answer["details"]
        if "applicationError" in details:
            return status, str(details["applicationError"]["code"])
        return status, str(details["validationError"]["fieldViolations"][0]["field"])
