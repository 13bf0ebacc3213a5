"""The playground in Chromium: a visitor's actions, and what the page shows then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from purewasm_plugins.browser.site import Site
from tests.browser.actions import (
    box,
    drop,
    failed_run,
    failure,
    pick,
    run,
    wait_until,
)
from tests.browser.conftest import PATIENCE, PYODIDE, serving
from tests.conftest import ROOT

FIXTURES = ROOT / "fixtures"

Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def shared(visit: Visit) -> Any:
    """One page for most of the tests: starting Python takes longer than any of them."""
    return visit(viewport={"width": 1280, "height": 900})


@pytest.fixture
def page(shared: Any) -> Iterator[Any]:
    """The shared page; nothing may be thrown in it."""
    yield shared
    assert not shared.troubles


def echo_works(page: Any) -> None:
    """Check that the page works with the next plugin."""
    pick(page, "echo.wasm")
    page.fill("#input", "still here")
    assert run(page) == "still here"


def test_a_first_visit(page: Any) -> None:
    assert page.inner_text("#plugin h2") == "echo"
    assert "1.0.0" in page.inner_text("#plugin")
    assert run(page) == "Hello, WebAssembly!"
    stats = page.inner_text("#stats")
    assert "1 unit" in stats
    assert "1 page" in stats
    assert re.search(r"\d (ms|µs)", stats)


@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_does_not_scroll_itself(visit: Visit, width: int) -> None:
    page = visit(viewport={"width": width, "height": 740})
    page.wait_for_selector(".texts .code")
    assert page.evaluate("scrollY") == 0
    # The function that the Functions tab shows is the 86th of the list.
    pick(page, "rust_documents.wasm")
    page.wait_for_selector(".texts b:has-text('plugin_tool_execute')")
    assert page.evaluate("scrollY") == 0
    list, item = (box(page, f".functions {part}") for part in ("ul", "[aria-current=true]"))
    assert list["y"] <= item["y"] < list["y"] + list["height"]
    # The last plugin of the list, which is outside of the visible part.
    page.evaluate("[...document.querySelectorAll('#plugins button')].at(-1).click()")
    page.wait_for_selector("#result:not([hidden])")
    assert page.evaluate("scrollY") == 0
    page.close()


def test_with_the_keyboard_alone(page: Any) -> None:
    pick(page, "echo.wasm")
    page.focus("#input")
    page.keyboard.press("Control+a")
    page.keyboard.type("typed")
    page.keyboard.press("Control+Enter")
    wait_until(page, "document.getElementById('output')?.textContent === 'typed'")
    pick(page, "c_json.wasm")
    page.focus("#plugin [role=tab][aria-selected=true]")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#plugin [role=tab][aria-selected=true]") == "json_compact"
    page.keyboard.press("End")
    assert page.inner_text("#plugin [role=tab][aria-selected=true]") == "json_summary"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("broken.wasm", (FIXTURES / "wat/echo.wasm").read_bytes()[:100], "Failed to compile"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(50), "looks like a picture"),
        ("text.wasm", b"(module)", "text format"),
        ("empty.wasm", b"", "The file is empty"),
    ],
)
def test_a_broken_file(page: Any, name: str, data: bytes, message: str) -> None:
    drop(page, name, data)
    assert message in failure(page)
    echo_works(page)


def test_a_file_that_is_too_large(page: Any, tmp_path: Path) -> None:
    large = tmp_path / "large.wasm"
    with large.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    page.set_input_files("#file", str(large))
    assert "50.0 MiB" in failure(page)
    echo_works(page)


def test_a_plugin_with_imports(page: Any) -> None:
    pick(page, "imports_host.wasm")
    text = failure(page)
    assert "unknown import" in text
    assert "the functions of WASI preview 1, and no others" in text
    page.click("#details [data-id=interface]")
    assert "env" in page.inner_text("#panel")
    page.click("#details [data-id=functions]")
    echo_works(page)


def test_a_plugin_that_takes_all_memory(page: Any) -> None:
    pick(page, "grow_until_refused.wasm")
    assert int(run(page)) > 900
    assert "MiB, grown by" in page.inner_text("#stats")
    drop(page, "four_gigabytes.wasm", (FIXTURES / "wat/four_gigabytes.wasm").read_bytes())
    assert "memory pages" in failure(page)
    echo_works(page)


def test_python_itself_ends(page: Any) -> None:
    """An error of the browser that Python cannot catch, such as a stack overflow."""
    pick(page, "echo.wasm")
    page.wait_for_selector("#run:enabled")
    # The second worker, if there is one, is the spare.
    worker = page.workers[0]
    worker.evaluate("() => { performance.now = () => { throw new RangeError('no stack'); }; }")
    page.click("#run")
    shown = failure(page)
    assert "crashed Python" in shown
    assert "no stack" in shown
    page.wait_for_selector("#status[data-state=ready]")
    echo_works(page)


def test_a_schema_nested_without_end(page: Any) -> None:
    text = (FIXTURES / "wat/with_schema.wat").read_text().replace("(memory", "(memory $m", 1)
    deep = "[" * 200_000
    text = text.replace('(memory $m (export "memory") 1)', '(memory $m (export "memory") 5)')
    text = re.sub(r'\(data \(i32.const 512\) "[^"]*"\)', "", text)
    text = re.sub(r'\(data \(i32.const 768\) "[^"]*"\)', f'(data (i32.const 1024) "{deep}")', text)
    text = text.replace("(i32.const 768) (i32.const 512)", "(i32.const 1024) (i32.const 1024)")
    drop(page, "deep.wasm", bytes(wasmtime.wat2wasm(text)))
    assert "nested too deep" in failure(page)
    echo_works(page)


def test_an_endless_plugin_is_stopped(page: Any) -> None:
    pick(page, "loop_forever.wasm")
    page.click("#run")
    page.wait_for_selector("#stop:not([hidden])")
    assert page.wait_for_selector("#status[data-state=busy]")
    # The page still reacts while the plugin runs.
    page.click("#details [data-id=interface]")
    assert "plugin_tool_execute" in page.inner_text("#panel")
    page.click("#details [data-id=functions]")
    page.click("#stop")
    page.wait_for_selector("#result h2:has-text('Stopped')")
    page.wait_for_selector("#status[data-state=ready]")
    echo_works(page)


def test_a_plugin_that_never_loads_is_stopped(page: Any) -> None:
    drop(page, "endless.wasm", (FIXTURES / "wat/endless_on_load.wasm").read_bytes(), loads=False)
    # The status shows seconds once the worker runs the plugin for some time.
    page.wait_for_selector("#status-text:text-matches('Loading endless.wasm: [0-9.]+ s')")
    page.keyboard.press("Escape")
    page.wait_for_selector("#result h2:has-text('Stopped')")
    echo_works(page)


def test_another_plugin_is_picked_while_one_runs(page: Any) -> None:
    pick(page, "loop_forever.wasm")
    page.click("#run")
    page.wait_for_selector("#stop:not([hidden])")
    echo_works(page)


def test_a_limit_ends_an_endless_plugin(page: Any) -> None:
    page.click("#limits summary")
    page.fill("#limits [name=timeout]", "2")
    page.press("#limits [name=timeout]", "Tab")
    pick(page, "loop_forever.wasm")
    assert "deadline exceeded" in failed_run(page)
    page.fill("#limits [name=timeout]", "30")
    page.press("#limits [name=timeout]", "Tab")
    page.click("#limits summary")
    echo_works(page)


def test_a_trap_leads_to_its_instruction(page: Any) -> None:
    pick(page, "trap_division.wasm")
    assert "integer divide by zero" in failed_run(page)
    page.click(".frames button")
    page.wait_for_selector(".code .reached:has-text('i32.div_s')")
    wait_until(
        page,
        """() => { const line = document.querySelector(".code .reached").getBoundingClientRect();
            return line.top >= 0 && line.bottom <= innerHeight; }""",
    )


def test_a_form_from_a_schema(page: Any) -> None:
    pick(page, "zig_text.wasm")
    page.fill("#field-0", "kitten")
    page.fill("#field-1", "kitchen")
    assert run(page) == "2"
    page.click("#plugin [role=tab]:has-text('sort_lines')")
    page.fill("#field-0", "b\na\nb")
    page.check("#field-2")
    assert run(page).split() == ["a", "b"]
    page.click(".schema summary")
    assert '"unique"' in page.inner_text(".schema")


def test_arguments_that_do_not_fit(page: Any) -> None:
    drop(page, "with_schema.wasm", (FIXTURES / "wat/with_schema.wasm").read_bytes())
    page.fill("#field-0", "text")
    page.fill("#field-1", "0")
    assert "limit must be at least 1" in failed_run(page)
    page.fill("#field-1", "3")
    assert run(page) == '{"query":"text","limit":3}'
    page.fill("#field-1", "")
    assert run(page) == '{"query":"text"}'


def test_functions_memory_and_interface(page: Any) -> None:
    pick(page, "shout_c.wasm")
    assert run(page) == "HELLO FROM C"
    page.click("#details [data-id=functions]")
    page.wait_for_selector(".texts .code")
    columns = page.locator(".texts .column")
    assert "i32.load8_u" in columns.nth(0).text_content()
    assert "def f6(" in columns.nth(1).text_content()
    page.fill(".functions input", "version")
    assert page.locator(".functions li button").count() == 1
    page.click("#details [data-id=memory]")
    # The same bytes are the input and the output, and the letters changed.
    wait_until(
        page,
        "[...document.querySelectorAll('.memory .hex .text b.input.output')]"
        ".map((byte) => byte.textContent).join('') === 'HELLO FROM C'",
    )
    assert page.locator(".hex .text b.changed").count() == len("hellofrom")
    page.fill(".memory form input", "0x10")
    page.click(".memory form button")
    wait_until(page, "document.querySelector('.memory .hex .at').textContent === '0010'")
    page.click("#details [data-id=interface]")
    assert "plugin ABI" in page.inner_text("#panel")
    page.click("#details [data-id=functions]")


def test_both_engines(page: Any) -> None:
    pick(page, "c_encode.wasm")
    expected = run(page)
    engines = page.locator("#engine option").evaluate_all("all => all.map((o) => o.value)")
    assert "pywasm" in engines
    for engine in engines:
        page.select_option("#engine", engine)
        page.wait_for_selector("#status[data-state=ready]")
        assert run(page) == expected
    page.select_option("#engine", engines[0])
    page.wait_for_selector("#status[data-state=ready]")


def test_a_link_carries_the_state(page: Any, visit: Visit) -> None:
    pick(page, "c_encode.wasm")
    page.click("#plugin [role=tab]:has-text('sha256')")
    page.fill("#input", "a&b=c#d é")
    expected = run(page)
    other = visit(page.url.partition("/#")[2] and "#" + page.url.partition("#")[2])
    assert other.inner_text("#plugin [role=tab][aria-selected=true]") == "sha256"
    assert other.input_value("#input") == "a&b=c#d é"
    assert run(other) == expected
    assert not other.troubles
    # A link has the name of a dropped plugin, but not its bytes: the input waits for the file.
    other.evaluate("location.hash = 'plugin=mine.wasm&tool=echo&input=kept'")
    other.wait_for_selector("#result h2:has-text('mine.wasm')")
    drop(other, "mine.wasm", (FIXTURES / "wat/echo.wasm").read_bytes())
    assert run(other) == "kept"
    assert not other.troubles
    other.close()


def test_a_phone_in_the_dark(visit: Visit) -> None:
    phone = visit(viewport={"width": 375, "height": 740}, color_scheme="dark", has_touch=True)
    assert run(phone) == "Hello, WebAssembly!"
    for tab in ("functions", "memory", "interface"):
        phone.click(f"#details [data-id={tab}]")
        phone.wait_for_timeout(200)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 375
    dark = phone.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", dark)[:3])) < 60
    phone.click("#theme")
    light = phone.evaluate("getComputedStyle(document.body).backgroundColor")
    assert min(map(int, re.findall(r"\d+", light)[:3])) > 200
    assert not phone.troubles
    phone.close()


def test_python_cannot_be_fetched(chromium: Any, served: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/pyodide/pyodide.mjs", lambda route: route.abort())
    page.goto(served)
    page.wait_for_selector("#status[data-state=failed]", timeout=PATIENCE)
    assert "could not be loaded" in page.inner_text("#boot-text")
    # A text can be written all the same.
    page.click("#write")
    page.wait_for_selector(".edit .state:has-text('could not be checked')")
    page.fill("#text", "(module)")
    page.unroute("**/pyodide/pyodide.mjs")
    page.click("#boot-again")
    page.wait_for_selector("#status[data-state=ready]", timeout=PATIENCE)
    context.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_exported_to_a_static_host(visit: Visit, tmp_path: Path) -> None:
    Site(PYODIDE).export(tmp_path / "some" / "where")
    handler = partial(_Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, serving(server):
        page = visit(site=f"http://127.0.0.1:{server.server_port}/some/where/")
        assert run(page) == "Hello, WebAssembly!"
        page.close()
