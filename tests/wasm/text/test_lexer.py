"""Tokens: what is one, what is skipped, and where there is none."""

from __future__ import annotations

import pytest

from purewasm_plugins.errors import TextError
from purewasm_plugins.wasm.text.lexer import END, MAX_TEXT_SIZE, tokenize


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("", []),
        ("(a)", ["(", "a", ")"]),
        ("(func(nop))", ["(", "func", "(", "nop", ")", ")"]),
        ("a;;b\nc;;d\re", ["a", "c", "e"]),
        (";;", []),
        ("a(;b;)c", ["a", "c"]),
        ("(;(;;)(;x;);)a", ["a"]),
        ("(;;;)a", ["a"]),
        ('"a b" "\\"" $x $"y z"', ['"a b"', '"\\""', "$x", '$"y z"']),
        ('a"b" "c"d "e""f" $x"y"', [' a"b"', ' "c"d', ' "e""f"', ' $x"y"']),
        ("a,b", ["a", " ,", "b"]),
        ('(@x) a (@x (b) ; ) " (;) c', ["a"]),
        ('(@a (@b "(" ) (;)(;;);) [}, 0x) c', ["c"]),
        ('(@"a b" x)c', ["c"]),
    ],
)
def test_tokens(source: str, texts: list[str]) -> None:
    tokens = tokenize(source)
    found = tokens.texts[: tokens.texts.index(END)]
    assert found[: len(texts)] == texts
    assert all(
        source.startswith(text.lstrip(), start)
        for text, start in zip(tokens.texts, tokens.starts, strict=True)
    )


def test_parentheses_know_their_other_half() -> None:
    tokens = tokenize("(a (b) (c (d)))")
    pairs = {at: tokens.closing[at] for at, text in enumerate(tokens.texts) if text == "("}
    assert pairs == {0: 11, 2: 4, 5: 10, 7: 9}


@pytest.mark.parametrize(
    ("source", "fault", "column"),
    [
        ("a é", "illegal character 'é'", 3),
        ("a \x00", "illegal character '\\x00'", 3),
        ('a "b', "unclosed string", 3),
        ('"\n"', "unclosed string", 1),
        ("a (; (; ;)", "unclosed comment", 3),
        ("a (@b (c)", "unclosed annotation", 3),
        ("(@ x)", "empty annotation id", 1),
        ('(@"")', "empty annotation id", 1),
        ('(@"\\ff")', "malformed UTF-8 encoding", 1),
        ("$ x", "empty identifier", 1),
        ('$"" x', "empty identifier", 1),
        ("(a (b)", "unexpected end: this parenthesis is not closed", 1),
        ("(((", "unexpected end: this parenthesis is not closed", 3),
    ],
)
def test_faults(source: str, fault: str, column: int) -> None:
    tokens = tokenize(source)
    assert tokens.fault == fault
    error = tokens.error(len(tokens.texts) - 1, "unexpected token")
    assert (error.message, error.line, error.column) == (
        fault,
        *((1, column)),
    )


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_lines_and_columns(end: str) -> None:
    tokens = tokenize(f"a{end}{end}\tb c{end}d")
    error = tokens.error(2, "wrong")
    assert (error.line, error.column) == (3, 4)
    assert error.excerpt == (" b c", "   ^")
    assert str(error) == "wrong (line 3, column 4)"
    assert [tokens.line(at) for at in range(5)] == [1, 3, 3, 4, 4]


def test_a_part_of_a_long_line_is_shown() -> None:
    tokens = tokenize("x " * 5000 + "y" + " x" * 5000)
    line, caret = tokens.error(5000, "wrong").excerpt
    assert len(line) < 200
    assert line[caret.index("^")] == "y"


def test_a_line_is_shown_without_control_characters() -> None:
    line, _ = tokenize("a ;; \x1b[2J").error(0, "wrong").excerpt
    assert "\x1b" not in line


def test_lone_surrogates() -> None:
    with pytest.raises(TextError, match="malformed UTF-8"):
        tokenize("(module) ;; \ud800")


def test_too_long() -> None:
    with pytest.raises(TextError, match="text longer than"):
        tokenize(" " * (MAX_TEXT_SIZE + 1))
