"""Column types of the ledger that SQLAlchemy does not bring."""

from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from sync_worker.core import exact_json


class ExactJSON(TypeDecorator[Any]):
    """JSON text with exact decimals; ``None`` is SQL NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return exact_json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return exact_json.loads_own(value)
