"""The part of YAML that is read, and what is refused."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.plugin.manifest.yaml_text import YamlError, read_yaml

WHOLE = """---
# A comment.
version: "1.0"   # another one
'quoted key': 'it''s'
"a: b": "x\\ty # no comment"
plain: don't # a comment
empty:
none: ~
flags: [true, false]
numbers: [0, -12, 1.5]
addresses: [1.1.1.1, 'a, b', "c", *d]
nothing: []
list:
- one
-   two
- key: 1
  other:
    - deep
    -
      a: b
-
  - inner
last/key.of-all: http://host:80/#part
"""


def test_what_is_read() -> None:
    value, places = read_yaml(WHOLE.replace(", *d]", "]"))
    assert value == {
        "version": "1.0",
        "quoted key": "it's",
        "a: b": "x\ty # no comment",
        "plain": "don't",
        "empty": None,
        "none": None,
        "flags": [True, False],
        "numbers": [0, -12, 1.5],
        "addresses": ["1.1.1.1", "a, b", "c"],
        "nothing": [],
        "list": ["one", "two", {"key": 1, "other": ["deep", {"a": "b"}]}, ["inner"]],
        "last/key.of-all": "http://host:80/#part",
    }
    assert places["list", "2", "other", "1", "a"] == 20
    assert read_yaml("# nothing") == (None, {})


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: &x 1", 1, "not read here"),
        ("a: !text 1", 1, "not read here"),
        ("a: |\n  text", 1, "not read here"),
        ("a: {b: c}", 1, "not read here"),
        ("a: b: c", 1, "not read here"),
        ("a: yes", 1, "'yes' is a text in quotes, or true or false"),
        ("a: True", 1, "'True' is a text"),
        ("a: 0x10", 1, "is a number that is not read"),
        ("a: 1_000", 1, "is a number that is not read"),
        ("a: 012", 1, "is a number that is not read"),
        ("a: 12:30", 1, "is a number that is not read"),
        ("a: 2001-01-01", 1, "is a number that is not read"),
        ("a: .inf", 1, "is a number that is not read"),
        (WHOLE, 11, "not read here"),
        ("a: [[1]]", 1, "a list in brackets"),
        ("a: [1,\n 2]", 1, "a list in brackets"),
        ("a: [1] 2", 1, "a list in brackets"),
        ('a: "x" y', 1, "nothing may follow"),
        ("a: 'x", 1, "must end in its line"),
        ('a: "\\x41"', 1, "an escape that is not read"),
        ("a: 1\n\nb: 2\na: 3", 4, "'a' is there twice"),
        ("a:\n    b: 1\n  c: 2", 3, "fits to no line above"),
        ("a: 1\n  b: 2", 2, "fits to no line above"),
        ("a: 1\n- b", 2, "fits to no line above"),
        ("a:\n\tb: 1", 2, "a tab"),
        ("text", 1, "it must be 'KEY: VALUE'"),
        ("1: a", 1, "a key must be a text"),
        ("true: a", 1, "a key must be a text"),
        ("a: -", 1, "not read here"),
        ("a:b", 1, "it must be 'KEY: VALUE'"),
        ("--- # x", 1, "it must be 'KEY: VALUE'"),
        ("- " * 100_000 + "a", 1, "nested too deep"),
        ("a: " + "[" * 100_000, 1, "a list in brackets"),
        ("a: [" + " " * 100_000 + "{", 1, "a list in brackets"),
        ("a: ['" + "''" * 100_000, 1, "a list in brackets"),
    ],
)
def test_what_is_refused(text: str, line: int, words: str) -> None:
    with pytest.raises(YamlError, match=words) as raised:
        read_yaml(text)
    assert raised.value.line == line


@given(st.text("- :#'\"[],ab1\n\t\\{", max_size=60))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    value: Any = None
    with contextlib.suppress(YamlError):
        value, _ = read_yaml(text)
    assert value is None or isinstance(value, dict | list)
