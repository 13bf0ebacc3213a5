"""The conformance check: plugins that follow the ABI, and the findings on others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import ResourceLimits, Wasi
from purewasm_plugins.plugin import conformance
from purewasm_plugins.plugin.conformance import Check, Status, check, fixes, inputs
from purewasm_plugins.tools.registry import schema_validator
from tests.conftest import ROOT

FIXTURES = ROOT / "fixtures" / "wat"

PASS, WARNING, FAIL = Status

#: The findings on a module without an export of the ABI.
NO_PLUGIN = {
    f"export plugin_{name}": (FAIL, "missing")
    for name in (
        *("name", "version", "description", "tools_count"),
        *("tool_name", "tool_description", "tool_execute"),
    )
}

#: The findings on every fixture that are not a pass, and a part of their details.
EXPECTED: dict[str, dict[str, tuple[Status, str]]] = {
    "alloc_bad_pointer": {"allocator": (FAIL, "memory ends at")},
    "alloc_refuses": {"allocator": (FAIL, "has no 1 bytes")},
    "alloc_traps": {"allocator": (FAIL, "unreachable")},
    "alloc_without_free": {
        "export plugin_free": (WARNING, "leaks"),
        "allocator": (FAIL, "65537 bytes"),
    },
    "assumes_contiguous": {},
    "bad_pointer": {
        "tool 0 runs": (FAIL, "past the end of memory"),
        "tool 1 runs": (FAIL, "past the end of memory"),
    },
    "bad_schema": {"tool 0 schema": (FAIL, "not JSON")},
    "buggy_shout": {"tool 0 input": (WARNING, "no terminating zero byte")},
    "data_out_of_bounds": {"instantiation": (FAIL, "out of bounds memory access")},
    "duplicate_tools": {"tool 1 name": (FAIL, "the name of tool 0")},
    "echo": {},
    "empty_version": {"version": (FAIL, "empty"), "tool count": (FAIL, "unreachable")},
    "endless_on_load": {"name": (FAIL, "deadline exceeded")},
    "execute_wrong_type": {"export plugin_tool_execute": (FAIL, "(i32, i32) -> (i64), not")},
    "fixed_memory": {"tool 0 input": (WARNING, "cannot grow")},
    "four_gigabytes": {"instantiation": (FAIL, "65536 memory pages")},
    "gcd": {**NO_PLUGIN, "export memory": (FAIL, "missing")},
    "grow_forever": {"tool 0 runs": (FAIL, "deadline exceeded")},
    "grow_until_refused": {"tool 0 input": (WARNING, "depends on the address")},
    "grows_memory": {},
    "grows_over_input": {},
    "hello": {},
    "huge_count": {"tool count": (FAIL, "1000000")},
    "huge_table": {"module": (FAIL, "table size")},
    "imports_host": {"imports": (FAIL, "env.log")},
    "imports_memory": {"imports": (FAIL, "env.memory")},
    "imports_wasi": {"imports": (FAIL, "wasi_snapshot_preview1.fd_write")},
    "in_place": {},
    "inspect_input": {
        "tool 0 input": (WARNING, "depends on the address"),
        "tool 2 input": (WARNING, "depends on the address"),
    },
    "invalid": {"module": (FAIL, "type mismatch")},
    "invalid_utf8": {"tool 0 runs": (FAIL, "not UTF-8: 0xff")},
    "keeps_input": {},
    "large_output": {},
    "limited_memory": {"tool 0 input": (WARNING, "cannot grow")},
    "loop_forever": {"tool 0 runs": (FAIL, "deadline exceeded")},
    "memory_is_global": {"export memory": (FAIL, "a global, not a memory")},
    "missing_execute": {"export plugin_tool_execute": (FAIL, "missing")},
    "missing_memory": {"export memory": (FAIL, "missing")},
    "name_bad_pointer": {"name": (FAIL, "past the end of memory")},
    "name_invalid_utf8": {"name": (FAIL, "not UTF-8: 0xe9")},
    "name_is_global": {"export plugin_name": (FAIL, "a global, not () -> (i32)")},
    "negative_count": {"tool count": (FAIL, "-1")},
    "no_exports": NO_PLUGIN,
    "no_tools": {"tool count": (WARNING, "0")},
    "overwrites_input": {"tool 0 input": (FAIL, "overwrites")},
    "pointer_zero": {},
    "reactor": {},
    "recurse_forever": {"tool 0 runs": (FAIL, "call stack exhausted")},
    "rot13": {},
    "says_hello": {
        **NO_PLUGIN,
        "imports": (FAIL, "wasi_snapshot_preview1.fd_write"),
        "reactor": (WARNING, "_start"),
    },
    "spin": {},
    "start_endless": {"instantiation": (FAIL, "deadline exceeded")},
    "start_traps": {"instantiation": (FAIL, "unreachable")},
    "reports_errors": {},
    "stateful": {},
    "trap_division": {"tool 0 runs": (FAIL, "integer divide by zero")},
    "trap_on_load": {"name": (FAIL, "unreachable")},
    "trap_on_tool_name": {"tool 1 name": (FAIL, "unreachable")},
    "trap_then_state": {"tool 1 runs": (FAIL, "unreachable")},
    "trap_unreachable": {"tool 0 runs": (FAIL, "unreachable in innermost")},
    "traps": {f"tool {index} runs": (FAIL, "") for index in range(11)},
    "unterminated": {"tool 0 runs": (FAIL, "no terminating zero byte")},
    "unterminated_name": {
        "name": (FAIL, "no terminating zero byte"),
        "tool 0 input": (WARNING, "cannot grow"),
    },
    "unusual_names": {
        "tool 0 name": (WARNING, "two words"),
        "tool 1 name": (WARNING, "größe"),
        "tool 2 name": (WARNING, "empty"),
    },
    "with_abi_version": {},
    "with_alloc": {},
    "with_schema": {},
    "wrong_abi": {"ABI version": (FAIL, "2, not 1")},
    "wrong_type": {"export plugin_name": (FAIL, "(i32) -> (i32), not () -> (i32)")},
}

#: Left out: a hundred tools take long, and test no more than one tool.
LEFT_OUT = {"many_tools"}

#: Fixtures that run until they are stopped.
ENDLESS = {"endless_on_load", "grow_forever", "loop_forever", "start_endless"}

GENEROUS = ResourceLimits(timeout=60)


def checks_of(data: bytes, limits: ResourceLimits = GENEROUS, **options: Any) -> dict[str, Check]:
    found = list(check(data, limits=limits, **options))
    by_name = {item.name: item for item in found}
    assert len(by_name) == len(found)
    return by_name


def conspicuous(checks: dict[str, Check]) -> dict[str, Check]:
    return {name: item for name, item in checks.items() if item.status is not PASS}


def test_every_fixture_is_expected() -> None:
    assert {file.stem for file in FIXTURES.glob("*.wasm")} == set(EXPECTED) | LEFT_OUT


@pytest.mark.parametrize("name", EXPECTED)
def test_fixtures(name: str, fixture_data: Callable[[str], bytes]) -> None:
    limits = ResourceLimits(timeout=0.1) if name in ENDLESS else GENEROUS
    found = conspicuous(checks_of(fixture_data(name), limits))
    assert {name: item.status for name, item in found.items()} == {
        name: status for name, (status, _) in EXPECTED[name].items()
    }
    for check_name, (_, details) in EXPECTED[name].items():
        assert details in found[check_name].details
        assert found[check_name].fix


def test_both_engines_say_the_same(engine: str, fixture_data: Callable[[str], bytes]) -> None:
    for name in ("echo", "with_schema", "with_alloc", "overwrites_input", "in_place"):
        found = conspicuous(checks_of(fixture_data(name), engine=engine))
        assert set(found) == set(EXPECTED[name])


def test_the_checks_of_a_good_plugin(fixture_data: Callable[[str], bytes]) -> None:
    found = checks_of(fixture_data("echo"))
    assert {name: item.details for name, item in found.items()} == {
        "module": "359 bytes, valid",
        "export memory": "memory 1",
        "export plugin_name": "() -> (i32)",
        "export plugin_version": "() -> (i32)",
        "export plugin_description": "() -> (i32)",
        "export plugin_tools_count": "() -> (i32)",
        "export plugin_tool_name": "(i32) -> (i32)",
        "export plugin_tool_description": "(i32) -> (i32)",
        "export plugin_tool_execute": "(i32, i32) -> (i32)",
        "imports": "none",
        "instantiation": "",
        "name": "echo",
        "version": "1.0.0",
        "description": "Answers its input",
        "tool count": "1",
        "tool 0 name": "echo",
        "tool 0 description": "Answers its input",
        "tool 0 runs": '"" gives 0 bytes, "hello" gives 5 bytes',
        "tool 0 input": "500,000 bytes stay intact in pages grown for it",
        "tool index": "out of range, 1: a string; -1: a string",
    }
    assert not any(item.fix for item in found.values())


def test_checks_come_one_at_a_time(fixture_data: Callable[[str], bytes]) -> None:
    checks = check(fixture_data("start_endless"), limits=ResourceLimits(timeout=None))
    assert [next(checks).name for _ in range(3)] == [
        "module",
        "export memory",
        "export plugin_name",
    ]


@pytest.mark.parametrize("plugin", ["shout_c", "shout_zig"])
def test_real_plugins(plugin: str, fixture_data: Callable[[str], bytes]) -> None:
    assert not conspicuous(checks_of(fixture_data(f"starter/{plugin}.wasm")))


def test_imports_that_are_given(fixture_data: Callable[[str], bytes]) -> None:
    heard: list[int] = []
    found = checks_of(fixture_data("imports_host"), imports={"env": {"log": heard.append}})
    assert not conspicuous(found)
    assert found["imports"].details == "1, all given"
    assert heard


def test_an_import_of_the_wrong_type(fixture_data: Callable[[str], bytes]) -> None:
    found = checks_of(fixture_data("imports_memory"), imports={"env": {"memory": print}})
    assert "incompatible import type" in found["instantiation"].details


# Overwriting.


def overwriting(plugin_text: Callable[..., str], body: str, **parts: str) -> str:
    """A plugin that does something to memory, and answers its input."""
    execute = f"""
      (func (export "plugin_tool_execute") (param $tool i32) (param $input i32) (result i32)
        {body} local.get $input)"""
    return plugin_text(plugin_tool_execute=execute, **parts)


def exposed(body: str) -> str:
    """What a plugin does only where it sees a second page: the host's, grown for the input."""
    return f"(if (i32.gt_u (memory.size) (i32.const 1)) (then {body}))"


@pytest.mark.parametrize(
    ("body", "status", "details"),
    [
        # An allocator's mark at the end of what it takes for its heap.
        (
            """(i32.store8 (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1))
                 (i32.const 1))""",
            FAIL,
            "takes the pages that a host has grown",
        ),
        # Its first block, where the input is, or only a larger one.
        (exposed("(i32.store8 (i32.const 65536) (i32.const 88))"), FAIL, "its output is wrong"),
        (exposed("(i32.store8 (i32.const 131172) (i32.const 88))"), FAIL, ""),
        # A plugin may write to its input.
        ("(i32.store8 (local.get $input) (i32.const 88))", PASS, "stay intact"),
        # The plugin may use the memory that it has grown, and its initial memory.
        (
            "(i32.store8 (i32.shl (memory.grow (i32.const 1)) (i32.const 16)) (i32.const 1))",
            PASS,
            "stay intact",
        ),
        ("(memory.fill (i32.const 1024) (i32.const 88) (i32.const 64512))", PASS, "stay intact"),
    ],
)
def test_what_counts_as_overwriting(
    plugin_text: Callable[..., str],
    wat: Callable[[str], bytes],
    body: str,
    status: Status,
    details: str,
) -> None:
    found = checks_of(wat(overwriting(plugin_text, body)))["tool 0 input"]
    assert found.status is status
    assert details in found.details
    assert (found.fix == fixes.OVERWRITES) == (status is FAIL)


def test_a_trap_only_where_the_input_is_exposed(
    plugin_text: Callable[..., str], wat: Callable[[str], bytes]
) -> None:
    found = checks_of(wat(overwriting(plugin_text, exposed("unreachable"))))["tool 0 input"]
    assert found.status is FAIL
    assert "unreachable" in found.details


ALLOCATOR = """
  (func (export "plugin_alloc") (param $size i32) (result i32)
    (local $block i32)
    (local.set $block (i32.shl (memory.grow (i32.const 9)) (i32.const 16)))
    (global.set $block (local.get $block)) local.get $block)
  (func (export "plugin_free") (param i32))
  (global $block (mut i32) (i32.const 0))"""


@pytest.mark.parametrize(
    ("body", "status"),
    [("", PASS), ("(i32.store8 (global.get $block) (i32.const 88))", FAIL)],
)
def test_an_allocator_must_leave_the_input_alone(
    plugin_text: Callable[..., str], wat: Callable[[str], bytes], body: str, status: Status
) -> None:
    # Only what the allocator has given: $block is 0 where it was not asked.
    guarded = f"(if (global.get $block) (then {body}))" if body else ""
    checks = checks_of(wat(overwriting(plugin_text, guarded, extra=ALLOCATOR)))
    assert checks["allocator"].status is PASS
    assert checks["tool 0 input"].status is status
    assert "its own allocator" in checks["tool 0 input"].details


def test_an_allocator_that_gives_the_same_block_twice(
    plugin_text: Callable[..., str], wat: Callable[[str], bytes]
) -> None:
    extra = """(func (export "plugin_alloc") (param i32) (result i32) i32.const 1024)
      (func (export "plugin_free") (param i32))"""
    text = plugin_text(extra=extra, memory='(memory (export "memory") 9)')
    found = checks_of(wat(text))["allocator"]
    assert (found.status, found.fix) == (FAIL, fixes.ALLOCATOR)
    assert "already allocated" in found.details


def test_an_allocator_of_the_wrong_type(
    plugin_text: Callable[..., str], wat: Callable[[str], bytes]
) -> None:
    extra = '(func (export "plugin_alloc") (param i64) (result i32) i32.const 0)'
    found = checks_of(wat(plugin_text(extra=extra)))
    assert found["export plugin_alloc"].status is FAIL
    assert "allocator" not in found
    assert found["tool 0 input"].status is PASS


# Schemas, indices and the rest.


@pytest.mark.parametrize(
    ("schema", "status", "details"),
    [
        ("{}", WARNING, '"type": "object"'),
        ("[]", FAIL, "not a JSON object"),
        ("", FAIL, "empty"),
        ("{", FAIL, "not JSON"),
        ('{"type": 7}', FAIL, ""),
        ('{"type": "object"}', PASS, "a JSON Schema"),
        ('{"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}', FAIL, ""),
        ("[" * 100_000, FAIL, "not JSON"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_schemas(
    plugin_text: Callable[..., str],
    wat: Callable[[str], bytes],
    schema: str,
    status: Status,
    details: str,
) -> None:
    escaped = schema.replace('"', '\\"')
    text = plugin_text(
        memory='(memory (export "memory") 4)',
        extra=f"""(data (i32.const 4096) "{escaped}\\00")
          (func (export "plugin_tool_schema") (param i32) (result i32) i32.const 4096)""",
    )
    found = checks_of(wat(text))["tool 0 schema"]
    assert found.status is status
    assert details in found.details
    assert bool(found.fix) == (status is not PASS)


def test_a_tool_that_answers_forever_for_a_bad_index(
    plugin_text: Callable[..., str], wat: Callable[[str], bytes]
) -> None:
    body = "(if (local.get $tool) (then (loop $l (br $l))))"
    limits = ResourceLimits(timeout=60, fuel=1000)
    found = checks_of(wat(overwriting(plugin_text, body)), limits)["tool index"]
    assert (found.status, found.fix) == (FAIL, fixes.INDEX)
    body = "(if (local.get $tool) (then unreachable))"
    found = checks_of(wat(overwriting(plugin_text, body)))["tool index"]
    assert found.status is PASS


def test_a_command_is_no_reactor(
    plugin_text: Callable[..., str], wat: Callable[[str], bytes]
) -> None:
    start = '(func (export "_start"))'
    assert checks_of(wat(plugin_text(extra=start)))["reactor"].status is WARNING
    both = start + '(func (export "_initialize"))'
    assert "reactor" not in checks_of(wat(plugin_text(extra=both)))


def test_initialize_is_called_and_may_fail(
    plugin_text: Callable[..., str], wat: Callable[[str], bytes]
) -> None:
    extra = '(func (export "_initialize") unreachable)'
    found = checks_of(wat(plugin_text(extra=extra)))
    assert "unreachable" in found["instantiation"].details


def test_an_end_to_it(
    monkeypatch: pytest.MonkeyPatch, fixture_data: Callable[[str], bytes]
) -> None:
    monkeypatch.setattr(conformance.running, "TIME_BOX", 0)
    found = conspicuous(checks_of(fixture_data("duplicate_tools")))
    assert found["tool 0 runs"].status is WARNING
    assert "not run" in found["tool 1 runs"].details


def test_slow_tools_get_a_smaller_input(
    monkeypatch: pytest.MonkeyPatch, fixture_data: Callable[[str], bytes]
) -> None:
    monkeypatch.setattr(conformance.running, "LARGE_SECONDS", 0)
    found = checks_of(fixture_data("echo"))["tool 0 input"]
    assert found.details.startswith("1,000 bytes stay intact")
    assert "larger inputs take too long" in found.details


@pytest.mark.parametrize(
    ("data", "fix"),
    [
        (b"", "build it again"),
        (b"\0asm\x0d\0\x01\0", "core module"),
        (b"\0asm\1\0\0\0\x0d\1\0", "without the later feature"),
        (b"\0asm", "build it again"),
    ],
)
def test_files_that_are_no_modules(data: bytes, fix: str) -> None:
    (found,) = check(data)
    assert (found.name, found.status) == ("module", FAIL)
    assert fix in found.fix


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"type": "object"}, {}),
        ({"type": "object", "properties": {"text": {"type": "string"}}}, {"text": "hello"}),
        (
            {
                "type": "object",
                "properties": {
                    "n": {"type": "integer", "minimum": 3},
                    "list": {"type": "array", "items": {"type": "boolean"}},
                    "unit": {"enum": ["cm", "in"]},
                    "two": {"const": 2},
                    "none": {"type": "null"},
                    "any": {},
                    "text": {"type": "string"},
                },
            },
            {
                "n": 3,
                "list": [True],
                "unit": "cm",
                "two": 2,
                "none": None,
                "any": "hello",
                "text": "text",
            },
        ),
    ],
)
def test_examples_fit_their_schemas(schema: dict[str, Any], arguments: object) -> None:
    *_, example = inputs.short_inputs(schema)
    assert json.loads(example) == arguments
    schema_validator("tool", schema)(json.loads(example))
    (large,) = inputs.large_inputs(schema, 10_000)
    schema_validator("tool", schema)(json.loads(large))


def test_large_inputs_are_what_they_say() -> None:
    text, records = inputs.large_inputs(None, 70_000)
    assert len(text) == len(records) == 70_000
    assert b"\0" not in text + records
    assert isinstance(json.loads(records), list)


def test_declarations() -> None:
    assert fixes.of_export("plugin_tool_execute").splitlines() == [
        'C: __attribute__((export_name("plugin_tool_execute"))) '
        "const char *plugin_tool_execute(int tool, char *input)",
        'Rust: #[no_mangle] pub extern "C" fn '
        "plugin_tool_execute(tool: i32, input: *mut u8) -> *const u8",
        "Zig: export fn plugin_tool_execute(tool: i32, input: [*:0]u8) [*:0]const u8, "
        "built with -rdynamic",
        "AssemblyScript: export function plugin_tool_execute(tool: i32, input: usize): usize",
    ]
    assert " int plugin_tools_count(void)" in fixes.of_export("plugin_tools_count")
    assert " char *plugin_alloc(int size)" in fixes.of_export("plugin_alloc")
    assert " void plugin_free(char *block)" in fixes.of_export("plugin_free")


class Watched:
    """A directory that counts how often it is open at once."""

    read_only = True

    def __init__(self) -> None:
        self.now = self.most = 0

    def open(self, quota: Any) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        return self

    def finish(self) -> None:
        pass

    def close(self) -> None:
        self.now -= 1


@pytest.mark.parametrize("language", ["c", "cpp", "rust", "assemblyscript"])
def test_plugins_with_wasi(language: str) -> None:
    data = (ROOT / f"fixtures/plugins/wasi_starter/shout_{language}.wasm").read_bytes()
    directory = Watched()
    found = [*check(data, wasi=Wasi(directories={"/": directory}))]
    assert all(item.status is PASS for item in found)
    # The instance of the description, and that of the run; all others are closed.
    assert directory.most == 2
    (imports,) = [item for item in check(data) if item.name == "imports"]
    assert imports.status is FAIL
    assert imports.fix.splitlines()[0] == fixes.WASI
