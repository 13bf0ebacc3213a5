"""Untrusted JSON: deep nesting is refused before Python's `json` reads the text."""

from __future__ import annotations

from typing import Any

import pytest

from purewasm_plugins.support.json_text import MAX_NESTING, check_value, read_json, write_json


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = {"a": value} if isinstance(value, list) else [value]
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        (' {"a": [1.5, null, true, "\\u00e9"]} ', {"a": [1.5, None, True, "é"]}),
        ('"' + "[{" * 1000 + '"', "[{" * 1000),
        ('["\\"' + "[" * 1000 + '\\\\"]', ['"' + "[" * 1000 + "\\"]),
        ("[" + "[],{}," * 1000 + "1]", [[], {}] * 1000 + [1]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_reading(text: str, value: object) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize("text", ["", "{", '"a', "[1,]", "]" * 1000, "NaN", "[-Infinity]", "1e999"])
def test_what_is_not_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1|not a finite number"):
        read_json(text)


def test_the_nesting_of_a_text() -> None:
    for start, end in ("[]", ('{"a":[', "]}")):
        levels = MAX_NESTING // start.count("[")
        levels //= start.count("{") + 1
        assert read_json(start * levels + end * levels) is not None
        for number in (levels + 1, 100_000):
            with pytest.raises(ValueError, match="nested too deep"):
                read_json('["' + "]" * 300 + '",' + start * number)


def test_the_nesting_of_a_value() -> None:
    assert write_json(nested(MAX_NESTING)).count("]") == MAX_NESTING // 2
    with pytest.raises(ValueError, match="nested too deep"):
        write_json(nested(MAX_NESTING + 1))


def test_a_value_beyond_what_python_can_follow() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="nested too deep"):
        write_json(value)


def test_a_value_that_holds_the_same_twice() -> None:
    """A check for each path would visit the value 2**150 times."""
    shared: Any = []
    for _ in range(150):
        shared = [shared, shared]
    check_value(shared)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({1: 2}, "not a string"),
        ([{"a": ({None: 1},)}], "not a string"),
        (object(), "not JSON"),
        ({"a": {1, 2}}, "not JSON"),
        (float("nan"), "JSON"),
        (10**5000, "digits"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_written(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        write_json(value)


def test_writing() -> None:
    assert write_json({"a": ("é", [1.5, None])}) == '{"a":["é",[1.5,null]]}'
