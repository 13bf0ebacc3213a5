"""Expressions: their syntax and values, the syntax that they refuse, and their limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from purewasm_plugins.debugger.errors import ExpressionError
from purewasm_plugins.debugger.expressions import Expression
from tests.debugger.programs import FACTORIALS, start


@dataclass
class Values:
    """A scope made of values."""

    local: dict[int | str, Any]
    stack: list[Any]
    global_: dict[int | str, Any]
    memory: bytearray

    def function(self, name: str) -> str | None:
        return "a function" if name == "f" else None


SCOPE = Values(
    {0: 7, "n": 7, 1: -1, "p": -65535},
    [1, 2, 3],
    {0: 1.5, "g": 1.5},
    bytearray(bytes(range(16)) + b"text\0" + bytes(65536)),
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("local.n + local[0] * 2 - 1", 20),
        ('local["n"] if stack else 0', 7),
        ("stack[-1] == 3 and len(stack) == 3", True),
        ("1 < stack[1] <= 2 or False", True),
        ("global_.g / 3", 0.5),
        ("memory[3] | memory[4] << 8", 0x403),
        ("memory[1:4]", b"\1\2\3"),
        ("memory[16:20] == b'text'", True),
        ("u16(1)", 0x201),
        ("i32(local[0])", 0x0A090807),
        ("string(16)", "text"),
        ("'ex' in string(16)", True),
        ("not -local.n", False),
        ("~0 & 0xff", 255),
        ("min(stack), max(stack)", (1, 3)),
        ("hex(abs(local[1]))", "0x1"),
        ("local.n in (1, 7)", True),
        ("$n + 1", 8),
        ("$1", -1),
        ("$g", 1.5),
        ("$f", "a function"),
        ("'$n' in '$n'", True),
        ('$"n" == $n', True),
        ("len(memory), 't' in string(16), b'ext' in memory", (65557, True, True)),
    ],
)
def test_expressions(expression: str, value: object) -> None:
    assert Expression(expression).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1 +",
        "x",
        "__import__('os')",
        "().__class__",
        "local.__class__",
        "memory.__len__",
        "local.n.real",
        "stack.append(1)",
        "[x for x in stack]",
        "lambda: 1",
        "(a := 1)",
        "2 ** 2",
        "f'{local}'",
        "'a' * 10**9",
        "'%1000000000d' % 1",
        "memory + memory",
        "b'' + memory",
        "1 << 10**9",
        "memory[0:1 << 30]",
        "memory[1 << 40]",
        "local[9]",
        "stack[9]",
        "1 / 0",
        "1 % 0",
        "len(1)",
        "i32",
        "i32()",
        "len(stack, key=1)",
        "string(1 << 31)",
        "1; 2",
        "a" * 2000,
        "(" * 500 + ")" * 500,
        "stack.x",
        "$missing",
        "$7",
        "$",
        "$n.real()",
        "$n $n",
        "len(*stack)",
        "{1: 2}",
        "await x",
        "\0",
        "global_.missing",
        "1 << 4000 << 4000",
        "(1 << 4000) * (1 << 100)",
        "*".join(["0xffffffffff"] * 70) + " * " + "*".join(["local[0]"] * 10) + " << 4000",
        "-" * 990 + "1",
        "[" * 300 + "]" * 300,
        "not " * 240 + "1",
        "+".join(["1"] * 400),
    ],
)
def test_what_no_expression_can_do(expression: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(expression).evaluate(SCOPE)


#: A large memory: an expression could be at it for minutes, and is evaluated often.
LARGE = Values({0: 7}, [*range(30_000)], {}, bytearray(256 << 20))


@pytest.mark.parametrize(
    "expression",
    [
        "memory",
        "max(memory)",
        "min(memory, memory)",
        "memory == memory",
        "memory in [memory]",
        "b'x' in memory",
        "[" + ", ".join(["memory"] * 90) + "]",
        "+".join(["memory[0:1 << 20]"] * 50),
        "+".join(["string(0)"] * 90),
        "max(stack) + min(stack)",
        "stack[0:] == stack[0:]",
    ],
)
def test_an_expression_has_a_limit(expression: str) -> None:
    LARGE.memory[: 1 << 20] = b"\xff" * ((1 << 20) - 1) + b"\0"
    with pytest.raises(ExpressionError, match="more than 50000 units of work") as raised:
        Expression(expression).evaluate(LARGE)
    assert raised.value.expression == expression
    for small in (
        "len(memory)",
        "memory[0:1 << 20] == b'x'",
        "max(memory[0:20_000])",
        "len(stack)",
    ):
        Expression(small).evaluate(LARGE)


def test_memory_as_a_value_is_a_copy() -> None:
    whole, (inside,) = Expression("memory, (memory,)").evaluate(SCOPE)
    assert whole == inside == SCOPE.memory
    assert isinstance(whole, bytes)
    assert isinstance(inside, bytes)


def test_a_dollar_name_in_a_session() -> None:
    session = start(FACTORIALS, "all", 4)
    session.stops.add_breakpoint("factorial", condition="$n == 2 and $calls > 4")
    session.resume()
    view = session.view
    assert (view.evaluate("$n"), view.evaluate("$0"), view.evaluate("$calls + 1")) == (2, 2, 8)
    assert view.evaluate("$all").index == 1
    assert view.evaluate('$"factorial" == $factorial')
    with pytest.raises(ExpressionError, match=r"called \$m; the locals are: \$n"):
        view.evaluate("$m")
