"""Suggestions for a name that does not exist."""

from __future__ import annotations

import time

import pytest

from purewasm_plugins.support.suggestions import close_names, did_you_mean, listed


@pytest.mark.parametrize(
    ("wanted", "known", "found"),
    [
        ("json_prety", ["json_pretty", "json_compact", "sha256"], ["json_pretty"]),
        ("Echo", ["echo"], ["echo"]),
        ("ECHO", ["echo", "Echo"], ["echo"]),
        ("shout_d", ["shout_c", "shout_b", "shout_a", "shout_e"], ["shout_e", "shout_c"]),
        ("nothing", ["echo"], []),
        ("", ["echo", ""], []),
        ("x", [], []),
        ("x" * 65, ["x" * 64], []),
        ("x" * 64, ["x" * 65], []),
    ],
)
def test_close_names(wanted: str, known: list[str], found: list[str]) -> None:
    assert close_names(wanted, known)[:2] == found


def test_the_words() -> None:
    assert did_you_mean("ehco", ["echo"]) == "; did you mean 'echo'?"
    assert did_you_mean("shout", ["shout_c", "shouts"]) == "; did you mean 'shouts' or 'shout_c'?"
    assert did_you_mean("shout", ["sha256"]) == ""


def test_a_list_of_names_is_bounded() -> None:
    names = [str(number) for number in range(22)]
    assert listed(names[:2]) == "0, 1"
    assert listed(names[:20]).endswith("18, 19")
    assert listed(names).endswith("18, 19 and 2 more")


def test_a_million_long_names_take_no_time() -> None:
    started = time.monotonic()
    close_names("y" + "x" * 60, (f"{n:064}" for n in range(1_000_000)))
    assert time.monotonic() - started < 5
