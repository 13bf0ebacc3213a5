"""Reading of scripts: the commands of the specification's test suite, as in its `.wast` files.

A script is modules, calls of their exports, and assertions about both. Reading runs nothing, and
assembles no module before `ModuleSource.data` is called: an assertion may be that it is no module.
"""

from __future__ import annotations

from purewasm_plugins.errors import TextError
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Callable, Iterator
from purewasm_plugins.wasm.text.assembler import FIELD_KEYWORDS, assemble, assemble_fields
from purewasm_plugins.wasm.text.immediates import SHAPES
from purewasm_plugins.wasm.text.lexer import END, Tokens, tokenize
from purewasm_plugins.wasm.text.reader import Reader
from purewasm_plugins.wasm.types import ValType

__all__ = ["Action", "Command", "Constant", "Either", "ModuleSource", "Reference", "read_script"]


class Constant(Record):
    """A number or a vector, as an argument or as an expected result.

    Attributes:
        type: its type.
        bits: the bits of each lane; a number has one lane.
        lanes: the bits of each lane as an int, or for an expected result the name of the NaNs that
            it may be: "nan:canonical" or "nan:arithmetic".
    """

    type: ValType
    bits: int
    lanes: tuple[int | str, ...]


class Reference(Record):
    """A reference, as an argument or as an expected result.

    Attributes:
        kind: "null", "func", "extern", "host", or another heap type.
        number: identifies an object of the host; None for any reference of that kind.
    """

    kind: str
    number: int | None = None


class Either(Record):
    """An expected result that may be one of several."""

    alternatives: tuple[Constant | Reference | Either, ...]


Value = Constant | Reference | Either


class Action(Record):
    """The use of an export.

    Attributes:
        kind: "invoke" or "get".
        module: the name of the module; None for the last one.
        field: the name of the export.
        arguments: the arguments of a call.
    """

    kind: str
    module: str | None
    field: str
    arguments: tuple[Value, ...] = ()


class ModuleSource(Record):
    """A module in a script.

    Attributes:
        name: its name, without the dollar sign.
        kind: "text", "binary" or "quote", as it is written.
        data: returns the bytes of the module, or raises `TextError`.
    """

    name: str | None
    kind: str
    data: Callable[[], bytes]


class Command(Record):
    """A command of a script.

    Attributes:
        kind: its keyword; "module definition" and "module instance" for these forms of `module`,
            and "unreadable" for what is no command.
        line: its line in the text, from 1 on.
        module: the module that it has.
        action: the action that it has.
        expected: the results that it expects.
        text: the text that an assertion expects, or the fault of a command that is unreadable.
        name: the name that `register` gives a module, or that `module instance` gives an instance.
        of: the name of the module that these take; None for the last one.
    """

    kind: str
    line: int
    module: ModuleSource | None = None
    action: Action | None = None
    expected: tuple[Value, ...] = ()
    text: str = ""
    name: str | None = None
    of: str | None = None


def read_script(text: str) -> Iterator[Command]:
    """Read the commands of a script, one at a time.

    A text without commands that has the fields of a module is one module.

    Raises:
        TextError: the text has characters or parentheses that no script has.
    """
    tokens = tokenize(text)
    reader = Reader(tokens)
    texts = reader.texts
    if texts[0] == "(" and texts[1] in FIELD_KEYWORDS:
        yield Command("module", 1, ModuleSource(None, "text", lambda: assemble(text)))
        return
    while texts[reader.at] == "(":
        start = reader.at
        end = tokens.closing[start]
        if texts[end] is END:
            break
        yield _command(tokens, start)
        reader.at = end + 1
    if texts[reader.at] is not END or tokens.fault is not None:
        if texts[reader.at] == "(":
            reader.at = len(texts) - 1
        reader.unexpected("a command")


def _command(tokens: Tokens, start: int) -> Command:
    reader = Reader(tokens, start + 1)
    keyword = reader.texts[reader.at]
    line = tokens.line(start)
    try:
        read = _COMMANDS.get(keyword)
        if read is None:
            reader.unexpected("a command")
        reader.at += 1
        command = read(reader, keyword, line)
        reader.expect(")")
    except TextError as error:
        return Command("unreadable", error.line, text=error.message)
    return command


# Modules


def _module(reader: Reader, keyword: str, line: int) -> Command:
    end = reader.closing[reader.at - 2]
    form = reader.texts[reader.at]
    if form == "instance":
        reader.at += 1
        name, of = reader.identifier(), reader.identifier()
        return Command("module instance", line, name=name, of=of)
    if form == "definition":
        reader.at += 1
        keyword = "module definition"
    return Command(keyword, line, _source(reader, end))


def _source(reader: Reader, end: int) -> ModuleSource:
    """Read a module after its keyword, up to the parenthesis that closes it."""
    name = reader.identifier()
    kind = reader.texts[reader.at]
    if kind not in ("binary", "quote"):
        tokens, first = reader.tokens, reader.at
        reader.at = end

        def assembled() -> bytes:
            inner = Reader(tokens, first)
            data = assemble_fields(inner, name)
            if inner.at != end:
                inner.unexpected("a field of a module")
            return data

        return ModuleSource(name, "text", assembled)
    reader.at += 1
    parts = []
    while reader.is_string():
        parts.append(reader.string())
    if kind == "binary":
        data = b"".join(parts)
        return ModuleSource(name, kind, lambda: data)
    # A token does not go on in the next string.
    text = b" ".join(parts)
    return ModuleSource(name, kind, lambda: assemble(text))


def _module_after(reader: Reader) -> ModuleSource:
    """Read a module with its parentheses."""
    end = reader.closing[reader.at]
    if not reader.open("module"):
        reader.unexpected("(module")
    source = _source(reader, end)
    reader.expect(")")
    return source


def _register(reader: Reader, keyword: str, line: int) -> Command:
    return Command(keyword, line, name=reader.name(), of=reader.identifier())


# Actions


def _action(reader: Reader, keyword: str) -> Action:
    module, field = reader.identifier(), reader.name()
    arguments = tuple(_values(reader)) if keyword == "invoke" else ()
    return Action(keyword, module, field, arguments)


def _action_after(reader: Reader) -> Action:
    """Read an action with its parentheses."""
    if not (reader.opens("invoke") or reader.opens("get")):
        reader.unexpected("(invoke or (get")
    keyword = reader.texts[reader.at + 1]
    reader.at += 2
    action = _action(reader, keyword)
    reader.expect(")")
    return action


def _plain_action(reader: Reader, keyword: str, line: int) -> Command:
    return Command(keyword, line, action=_action(reader, keyword))


# Assertions


def _assert_return(reader: Reader, keyword: str, line: int) -> Command:
    return Command(keyword, line, action=_action_after(reader), expected=tuple(_values(reader)))


def _assert_of_action(reader: Reader, keyword: str, line: int) -> Command:
    if reader.opens("module"):
        return _assert_of_module(reader, "assert_uninstantiable", line)
    action = _action_after(reader)
    return Command(keyword, line, action=action, text=reader.name() if reader.is_string() else "")


def _assert_of_module(reader: Reader, keyword: str, line: int) -> Command:
    return Command(keyword, line, _module_after(reader), text=reader.name())


# Values

_NUMBERS = {
    "i32.const": (ValType.I32, 32, Reader.integer),
    "i64.const": (ValType.I64, 64, Reader.integer),
    "f32.const": (ValType.F32, 32, Reader.float_bits),
    "f64.const": (ValType.F64, 64, Reader.float_bits),
}


def _values(reader: Reader) -> Iterator[Value]:
    while reader.texts[reader.at] == "(":
        reader.at += 1
        yield _value(reader)
        reader.expect(")")


def _value(reader: Reader) -> Value:
    """Read a value after its parenthesis."""
    word = reader.texts[reader.at]
    reader.at += 1
    if word in _NUMBERS:
        type_, bits, read = _NUMBERS[word]
        return Constant(type_, bits, (_lane(reader, bits, read),))
    if word == "v128.const":
        shape = SHAPES.get(reader.texts[reader.at])
        if shape is None:
            reader.unexpected("a shape")
        reader.at += 1
        count, bits, read_lane = shape
        lanes = tuple([_lane(reader, bits, read_lane) for _ in range(count)])
        return Constant(ValType.V128, bits, lanes)
    if word == "either":
        # It cannot contain others.
        alternatives = []
        while reader.texts[reader.at] == "(" and not reader.opens("either"):
            reader.at += 1
            alternatives.append(_value(reader))
            reader.expect(")")
        return Either(tuple(alternatives))
    if not word.startswith("ref."):
        reader.unexpected("a value", reader.at - 1)
    if word == "ref.null" and not reader.closes():
        reader.at += 1
    return Reference(word[4:], None if reader.closes() else reader.unsigned())


def _lane(reader: Reader, bits: int, read: Callable[[Reader, int], int]) -> int | str:
    word = reader.texts[reader.at]
    if word in ("nan:canonical", "nan:arithmetic") and read is Reader.float_bits:
        reader.at += 1
        return word
    return read(reader, bits) & (1 << bits) - 1


_COMMANDS: dict[str, Callable[[Reader, str, int], Command]] = {
    "module": _module,
    "register": _register,
    "invoke": _plain_action,
    "get": _plain_action,
    "assert_return": _assert_return,
    "assert_trap": _assert_of_action,
    "assert_exhaustion": _assert_of_action,
    "assert_exception": _assert_of_action,
    "assert_malformed": _assert_of_module,
    "assert_invalid": _assert_of_module,
    "assert_unlinkable": _assert_of_module,
    "assert_uninstantiable": _assert_of_module,
}
