"""Which modules of the suite's current text need more than core 2.0, and why.

A feature of a later edition is recognised in the tokens of a command, which stand with one space
between them, so that no comment and no spelling matters. The assembler has no part in this.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from purewasm_plugins.wasm.text.script import Action, Command, ModuleSource

__all__ = ["Needs"]

_STRING = r'"(?:[^"\\]|\\.)*"'
_IDENTIFIER = r"(?:\$\S+ )?"
_EXPORTS = rf"(?:\( export {_STRING} \) )*"
_IMPORT = rf"(?:\( import {_STRING} {_STRING} \) )"
#: The beginning of a definition or import, after its keyword.
_BEGIN = rf"{_IDENTIFIER}{_EXPORTS}{_IMPORT}?"
#: What is before a constant expression.
_CONSTANT = rf"(?:\( global {_BEGIN}(?:\( mut \S+ \)|[a-z]\S+)|\( (?:offset|item|data|elem)) "

_MEMORY = re.compile(rf"(\( export {_STRING} |\( data {_IDENTIFIER})?\( memory ")
_GLOBAL = re.compile(rf"\( global ({_IDENTIFIER}){_EXPORTS}({_IMPORT})?")
_IMPORTED_GLOBAL = re.compile(rf"\( import {_STRING} {_STRING} \( global ({_IDENTIFIER})")
_GLOBAL_IN_CONSTANT = re.compile(rf"{_CONSTANT}\( global\.get (\S+) ")

_ARITHMETIC = re.compile(
    rf"{_CONSTANT}(?:[()] |i(?:32|64)\.const \S+ |global\.get \S+ )*i(?:32|64)\.(?:add|sub|mul)\b"
)
_TWO_MEMORIES = re.compile(r"\x00asm\x01\x00\x00\x00\x05.[\x02-\x7f]", re.DOTALL)


def _has(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.search(text) is not None


def _has_memories(text: str) -> bool:
    """Whether there are several memories, counting definitions and imports."""
    return sum(not match.group(1) for match in _MEMORY.finditer(text)) > 1


def _uses_own_global(text: str) -> bool:
    """Whether a constant expression has the value of a global that is not imported."""
    imported = [match.group(1).strip() for match in _IMPORTED_GLOBAL.finditer(text)]
    imported += [m.group(1).strip() for m in _GLOBAL.finditer(text) if m.group(2)]
    used = {match.group(1) for match in _GLOBAL_IN_CONSTANT.finditer(text)}
    return bool(used - {*imported, *map(str, range(len(imported)))})


#: By feature, whether the text of a command uses it. A module in the binary format stands there as
#: its bytes, in Latin 1.
FEATURES: dict[str, Callable[[str], bool]] = {
    "exception handling": _has(r"\( tag |\bthrow|\btry_table\b|\bexnref\b|assert_exception"),
    "tail calls": _has(r"\breturn_call"),
    "typed function references": _has(
        r"\( ref (?!null )|\( ref null (?!func|extern)|\bref\.null (?!func|extern)"
        r"|\bcall_ref\b|\bbr_on_(non_)?null\b|\bref\.as_non_null\b"
    ),
    "initial values of tables": _has(
        rf"\( table {_BEGIN}(?:i64 )?\d\S* (?:\d\S* )?(?:\w+|\( ref [^()]*\)) \("
        r"|\x40\x00[\x63\x64\x6f\x70]"
    ),
    "garbage collection": _has(
        r"\( (?:rec|sub|struct|array|type \S+ \( sub) |\b(?:any|eq|i31|struct|array|null)ref\b"
        r"|\b(?:struct|array|i31|any|extern)\.|\bref\.(?:test|cast|eq|i31)\b|\bbr_on_cast"
    ),
    "64-bit memories and tables": _has(rf"\( (?:memory|table) {_BEGIN}i64 |\x05\x03\x01[\x04\x05]"),
    "multiple memories": lambda text: _has_memories(text) or bool(_TWO_MEMORIES.search(text)),
    "extended constant expressions": lambda text: (
        bool(_ARITHMETIC.search(text)) or _uses_own_global(text)
    ),
    "relaxed vector instructions": _has(r"\.relaxed_"),
    # No edition demands that so large a table is possible.
    "a table of 2^32 - 1 elements": _has(r"\( module definition \( table 0xffff_ffff "),
}


@dataclass
class _Instance:
    """An instance, with the feature that it needs."""

    feature: str | None = None


class Needs:
    """Follows the commands of a script: which of them need a feature of a later edition.

    A command that uses a module which needs one needs it, too. So does one that uses what such a
    module would have changed: the modules from which it imports, if it has segments.
    """

    def __init__(self) -> None:
        #: By name; the last one is under None.
        self._instances: dict[str | None, _Instance] = {None: _Instance()}
        self._registered: dict[str | None, _Instance] = {}
        #: The features that the definitions need.
        self._definitions: dict[str | None, str | None] = {}

    def feature(self, command: Command, text: str) -> str | None:
        """The feature of a later edition that a command needs.

        Args:
            command: the command after those of the calls before.
            text: its tokens, with one space between them.
        """
        match command:
            case Command(kind="register"):
                instance = self._registered[command.name] = self._instances[command.of]
                return instance.feature
            case Command(kind="module instance"):
                found = self._definitions[command.of]
                self._instances[None] = self._instances[command.name] = _Instance(found)
                return found
            case Command(action=Action(module=name)):
                return _used(text) or self._instances[name].feature
            case Command(module=ModuleSource() as source):
                return self._module(command.kind, source, text)
        return _used(text)

    def _module(self, kind: str, source: ModuleSource, text: str) -> str | None:
        if source.kind == "binary":
            text += source.data().decode("latin-1")
        imported = [self._registered.get(name, _Instance()) for name in _IMPORT_FROM.findall(text)]
        found = _used(text) or next((one.feature for one in imported if one.feature), None)
        if kind == "module definition":
            self._definitions[None] = self._definitions[source.name] = found
        elif kind == "module":
            self._instances[None] = self._instances[source.name] = _Instance(found)
        if found is not None and _SEGMENT.search(text):
            for instance in imported:
                instance.feature = found
        return found


_IMPORT_FROM = re.compile(r'\( import "([^"]*)"')
_SEGMENT = re.compile(r"\( (?:data|elem) ")


def _used(text: str) -> str | None:
    return next((feature for feature, uses in FEATURES.items() if uses(text)), None)
