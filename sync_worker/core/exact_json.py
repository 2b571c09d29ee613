"""JSON with exact decimals: numbers with a fraction are read as ``Decimal`` and written back digit
for digit.
"""

from typing import Any

import simplejson


def dumps(value: Any) -> str:
    """Compact JSON text.

    Raises TypeError for what JSON cannot hold, ValueError for NaN and infinities.
    """
    return simplejson.dumps(
        value, use_decimal=True, allow_nan=False, separators=(",", ":"), ensure_ascii=False
    )


def loads(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises ValueError (also for NaN, infinities, bad UTF-8 and absurd nesting).
    """
    try:
        return simplejson.loads(text, use_decimal=True, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
