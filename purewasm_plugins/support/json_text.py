"""JSON that strangers wrote, or are to read: text in, plain values out, and back.

Python's `json` follows nesting by recursion. In CPython too much of it is a `RecursionError`; in
Pyodide it ends Python itself, whose stack is V8's. So the nesting is looked at first.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

__all__ = ["check_value", "read_json", "write_json"]

#: How deep arrays and objects may be in each other. Tools and schemas stay below it by a factor of
#: ten, and Python's own limit is above it by a factor of five.
MAX_NESTING = 200

_TOO_DEEP = f"nested too deep: {MAX_NESTING} levels at most"

#: All but the brackets that nest: strings, and what is between them. Without ways back, so that a
#: long string takes no memory.
_NO_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++', re.DOTALL)


def read_json(text: str) -> Any:
    """Parse a JSON text.

    Raises:
        ValueError: it is not JSON, or is nested too deep; in words.
    """
    if text.count("[") + text.count("{") > MAX_NESTING:
        depth = 0
        for bracket in _NO_BRACKETS.sub("", text):
            depth += 1 if bracket in "[{" else -1
            if depth > MAX_NESTING:
                raise ValueError(_TOO_DEEP)
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    """Parse a number; refuse one that could not be written again: `NaN`, `Infinity`, `1e999`."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number that can be kept")
    return number


def write_json(value: Any) -> str:
    """Write a value as compact JSON.

    Raises:
        ValueError: it cannot be written; in words.
    """
    check_value(value)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except TypeError as error:
        raise ValueError(str(error)) from None


def check_value(value: Any) -> None:
    """Look whether what holds other values does so as JSON can.

    Raises:
        ValueError: it is nested too deep, or the key of an object is no string; in words.
    """
    level = [value]
    for _ in range(MAX_NESTING):
        # Each once, however many hold it: sharing could double the number with each level.
        inside: dict[int, Any] = {}
        for outer in level:
            if isinstance(outer, dict):
                if not all(isinstance(key, str) for key in outer):
                    raise ValueError("the key of an object is no string")
                items: Any = outer.values()
            else:
                items = outer if isinstance(outer, (list, tuple)) else ()
            inside |= {id(item): item for item in items if isinstance(item, (dict, list, tuple))}
        if not inside:
            return
        level = list(inside.values())
    raise ValueError(_TOO_DEEP)
