"""How the stand-in Wix refuses a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify


class Refusal(Exception):
    """An error answer in Wix's envelope."""

    def __init__(
        self, status: int, code: str, message: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(code)
        self.status, self.code = status, code
        self.message, self.data = message or code, dict(data or {})

    def as_item(self) -> dict[str, Any]:
        """The error of one item of a bulk call."""
        return {"code": self.code, "description": self.message, "data": self.data}

    def response(self) -> Response:
        details: dict[str, Any]
        if self.status == 400:
            violation = {
                "field": self.code,
                "description": self.message,
                "violatedRule": "OTHER",
                "data": self.data,
            }
            details = {"validationError": {"fieldViolations": [violation]}}
        else:
            error = {"code": self.code, "description": self.message, "data": self.data}
            details = {"applicationError": error}
        answer = jsonify(message=self.message, details=details)
        answer.status_code = self.status
        return answer
