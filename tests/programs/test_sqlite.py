"""SQLite, as sql.js has it, on a database in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from .hosts import Emscripten, Wasi, start
from .machines import digest, machine

Data = Callable[[str], bytes]

#: Statements, and what SQLite says of them: rows, or an error. Python's own SQLite is asked, too.
STATEMENTS = [
    "create table people (id integer primary key, name text not null, height real, photo blob)",
    "create table likes (person integer references people, thing text, unique (person, thing))",
    "create index by_thing on likes (thing)",
    "insert into people (name, height) values ('Ann', 1.75), ('Bob', 1.8), ('Çem', null)",
    "insert into people values (40, 'Dee', 1.5e0, x'00ff10')",
    "insert into likes select id, 'tea' from people where id <> 2",
    "insert into likes values (1, 'rain'), (2, 'rain'), (2, 'chess')",
    "select * from people order by name desc",
    "select name, count(thing), group_concat(thing) from people left join likes on id = person "
    "group by id having count(*) > 0 order by 2 desc, 1",
    "select thing, avg(height), max(name), sum(id) from likes join people on person = id "
    "group by thing",
    "insert into people values (1, 'Eve', 2, null)",
    "select nonsense from people",
    "begin",
    "delete from people where height is null",
    "select count(*) from people",
    "rollback",
    "select count(*), total(height), typeof(min(photo)) from people",
    "with recursive fib (a, b) as (select 0, 1 union all select b, a + b from fib where b < 2000) "
    "select group_concat(a) from fib",
    "select name, row_number() over (order by height), sum(id) over (order by id) from people",
    "update people set height = round(height * 2, 1) where name like '%e%' or name glob 'B*'",
    "select upper(name), length(name), substr(name, 2), instr(name, 'e'), height from people",
    "select printf('%08.3f|%-6s|%x', 3.14159, 'ab', 255), hex('é'), 7 / 2, 7 % -3, 7.0 / 2",
    "select date('2024-02-28', '+2 days'), julianday('2000-01-01'), strftime('%j', '2024-12-31')",
    "select json_extract('{\"a\": [1, {\"b\": 2.5}]}', '$.a[1].b'), json_array(1, null, 'x')",
    "select case when 9223372036854775807 > 9.2e18 then 'big' end, cast('12abc' as integer), "
    "abs(-9007199254740991), 1 << 40, 'a' < 'B' collate nocase",
    "create trigger shout after insert on likes begin update people set name = name || '!' "
    "where id = new.person; end",
    "insert into likes values (40, 'noise')",
    "select name from people where id in (select person from likes where thing = 'noise')",
    "pragma integrity_check",
]


class Sqlite(Emscripten):
    """What sql.js imports. There are no files: no system call does anything."""

    def get(self, name: str) -> Any:
        no_system_call = -38
        return getattr(self, name.lstrip("_"), lambda *arguments: no_system_call)

    def emscripten_date_now(self) -> float:
        return 1.7e12

    def emscripten_get_now(self) -> float:
        return 1.0

    def emscripten_get_heap_max(self) -> int:
        return 1 << 28

    def localtime_js(self, time: int, result: int) -> int:
        self.program.write(result, bytes(44))
        return 0


def use_sqlite(name: str, data: bytes) -> tuple[dict[str, object], str]:
    """What each statement gives, the rows or the error's text; and a hash of the memory."""
    host = Sqlite()
    sqlite = start(machine(name), data, {"env": host, "wasi_snapshot_preview1": Wasi()})
    sqlite.call("emscripten_stack_init")
    stack = [sqlite.call(f"emscripten_stack_get_{end}") for end in ("base", "end")]
    sqlite.call("__set_stack_limits", *stack)
    sqlite.call("__wasm_call_ctors")

    def text(content: str) -> int:
        encoded = content.encode() + b"\0"
        address: int = sqlite.call("malloc", len(encoded))
        sqlite.write(address, encoded)
        return address

    def column(statement: int, index: int) -> object:
        kind = sqlite.call("sqlite3_column_type", statement, index)
        if kind in (1, 2):
            value = sqlite.call("sqlite3_column_double", statement, index)
            return int(value) if kind == 1 else value
        if kind == 5:
            return None
        part = "text" if kind == 3 else "blob"
        address = sqlite.call(f"sqlite3_column_{part}", statement, index)
        size = sqlite.call("sqlite3_column_bytes", statement, index)
        content = sqlite.read(address, size)
        return content.decode() if kind == 3 else content

    pointer = sqlite.call("malloc", 8)
    assert sqlite.call("sqlite3_open", text(":memory:"), pointer) == 0
    database = host.u32(pointer)
    found: dict[str, object] = {}
    for source in STATEMENTS:
        rows: list[tuple[object, ...]] = []
        failed = sqlite.call("sqlite3_prepare_v2", database, text(source), -1, pointer, 0)
        statement = host.u32(pointer)
        while not failed and (status := sqlite.call("sqlite3_step", statement)) == 100:
            columns = sqlite.call("sqlite3_column_count", statement)
            rows.append(tuple(column(statement, index) for index in range(columns)))
        failed = failed or status != 101
        error = host.text(sqlite.call("sqlite3_errmsg", database))
        found[source] = error if failed else rows
        sqlite.call("sqlite3_finalize", statement)
    return found, digest(sqlite)


def python_says() -> dict[str, object]:
    """The same of Python's own SQLite."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    found: dict[str, object] = {}
    for source in STATEMENTS:
        try:
            found[source] = database.execute(source).fetchall()
        except sqlite3.Error as error:
            found[source] = str(error)
    database.close()
    return found


def test_sqlite(program: Data) -> None:
    data = program("sql.js/dist/sql-wasm-debug.wasm")
    found, memory = use_sqlite("translator", data)
    assert found == python_says()
    assert (found, memory) == use_sqlite("wasmtime", data)
