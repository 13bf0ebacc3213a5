"""Assembling: the same bytes as wasm-tools makes, and refusals that say where and why."""

from __future__ import annotations

import contextlib
import subprocess
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from purewasm_plugins.errors import PureWasmError, TextError
from purewasm_plugins.wasm import Module, decode, limits, load
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC
from purewasm_plugins.wasm.symbols.names import read_names
from purewasm_plugins.wasm.text.assembler import assemble
from tests.conftest import ROOT

TEXTS = sorted((ROOT / "fixtures").rglob("*.wat"))
#: Modules with every form of the fields and of the instructions.
FORMS = {
    "no parentheses around the fields": '(func) (memory 0) (func (export "f"))',
    "identifiers": """(module $M
        (func $f (param $a i32) (local i32 i32) (local $z i64) block $l end $l loop $l end)
        (func $"a b" call $f call $"a b" i32.const 0 call $"\\66")
        (type $t (func)) (table $t 0 funcref) (memory $m 0) (global $g i32 (i32.const 0))
        (elem $e func $f) (data $d "x"))""",
    "types": """(module
        (func (result f64) f64.const 0)
        (type $t (func (param $x i32) (param i64 f32) (result i32 i32)))
        (type (func (param $x i32) (param $x i32)))
        (func (type $t) (param $p i32) (param i64 f32) (result i32) (result i32) unreachable)
        (func (type 0) (local $y i32) local.get $y unreachable)
        (func (param i32) (result f64) (block (param i32) (drop)) (f64.const 0))
        (func (call_indirect (type $t) (unreachable)) call_indirect 0 (param i32)
              call_indirect (unreachable)) (table 0 funcref))""",
    "imports": """(module
        (import "a" "f" (func $f (param $x i32) (result i32)))
        (func $g (export "x") (export "y") (import "a" "g") (param i32))
        (import "a" "t" (table $t 1 2 funcref)) (table (import "a" "u") 3 externref)
        (import "a" "m" (memory $m 1 2))
        (import "a" "v" (global $v (mut f32))) (global (export "w") (import "a" "w") v128)
        (export "t" (table $t)) (export "m" (memory 0)) (export "v" (global $v))
        (start $g))""",
    "segments": """(module
        (table $a (export "a") funcref (elem $f 0 $f))
        (table externref (elem (ref.null extern) (item ref.null extern)))
        (table (export "b") funcref (elem (ref.func $f)))
        (memory (export "m") (data "a" "\\00\\ff" ""))
        (func $f)
        (elem (i32.const 0) $f 0)
        (elem (offset i32.const 0) func $f)
        (elem (table $a) (i32.const 0) func)
        (elem $x (table 2) (offset (i32.const 0)) funcref (ref.func 0) (item (ref.null func)))
        (elem (i32.const 0) funcref (ref.func $f))
        (elem declare func $f) (elem declare externref (ref.null extern))
        (elem func 0) (elem funcref) (elem (ref null func)) (elem $y (ref null extern))
        (table externref (elem $f 0))
        (data (i32.const 0) "b") (data $d "c" "d") (data (memory 0) (offset (i32.const 0)))
        (func memory.init $d data.drop 1 table.init $x table.init $a $x elem.drop $x))""",
    "folded": """(module (memory 1) (func (param i32) (result i32)
        (if (local.get 0) (then nop (nop)) (else (nop) nop))
        (if $l (local.get 0) (then (br $l)))
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1)) (else (i32.const 2)))
        (i32.store offset=4 align=2 (i32.const 0))
        (block $a (loop $b (br_table $a $b 0 1 (local.get 0))))
        (select (i32.const 1) (i32.const 2) (i32.const 3))
        (select (result i32) (i32.const 1) (i32.const 2) (i32.const 3)) drop
        (i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.const 3)))
        return))""",
    "types that are implied": """(module
        (func (if (param i32) (block (result i32 i32)) (then (call_indirect (param f32)
            (block (param f64))))) (loop (param i64) (block (result f32 f32)))
            (call_indirect (result i64 i64) (if (result f64 f64) (then (block (param v128)))))
            block (param i32 i32) end) (table 0 funcref)
        (func (param v128 v128)) (type (func (result f64 f64))))""",
    "flat": """(module (func (param i32)
        local.get 0 if $x (result i32) i32.const 1 else $x i32.const 2 end $x drop
        local.get 0 if else end local.get 0 if end
        block $a (nop) block $a br $a end br $a end
        (block loop nop end)))""",
    "numbers": """(module (func
        (i32.const 0xffff_ffff) (i64.const -0x8000000000000000) (f32.const 0x1.8p-3)
        (f64.const -nan:0x123) (f32.const 16777217.0000000000000000001) (f64.const 1_0.5e-1)
        (v128.const i8x16 -1 255 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
        (v128.const i16x8 0 1 2 3 4 5 6 0xffff) (v128.const i32x4 1 2 3 4)
        (v128.const i64x2 -1 1) (v128.const f32x4 nan inf -0 1.5)
        (v128.const f64x2 0x1p1 -nan)))""",
    "vectors": """(module (memory 1) (func (param v128)
        (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31 (local.get 0) (local.get 0))
        (i8x16.replace_lane 15 (local.get 0) (i32.const 1)) (v128.load8_lane 3 (i32.const 0))
        (v128.load16_lane offset=1 align=1 7 (i32.const 0)) (v128.store align=1)))""",
    "tables and memories": """(module (table $t 1 funcref) (table $u 1 funcref) (memory 1) (func
        table.get table.get $u table.set 1 table.copy table.copy $t $u table.size $u table.fill 0
        table.grow memory.size memory.grow memory.fill memory.copy ref.null func ref.null extern
        ref.func 0 ref.is_null))""",
    "annotations and comments": """((@a (b)) module (; (; ;) ;) (func ;; x
        (@x "y") nop))""",
}


def wasm_tools(text: str, folder: Path) -> bytes:
    """The module that wasm-tools makes of a text."""
    source, result = folder / "in.wat", folder / "out.wasm"
    source.write_text(text, "utf-8")
    program = Path(sysconfig.get_path("scripts")) / "wasm-tools"
    subprocess.run([program, "parse", source, "-o", result], check=True)
    return result.read_bytes()


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_forms(text: str, tmp_path: Path) -> None:
    """But for the name section, in which wasm-tools gives locals the names in their type."""
    data = assemble(text)
    assert assemble(text.encode()) == data
    assert sections(decode(data)) == sections(decode(wasm_tools(text, tmp_path)))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_fixtures(path: Path) -> None:
    """Their binary was made of the text by another assembler, without names."""
    decoded = decode(assemble(path.read_text("utf-8")))
    assert sections(decoded) == sections(decode(path.with_suffix(".wasm").read_bytes()))


def sections(module: Module) -> list[tuple[str, bytes]]:
    """The sections of a module, without custom ones."""
    return [
        (section.name, module.data[slice(*section.content)])
        for section in module.sections
        if section.name != "custom"
    ]


#: A text, and the error: its message, and its place.
REFUSED = {
    "(module\n  (func $f (local $xs i32)\n    local.get $x))": (
        "unknown local $x; did you mean $xs?",
        (3, 15),
    ),
    "(func (drop (i32.addd (i32.const 1))))": (
        "unknown operator i32.addd; did you mean i32.add?",
        (1, 14),
    ),
    "(func get_local 0)": ("unknown operator get_local; did you mean local.get?", (1, 7)),
    "(func return_call 0)": ("unknown operator return_call: tail calls are not supported", (1, 7)),
    "(table 1 anyfunc)": ("unknown operator anyfunc; did you mean funcref?", (1, 10)),
    "(tag)": ("unknown operator tag: exception handling is not supported", (1, 2)),
    "(func (param anyref))": (
        "unknown operator anyref: garbage collection is not supported",
        (1, 14),
    ),
    "(memory i64 1)": ("unexpected token i64: memory64 is not supported", (1, 9)),
    "(func call $main)": ("unknown function $main", (1, 12)),
    "(func block $out br $ot end)": ("unknown label $ot; did you mean $out?", (1, 21)),
    "(func block $a end $b)": ("mismatching label $b: that of the block is $a", (1, 20)),
    "(func block end $b)": ("mismatching label $b: that of the block is none", (1, 17)),
    "(func $f) (func $f)": ("duplicate func $f", (1, 17)),
    "(func (param $a i32) (local $a i32))": ("duplicate local $a", (1, 29)),
    "(module (func)": ("unexpected end: this parenthesis is not closed", (1, 1)),
    "(func block)": ("unexpected token ), expected end", (1, 12)),
    "(func end)": ("unexpected token end", (1, 7)),
    "(func else)": ("unexpected token else", (1, 7)),
    "(func (if (i32.const 0)))": ("unexpected token ), expected (then", (1, 24)),
    "(func (i32.add i32.const 1))": ("unexpected token i32.const, expected a parenthesis", (1, 16)),
    "(module) (module)": ("unexpected token (, expected the end of the text", (1, 10)),
    "(module))": ("unexpected token ), expected the end of the text", (1, 9)),
    "(func) x": ("unknown operator x, expected a field of a module", (1, 8)),
    '(func) (memory 1) (import "a" "b" (func))': (
        "import after function: imports come first",
        (1, 20),
    ),
    "(func i32.const 4294967296)": ("constant out of range", (1, 17)),
    "(func i32.const 1.5)": ("unexpected token 1.5, expected an integer", (1, 17)),
    "(memory 1) (func i32.const 0 i32.load align=3)": (
        "alignment must be a power of two",
        (1, 39),
    ),
    "(memory 1) (func i32.load offset=0x1_0000_0000)": ("offset out of range", (1, 27)),
    "(func $f) (start $f) (start $f)": ("multiple start sections", (1, 23)),
    '(import "a" "b" (fun))': ("unknown operator fun; did you mean func?", (1, 18)),
    "(type $t (func (param i32))) (func (type $t) (result i32))": (
        "inline function type () -> (i32) differs from type 0: (i32) -> ()",
        (1, 46),
    ),
    "(func (type 3) (param i32))": ("unknown type 3", (1, 13)),
    "(func (type 1) (local $x i32) (local.set $x)) (func (param i32))": ("unknown type 1", (1, 13)),
    "(func é)": ("illegal character 'é'", (1, 7)),
    '(data "\\zz")': ("illegal escape in a string", (1, 7)),
    '(export "\\ff" (func 0))': ("malformed UTF-8 encoding", (1, 9)),
    "(table 0 funcref) (elem (table 0) (i32.const 0))": (
        "unexpected token ), expected func or a reference type",
        (1, 48),
    ),
    '(func) (@a (b "\\c"))': ("illegal escape in a string", (1, 15)),
    '(func) (@"a\\q")': ("illegal escape in a string", (1, 8)),
    '(func) (@"a"b)': ("malformed annotation id", (1, 8)),
    "(func (v128.const i8x16 1 2))": ("wrong number of lane literals: i8x16 has 16", (1, 25)),
    "": None,
}


@pytest.mark.parametrize("text", REFUSED)
def test_errors(text: str) -> None:
    expected = REFUSED[text]
    if expected is None:
        assert assemble(text) == assemble("(module)")
        return
    with pytest.raises(TextError) as refused:
        assemble(text)
    error = refused.value
    assert (error.message, (error.line, error.column)) == expected


def test_text_that_is_not_utf8() -> None:
    with pytest.raises(TextError) as refused:
        assemble(b"(module)\n;; \xff")
    assert (refused.value.line, refused.value.column) == (2, 4)
    assert refused.value.message == "malformed UTF-8 encoding"


@pytest.mark.parametrize(
    "text",
    ["(func {})", "(func ${0}) (func ${0})", "(call ${})", '"{0}""{0}"', "(func block end ${})"],
)
def test_messages_are_short(text: str) -> None:
    with pytest.raises(TextError) as refused:
        assemble(text.format("x" * 100_000))
    assert len(str(refused.value)) < 300
    assert len(refused.value.excerpt[0]) < 300


def test_a_module_in_the_binary_format() -> None:
    with pytest.raises(TextError, match="this is the binary format"):
        assemble(assemble("(module)"))


def test_names_are_in_the_name_section() -> None:
    names = read_names(decode(assemble(FORMS["identifiers"])))
    assert names.module == "M"
    assert names.functions == {0: "f", 1: "a b"}
    assert names.locals == {0: {0: "a", 3: "z"}}
    assert names.labels == {0: {0: "l", 1: "l"}}
    assert (names.types, names.tables, names.memories) == ({0: "t"}, {0: "t"}, {0: "m"})
    assert (names.globals, names.elements, names.data) == ({0: "g"}, {0: "e"}, {0: "d"})


@pytest.mark.parametrize("depth", [10_000, 50_000])
def test_deep_nesting(depth: int) -> None:
    with pytest.raises(TextError):
        assemble("(" * depth)
    with pytest.raises(TextError):
        assemble("(" * depth + ")" * depth)
    adding = "(i32.add (i32.const 1) " * depth + "(i32.const 0)" + ")" * depth
    load(assemble(f"(func (result i32) {adding})"))
    load(assemble(f"(func {'(block ' * depth}{')' * depth})"))
    load(assemble(f"(func {'block ' * depth}{'end ' * depth})"))
    assert assemble("(; " * depth + ";)" * depth) == assemble("")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("(func)" * 6, "functions: 5"),
        ('(func) (export "" (func 0))' * 6, "definitions: 10"),
        ("(func) (elem func 0 0 0 0 0 0 0 0)", "items: 7"),
        (f"(func br_table {'0 ' * 65_522})", "labels: 65520"),
    ],
)
def test_bounds(monkeypatch: pytest.MonkeyPatch, text: str, what: str) -> None:
    for name, bound in (("MAX_FUNCTIONS", 5), ("MAX_DEFINITIONS", 10), ("MAX_ITEMS", 7)):
        monkeypatch.setattr(limits, name, bound)
    with pytest.raises(TextError, match=f"too many {what} at most"):
        assemble(text)


PIECES = st.sampled_from(
    [
        *("(", ")", "(module", "(func", "(func $f", "(type $t", "(import", "(export", "(memory"),
        *("(table", "(elem", "(data", "(global", "(param i32)", "(result i32)", "(local $x i32)"),
        *("i32.const", "0", "1", "-1", "0x", "$f", "$x", '"a"', "block", "end", "else", "if"),
        *("(if", "(then", "(else", "(block", "br_table", "funcref", "i32", "(offset", "(item"),
        *("offset=1", "align=2", "v128.const", "i32x4", "nan", "select", "call_indirect", ";;"),
        *("(;", ";)", "(@a", "$", "é", "\n", "declare", "mut", "func", "table.init", "(start"),
    ]
)


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_every_beginning_of_a_text(text: str) -> None:
    for end in range(0, len(text), 2):
        refuses_or_decodes(text[:end])
        refuses_or_decodes(text[:end] + ")" * 4)


@pytest.mark.parametrize("mnemonic", sorted(BY_MNEMONIC))
def test_every_instruction_without_its_immediates(mnemonic: str) -> None:
    for text in (f"(func {mnemonic}", f"(func {mnemonic})", f"(func {mnemonic} 0", f"({mnemonic}"):
        refuses_or_decodes(text)


def test_what_is_no_text() -> None:
    for wrong in (5, None, Path("a.wat"), ["(module)"]):
        with pytest.raises(TypeError, match="expected a text or its bytes"):
            assemble(wrong)  # type: ignore[arg-type]


@given(st.lists(PIECES | st.sampled_from(sorted(BY_MNEMONIC)), max_size=30))
@settings(max_examples=400)
def test_any_pieces(pieces: list[str]) -> None:
    refuses_or_decodes(" ".join(pieces))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_mutated_texts(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(sorted(FORMS.values())))
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 12))
    piece = data.draw(PIECES | st.text(max_size=3))
    refuses_or_decodes(text[:at] + piece + text[at + length :])


def refuses_or_decodes(text: str) -> None:
    """Assemble any text: what comes out is bytes, or an error of ours."""
    with contextlib.suppress(PureWasmError):
        decode(assemble(text))
