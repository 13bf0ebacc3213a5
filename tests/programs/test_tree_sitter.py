"""tree-sitter and two of its languages: modules that are linked to each other while they run.

The core gets its memory, table and globals from the host; a language shares them, imports the
addresses of its own data and functions, and imports functions of the core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .hosts import Abort, Emscripten, Wasi, start
from .machines import Machine, Program, digest, machine

Data = Callable[[str], bytes]

#: As its JavaScript has them: where the core's stack and heap lie, and where its data begin.
STACK_LOW, STACK_HIGH, DATA = 16704, 82240, 1024

#: Functions of the core, and of a language behind them.
TABLE, CORE_FUNCTIONS, LANGUAGE_FUNCTIONS = 100, 1, 50


class Core(Emscripten):
    """What tree-sitter imports beside the C library: the source that it parses."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.source = ""
        self.given: dict[str, Any] = {
            "memory": machine.new_memory(512, 32768),
            "__indirect_function_table": machine.new_table(TABLE),
            "__stack_pointer": machine.new_global(STACK_HIGH, True),
            "__memory_base": machine.new_global(DATA, False),
            "__table_base": machine.new_global(CORE_FUNCTIONS, False),
            "__stack_low": machine.new_global(STACK_LOW, True),
            "__stack_high": machine.new_global(STACK_HIGH, True),
            "__heap_base": machine.new_global(STACK_HIGH, True),
        }

    def get(self, name: str) -> Any:
        return self.given[name] if name in self.given else super().get(name)

    def tree_sitter_parse_callback(
        self, buffer: int, index: int, row: int, column: int, length: int
    ) -> None:
        part = self.source[index : index + 5000]
        self.write_u32(length, len(part))
        self.program.write(buffer, part.encode("utf-16-le"))

    def tree_sitter_progress_callback(self, offset: int, failed: int) -> int:
        return 0

    def tree_sitter_query_progress_callback(self, offset: int) -> int:
        return 0

    def tree_sitter_log_callback(self, lexing: int, message: int) -> None:
        raise Abort(self.text(message))

    abort_js = Emscripten.abort


def load_language(machine: Machine, core: Program, host: Core, data: bytes, name: str) -> int:
    """Link a language to the core; the address of its description."""

    class Linked(Core):
        def __init__(self) -> None:
            # Its data have no more bytes than its file.
            place = core.call("calloc", len(data) + 15, 1) + 15 & ~15
            self.given = host.given | {
                "__memory_base": machine.new_global(place, False),
                "__table_base": machine.new_global(LANGUAGE_FUNCTIONS, False),
            }

        def get(self, name: str) -> Any:
            return self.given[name] if name in self.given else core.exports[name]

    language = machine.load(data, {"env": Linked()})
    language.call("__wasm_apply_data_relocs")
    language.call("__wasm_call_ctors")
    address: int = language.call(name)
    return address


def use_tree_sitter(name: str, program: Data, language: str, sources: list[str]) -> list[str]:
    """The trees of sources, as S-expressions, and a hash of the memory."""
    made = machine(name)
    host = Core(made)
    hosts = {"env": host, "GOT.mem": host, "wasi_snapshot_preview1": Wasi()}
    core = start(made, program("web-tree-sitter/web-tree-sitter.wasm"), hosts)
    core.call("__wasm_apply_data_relocs")
    core.call("__wasm_call_ctors")
    results = core.call("ts_init")
    file = f"tree-sitter-{language}/tree-sitter-{language}.wasm"
    described = load_language(made, core, host, program(file), f"tree_sitter_{language}")
    core.call("ts_parser_new_wasm")
    parser, buffer = host.u32(results), host.u32(results + 4)
    assert core.call("ts_parser_set_language", parser, described) == 1
    trees = []
    for source in sources:
        host.source = source
        tree = core.call("ts_parser_parse_wasm", parser, buffer, 0, 0, 0)
        core.call("ts_tree_root_node_wasm", tree)
        text = core.call("ts_node_to_string_wasm", tree)
        trees.append(host.text(text))
        core.call("free", text)
        core.call("ts_tree_delete", tree)
    return [*trees, digest(core)]


#: By language.
SOURCES = {
    "json": [
        '{"a": [1, -2.5e3, true, null]}',
        "[]",
        "[1, , 2",
        "[" * 50 + "]" * 50,
        '{"é": "\\u00e9"}' * 3,
    ],
    "javascript": [
        "let x = (a, b = 2) => a ** b / 3 // why",
        "class A extends B { #x = 1; get y() { return this.#x ?? `t${1 + 2}` } }",
        "for (const [k, v] of entries(o)) { if (!v) continue; log(k?.z) }\n\n/re(g)+/g.test(s)",
        "async function* f() { try { await g() } catch { throw new E } finally { } }",
        "if (x { y = ; }",
    ],
}


#: Of the first of each.
TREES = {
    "json": "(document (object (pair key: (string (string_content)) value: "
    "(array (number) (number) (true) (null)))))",
    "javascript": "(program (lexical_declaration (variable_declarator name: (identifier) value: "
    "(arrow_function parameters: (formal_parameters (identifier) (assignment_pattern "
    "left: (identifier) right: (number))) body: (binary_expression left: (binary_expression "
    "left: (identifier) right: (identifier)) right: (number)))) (comment)))",
}


@pytest.mark.parametrize("language", SOURCES)
def test_tree_sitter(language: str, program: Data) -> None:
    sources = SOURCES[language]
    trees = use_tree_sitter("translator", program, language, sources)
    assert trees == use_tree_sitter("wasmtime", program, language, sources)
    assert trees[0] == TREES[language]


def test_tree_sitter_by_steps(program: Data) -> None:
    sources = SOURCES["json"][:1]
    trees = use_tree_sitter("pywasm", program, "json", sources)
    assert trees == use_tree_sitter("wasmtime", program, "json", sources)
