"""The similar name and the list of names in the text of an error."""

from __future__ import annotations

import pytest

from purewasm_plugins.support.suggestions import listed, similar_name


@pytest.mark.parametrize(
    ("name", "known", "similar"),
    [
        ("json_prety", ["json_pretty", "json_summary"], "json_pretty"),
        ("JSON_Pretty", ["json_pretty"], "json_pretty"),
        ("upper", ["Uppercase", "UPPER"], "UPPER"),
        ("xyz", ["json_pretty"], None),
        ("", ["json_pretty"], None),
        ("json", [], None),
        ("a" * 101, ["a" * 100], None),
        ("a" * 100, ["a" * 101], None),
    ],
)
def test_similar_name(name: str, known: list[str], similar: str | None) -> None:
    assert similar_name(name, known) == similar


def test_listed() -> None:
    names = [str(number) for number in range(22)]
    assert listed(names[:2]) == "0, 1"
    assert listed(names[:20]).endswith("18, 19")
    assert listed(names).endswith("18, 19 and 2 more")
