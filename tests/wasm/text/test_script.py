"""Reading of scripts."""

from __future__ import annotations

import pytest

from purewasm_plugins.errors import TextError
from purewasm_plugins.wasm.text.script import Action, Command, Constant, Either, Reference
from purewasm_plugins.wasm.text.script import read_script as read
from purewasm_plugins.wasm.types import ValType


def only(text: str) -> Command:
    """The one command of a script."""
    (command,) = read(text)
    return command


@pytest.mark.parametrize(
    "text",
    [
        "(module)",
        "(module $M (func))",
        '(module binary "\\00asm" "\\01\\00\\00\\00")',
        '(module quote "(func" ")")',
        "(module definition $M (func))",
        "(func) (memory 0)",
        '(assert_trap (module (func)) "unreachable")',
    ],
)
def test_modules(text: str) -> None:
    command = only(text)
    assert command.module is not None
    assert command.module.data().startswith(b"\0asm")
    assert command.module.name == ("M" if "$M" in text else None)


def test_lines_and_kinds() -> None:
    text = '(module)\n(register "a" $M)\r\n(module instance $I $M)\n\n'
    text += '(assert_exhaustion\n(get "x") "y")'
    commands = [*read(text)]
    assert [(c.line, c.kind) for c in commands] == [
        (1, "module"),
        (2, "register"),
        (3, "module instance"),
        (5, "assert_exhaustion"),
    ]
    assert (commands[1].name, commands[1].of) == ("a", "M")
    assert (commands[2].name, commands[2].of) == ("I", "M")
    assert commands[3].action == Action("get", None, "x")
    assert commands[3].text == "y"


def test_values() -> None:
    command = only(
        """(assert_return (invoke $M "f" (i32.const -1) (f32.const 1) (ref.null extern)
             (ref.extern 7) (v128.const i64x2 1 -1))
           (f32.const nan:canonical) (v128.const f32x4 0 nan:arithmetic 1 2) (ref.func) (ref.null)
           (either (i32.const 1) (i32.const 2)))"""
    )
    assert command.action == Action(
        "invoke",
        "M",
        "f",
        (
            Constant(ValType.I32, 32, (0xFFFF_FFFF,)),
            Constant(ValType.F32, 32, (0x3F80_0000,)),
            Reference("null"),
            Reference("extern", 7),
            Constant(ValType.V128, 64, (1, 0xFFFF_FFFF_FFFF_FFFF)),
        ),
    )
    one, two = (Constant(ValType.I32, 32, (number,)) for number in (1, 2))
    assert command.expected == (
        Constant(ValType.F32, 32, ("nan:canonical",)),
        Constant(ValType.V128, 32, (0, "nan:arithmetic", 0x3F80_0000, 0x4000_0000)),
        Reference("func"),
        Reference("null"),
        Either((one, two)),
    )


def test_no_module_is_assembled_before_its_data_is_asked_for() -> None:
    command = only('(assert_malformed (module (func nope)) "unknown operator")')
    assert command.module is not None
    with pytest.raises(TextError, match="unknown operator nope"):
        command.module.data()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("(modul)", "unknown operator modul; did you mean module?"),
        ('(assert_return (invoke "f") (i32.const))', "unexpected token ), expected an integer"),
        ('(assert_trap (call "f") "x")', "unexpected token (, expected (invoke or (get"),
        ("(register 1)", "unexpected token 1, expected a string"),
    ],
)
def test_a_command_that_cannot_be_read_is_one_command(text: str, fault: str) -> None:
    wrong, right = read(f"{text} (module)")
    assert right.kind == "module"
    assert (wrong.kind, wrong.text) == ("unreadable", fault)


@pytest.mark.parametrize("text", ["(module) (module", "(module))", "(module) x", "(module) é"])
def test_what_is_no_script(text: str) -> None:
    commands = read(text)
    assert next(commands).kind == "module"
    with pytest.raises(TextError):
        next(commands)
