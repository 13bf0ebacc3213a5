"""Regular expressions in linear time: they match like those of Python, and end."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from purewasm_plugins.tools.schema.patterns import MAX_GROUPS, MAX_PROGRAM, Pattern, Transitions


def matches(pattern: str, text: str) -> bool:
    return Pattern(pattern).search(text, lambda work: None, Transitions())


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("", ["", "x"], []),
        ("^$", [""], ["x", "\n"]),
        ("a", ["a", "bab"], ["", "b"]),
        ("^a|b$", ["ax", "xb"], ["xax"]),
        ("^(?:ab|c)+$", ["ab", "cab"], ["", "abb"]),
        ("^(?<year>[0-9]{4})-[0-9]{2}$", ["2024-01"], ["2024-1", "x2024-01"]),
        (r"^\d{2,}$", ["12", "1234"], ["1", "a1", "\u0661\u0662"]),
        (r"^\w+(\.\w+)*@\w+\.[a-z]{2,3}$", ["a.b@c.de"], ["a.b@c.d", "@c.de", "a..b@c.de"]),
        (r"^[^\s/]+$", ["ab"], ["a b", "a/b", "a\u00a0b"]),
        (r"^[\w.-]+$", ["a.b-c"], ["a b"]),
        (r"^[-a]+[a-]$", ["--", "a-"], ["b"]),
        (r"^[\D]$", ["x"], ["1"]),
        (r"\bcat\b", ["cat", "a cat!"], ["concat", "cats"]),
        (r"\Bcat", ["concat"], ["cat"]),
        (r"^.$", ["x", "\U0001f388"], ["\n", "xy"]),
        (r"^a{,2}$", ["a{,2}"], ["aa"]),
        (r"^{x}$", ["{x}"], ["x"]),
        (r"^\x41\u0042\u{43}\t\/\$$", ["ABC\t/$"], ["ABC"]),
        (r"^a+?b*?c??$", ["ab", "aabbc"], ["b"]),
        (r"^[]$", [], ["", "]"]),
        (r"^[^]$", ["\n"], [""]),
        (r"^(a?)*(b?){3}$", ["", "aaabbb"], ["bbbb"]),
        (r"^a(b|c){0}d{0,2}(e|f|gh|){2,3}$", ["a", "addghe", "afef"], ["ab", "addd", "aghghghgh"]),
        (r"\Aa\Z", ["a"], ["a\n"]),
    ],
)
def test_matching(pattern: str, fitting: list[str], others: list[str]) -> None:
    compiled = Pattern(pattern)
    for text in (*fitting, *others):
        assert compiled.search(text, lambda work: None, Transitions()) is (text in fitting), text


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "unbalanced"),
        ("a)", "unbalanced"),
        ("[a", "too early"),
        ("a\\", "too early"),
        ("*a", "nothing to repeat"),
        ("a|*", "nothing to repeat"),
        ("a**", "repetition of a repetition"),
        ("a*+", "repetition of a repetition"),
        ("a{2}{3}", "repetition of a repetition"),
        ("a{3,2}", "minimum is larger"),
        ("[b-a]", "bad range"),
        (r"[a-\d]", "bad range"),
        (r"(a)\1", "not supported"),
        (r"\p{L}", "not supported"),
        ("(?=a)", "lookahead, lookbehind"),
        ("(?!a)", "lookahead, lookbehind"),
        ("(?<=a)", "lookahead, lookbehind"),
        ("(?i)a", "flags"),
        ("(?P=a)", "lookahead, lookbehind"),
        ("a{5001}", "too large"),
        ("((a{100}){100}){100}", "too large"),
        ("a" * 1_000_000, "too large"),
        ("|" * 1_000_000, "too large"),
        ("(a{4999}){0}" * 80_000, "too large"),
        ("(a{0,2499}){0}" * 70_000, "too large"),
        (f"({'a|' * 2_000}){{0}}" * 200, "too large"),
        ("(" * 1_000_000, "nested groups"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_none(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        Pattern(pattern)
    assert len(str(raised.value)) < 300


def test_groups_in_each_other() -> None:
    assert matches("(" * MAX_GROUPS + "a" + ")" * MAX_GROUPS, "a")


atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\W", "1", " "])
quantifiers = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"])
expressions = st.recursive(
    st.one_of(st.just(r"\b"), st.builds(str.__add__, atoms, quantifiers)),
    lambda inner: st.one_of(
        st.builds(str.__add__, inner, inner),
        st.builds("{}|{}".format, inner, inner),
        st.builds("(?:{}){}".format, inner, quantifiers),
        st.builds("(?:^{})|{}$".format, inner, inner),
    ),
    max_leaves=6,
)


@given(expressions, st.text("ab1 \n-", max_size=8))
@example("(?:a|b)*a", "bbba")
def test_they_match_what_those_of_python_match(pattern: str, text: str) -> None:
    theirs = re.compile(pattern.replace("$", r"\Z"), re.ASCII)
    assert matches(pattern, text) is (theirs.search(text) is not None)


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "a*a*a*a*a*b", r"(\w+\s?)*$!", "^(a?){500}$"]
)
def test_the_work_grows_with_the_text_only(pattern: str) -> None:
    """An expression that takes Python's `re` exponential time."""
    spent: list[int] = []
    compiled = Pattern(pattern)
    assert not compiled.search("a" * 10_000 + "!", spent.append, Transitions())
    assert sum(spent) < 10_000 + 1_000 * MAX_PROGRAM
