"""Reading and writing of JSON that is not trusted.

Python's `json` is recursive. JSON that is nested too deep raises `RecursionError` in CPython; in
Pyodide, whose stack is V8's, it ends Python itself. So the nesting is checked first.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

__all__ = ["check_value", "read_json", "write_json"]

#: The most levels of arrays and objects. Tools and schemas have a tenth of them; Python's own limit
#: is five times as many.
MAX_NESTING = 200

_TOO_DEEP = f"nested too deep: {MAX_NESTING} levels at most"

#: Everything but brackets: strings, and the characters between strings and brackets. The possessive
#: quantifiers do not backtrack, so a long string takes no memory.
_NO_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++', re.DOTALL)


def read_json(text: str) -> Any:
    """Read a JSON text.

    Raises:
        ValueError: the text is not JSON or is nested too deep; the message says which.
    """
    if text.count("[") + text.count("{") > MAX_NESTING:
        depth = 0
        for bracket in _NO_BRACKETS.sub("", text):
            depth += 1 if bracket in "[{" else -1
            if depth > MAX_NESTING:
                raise ValueError(_TOO_DEEP)
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    """Read a number; refuse `NaN`, `Infinity` and `1e999`, which JSON cannot write."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def write_json(value: Any) -> str:
    """Write a value as compact JSON.

    Raises:
        ValueError: the value cannot be written; the message says why.
    """
    check_value(value)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except TypeError as error:
        raise ValueError(str(error)) from None


def check_value(value: Any) -> None:
    """Check the arrays and objects in a value.

    Raises:
        ValueError: the value is nested too deep, or the key of an object is not a string.
    """
    level = [value]
    for _ in range(MAX_NESTING):
        # A value that occurs several times is checked once: otherwise shared values could double
        # the number with each level.
        inside: dict[int, Any] = {}
        for outer in level:
            if isinstance(outer, dict):
                if not all(isinstance(key, str) for key in outer):
                    raise ValueError("the key of an object is not a string")
                items: Any = outer.values()
            else:
                items = outer if isinstance(outer, (list, tuple)) else ()
            inside |= {id(item): item for item in items if isinstance(item, (dict, list, tuple))}
        if not inside:
            return
        level = list(inside.values())
    raise ValueError(_TOO_DEEP)
