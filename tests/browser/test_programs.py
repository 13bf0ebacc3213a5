"""Programs and plugins with WASI on the page, in Chromium: the console, and the Files tab."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.actions import debugger_action, drop, failed_run, pick, run, wait_until
from tests.browser.test_system import PLUGIN, PLUGIN_TEXT, TRAPS, WRITER, command
from tests.conftest import ROOT, assemble

Visit = Callable[..., Any]

SLEEPER = assemble(
    """(module
      (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 64) "good night")
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 10))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 144) (i32.const 1))
        (i64.store (i32.const 152) (i64.const 3600000000000))
        (drop (call $poll_oneoff (i32.const 128) (i32.const 256) (i32.const 1) (i32.const 8)))))"""
)

#: The plugin, which writes "early" when it is initialised.
EARLY = assemble(
    PLUGIN_TEXT.removesuffix(")")
    + """(data (i32.const 100) "early")
      (func (export "_initialize") (call $say (i32.const 1) (i32.const 100) (i32.const 5))))"""
)

#: It writes 10,000 lines of 100 characters with sequences of a terminal, and then "the end".
FLOOD = command(
    """(local $left i32)
    (memory.fill (i32.const 256) (i32.const 97) (i32.const 99))
    (i32.store8 (i32.const 355) (i32.const 10))
    (i32.store8 (i32.const 256) (i32.const 27))
    (local.set $left (i32.const 10000))
    (loop $again
      (call $say (i32.const 1) (i32.const 256) (i32.const 100))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $say (i32.const 2) (i32.const 64) (i32.const 7))""",
    '(data (i32.const 64) "the end")',
)

FILES = (ROOT / "fixtures/programs/files_c.wasm").read_bytes()

#: What it writes, with a file "notes.txt".
WRITTEN = """argument: /
environment: Hello
line 1: one
line 2: two
entry: notes.txt
notes: first
sought: three
size: 14
missing: not found
entry: made/
slept: yes
today: yes
random: yes
the end
"""


@pytest.fixture(scope="module")
def shared(visit: Visit) -> Any:
    """One page for all tests but one."""
    return visit(viewport={"width": 1280, "height": 1000})


@pytest.fixture
def page(shared: Any) -> Iterator[Any]:
    """The shared page, without files; nothing may be thrown in it."""
    shared.once("dialog", lambda dialog: dialog.accept())
    drop(shared, "writer.wasm", WRITER)
    shared.click("#details [data-id=files]")
    shared.wait_for_selector(".files")
    if shared.locator(".files button:has-text('Clear')").is_enabled():
        shared.click(".files button:has-text('Clear')")
    shared.wait_for_selector(".files [role=status]:has-text('no files yet')")
    shared.fill(".files .into input", "/")
    yield shared
    assert not shared.troubles


def start(page: Any) -> str:
    """Press Run, and return what the console shows at the end of the command, if it is there."""
    page.wait_for_selector("#run:enabled")
    page.evaluate("document.getElementById('result').hidden = true")
    page.click("#run")
    page.wait_for_selector("#result:not([hidden]) :is(#exit, #error)")
    return console(page)


def console(page: Any) -> str:
    return "".join(page.locator("#result .console pre").all_text_contents())


def listed(page: Any, *names: str) -> None:
    """Wait until the Files tab lists these names."""
    wait_until(
        page,
        "names => [...document.querySelectorAll('.tree .name')].map((e) => e.textContent).join()"
        " === names.join()",
        list(names),
    )


def add(page: Any, name: str, data: bytes) -> None:
    page.set_input_files(
        ".files input[type=file]", {"name": name, "mimeType": "text/plain", "buffer": data}
    )


def drop_at(page: Any, selector: str, name: str) -> None:
    """Drop a file on an element."""
    page.evaluate(
        """([selector, name]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["content"], name));
            const options = { bubbles: true, cancelable: true, dataTransfer };
            for (const kind of ["dragenter", "dragover", "drop"])
                document.querySelector(selector).dispatchEvent(new DragEvent(kind, options));
        }""",
        [selector, name],
    )


def debug_to_the_end(page: Any) -> None:
    """Open the debugger on the call in the form, and run to its end."""
    page.click("#debug")
    page.wait_for_selector(".debug .session:not([hidden])")
    with debugger_action(page):
        page.click("[data-move=run]")


def test_the_example(page: Any) -> None:
    pick(page, "count_c.wasm")
    assert start(page) == "2 lines, 10 words, 43 bytes: standard input\n"
    assert page.inner_text("#exit") == "Exit code 0"
    # A file that is no module, dropped anywhere.
    drop(page, "notes.txt", b"first\n", loads=False)
    listed(page, "notes.txt")
    page.fill("#args", "/notes.txt '/no such file'")
    assert start(page) == (
        "1 lines, 1 words, 6 bytes: /notes.txt\ncount: /no such file: No such file or directory\n"
    )
    assert "the program tells of a failure" in page.inner_text("#result")


def test_a_program_that_uses_everything(page: Any) -> None:
    add(page, "notes.txt", b"first\n")
    listed(page, "notes.txt")
    drop(page, "files.wasm", FILES)
    page.fill("#args", "/")
    page.fill("#env", "GREETING=Hello")
    page.fill("#stdin", "one\ntwo\n")
    assert start(page) == WRITTEN
    assert page.inner_text("#exit") == "Exit code 7"
    assert page.text_content("#result .console pre .err") == "the end\n"
    assert "standard error is in this colour" in page.inner_text("#result .console")
    assert "unit" in page.inner_text("#stats")
    listed(page, "made/", "moved.txt")
    assert page.inner_text("#details [data-id=files]") == "Files (1)"
    # The fields are part of the link.
    assert "GREETING" in page.url
    page.fill("#args", '/ "a b"')
    assert "argument: a b" in start(page)


def test_fields_that_are_refused(page: Any) -> None:
    page.fill("#env", "nothing")
    assert "line 1 is not of the form NAME=value" in failed_run(page)
    assert page.query_selector("#result .console") is None


def test_files_are_added_shown_taken_and_removed(page: Any) -> None:
    add(page, "plain.txt", "Grüße\n".encode())
    listed(page, "plain.txt")
    page.fill(".files .into input", "/some/where")
    add(page, "data.bin", b"\0\1\2")
    listed(page, "plain.txt", "some/", "where/", "data.bin")
    page.click(".tree button:has-text('plain.txt')")
    assert page.text_content(".view pre") == "Grüße\n"
    page.click(".tree button:has-text('data.bin')")
    page.wait_for_selector(".view:has-text('no text')")
    with page.expect_download() as download:
        page.click("[aria-label='Download some/where/data.bin']")
    assert Path(download.value.path()).read_bytes() == b"\0\1\2"
    with page.expect_download() as download:
        page.click("text=Download all")
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        assert archive.read("plain.txt").decode() == "Grüße\n"
        assert archive.read("some/where/data.bin") == b"\0\1\2"
    page.click("[aria-label='Delete some']")
    listed(page, "plain.txt")
    assert not page.is_visible(".view")
    # The focus stays in the list.
    assert page.evaluate("document.activeElement.closest('.tree') !== null")
    page.click("[aria-label='Delete plain.txt']")
    listed(page)


def test_files_are_dropped_on_the_tab(page: Any) -> None:
    page.fill(".files .into input", "/a/b")
    drop_at(page, ".files .drop", "first.txt")
    listed(page, "a/", "b/", "first.txt")
    drop_at(page, "[data-directory='/a'] > .entry", "second.txt")
    listed(page, "a/", "b/", "first.txt", "second.txt")
    # A module that is dropped there is a file, too.
    drop_at(page, ".files", "third.wasm")
    listed(page, "a/", "b/", "first.txt", "third.wasm", "second.txt")
    assert page.get_attribute("#plugin", "data-file") == "writer.wasm"
    page.click(".tree button:has-text('a/') >> nth=0")
    assert page.input_value(".files .into input") == "/a"


def test_a_file_cannot_be_added(page: Any) -> None:
    add(page, "file", b"text")
    listed(page, "file")
    page.fill(".files .into input", "/file")
    add(page, "inner", b"")
    page.wait_for_selector(".files .problem:has-text('a part of the path is no directory')")
    page.fill(".files .into input", "/")
    add(page, "more", b"")
    listed(page, "file", "more")
    assert page.inner_text(".files .problem") == ""


def test_what_was_written_before_a_trap(page: Any) -> None:
    drop(page, "traps.wasm", TRAPS)
    assert start(page) == "last"
    assert "unreachable" in page.inner_text("#error")


def test_a_deep_recursion(page: Any) -> None:
    text = """(module (func $f (param i32) (if (local.get 0)
        (then (call $f (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "_start") (call $f (i32.const DEPTH))))"""
    drop(page, "deep.wasm", assemble(text.replace("DEPTH", "1900")))
    assert start(page) == ""
    assert page.inner_text("#exit") == "Exit code 0"
    drop(page, "deeper.wasm", assemble(text.replace("DEPTH", "1000000")))
    assert "call stack exhausted" in failed_run(page)


def test_a_flood_of_output(page: Any) -> None:
    drop(page, "flood.wasm", FLOOD)
    text = start(page)
    assert page.inner_text("#exit") == "Exit code 0"
    assert len(text) == 200_000
    assert text.endswith("\n␛" + "a" * 98 + "\nthe end")
    assert "800,007 earlier characters left out" in page.inner_text("#result .console")


def test_a_sleeping_program_is_stopped(page: Any) -> None:
    add(page, "kept.txt", b"kept")
    listed(page, "kept.txt")
    drop(page, "sleeper.wasm", SLEEPER)
    page.click("#run")
    # What it writes is there before it ends.
    page.wait_for_selector("#result h2:has-text('Running')")
    wait_until(page, "document.querySelector('#result .console pre')?.textContent === 'good night'")
    page.click("#stop")
    page.wait_for_selector("#result h2:has-text('Stopped')")
    page.wait_for_selector("#status[data-state=ready]")
    assert console(page) == "good night"
    # The files are in the next worker, too.
    drop(page, "writer.wasm", WRITER)
    start(page)
    listed(page, "kept.txt", "made.txt")


def test_a_limit_ends_a_sleep(page: Any) -> None:
    page.click("#limits summary")
    page.fill("#limits [name=timeout]", "1")
    page.press("#limits [name=timeout]", "Tab")
    drop(page, "sleeper.wasm", SLEEPER)
    assert start(page) == "good night"
    assert "deadline exceeded" in page.inner_text("#error")
    page.fill("#limits [name=timeout]", "30")
    page.press("#limits [name=timeout]", "Tab")
    page.click("#limits summary")


def test_a_plugin_with_output(page: Any) -> None:
    drop(page, "talker.wasm", PLUGIN)
    page.fill("#input", "hello")
    assert run(page) == "hello"
    assert console(page) == "hello"
    page.fill("#input", "!")
    assert "the module exited with code 3" in failed_run(page)
    assert page.query_selector("#result .console") is None
    # In the debugger what is written is written once.
    page.fill("#input", "howdy")
    debug_to_the_end(page)
    assert page.text_content(".debug .console pre") == "howdy"
    for move in ("back run", "run"):
        with debugger_action(page):
            page.click(f"[data-move='{move}']")
    assert page.text_content(".debug .console pre") == "howdy"


def test_a_plugin_that_writes_while_it_is_loaded(page: Any) -> None:
    drop(page, "early.wasm", EARLY)
    page.wait_for_selector("#result h2:has-text('Loaded')")
    assert console(page) == "early"
    page.fill("#input", "hello")
    assert run(page) == "hello"
    assert console(page) == "hello"


def test_a_program_without_files(page: Any) -> None:
    drop(page, "hello.wasm", (ROOT / "fixtures/programs/hello_assemblyscript.wasm").read_bytes())
    assert page.query_selector("#details [data-id=files]") is None
    assert page.get_attribute("#details [data-id=functions]", "aria-selected") == "true"
    assert start(page) == "Hello from AssemblyScript, 2 times 1.5\n"


def test_a_command_in_the_debugger(page: Any) -> None:
    debug_to_the_end(page)
    assert "_start()" in page.inner_text(".debug .says")
    page.click("#details [data-id=files]")
    listed(page, "made.txt")


def test_a_sleep_in_the_debugger(page: Any) -> None:
    drop(page, "sleeper.wasm", SLEEPER)
    page.click("#debug")
    page.wait_for_selector(".debug .session:not([hidden])")
    page.click("[data-move=run]")
    wait_until(page, "document.querySelector('.debug .console pre').textContent === 'good night'")
    page.click("[data-move=stop]")
    page.wait_for_selector(".debug .intro:has-text('was ended together with')")
    page.wait_for_selector("#status[data-state=ready]")
    drop(page, "traps.wasm", TRAPS)
    assert start(page) == "last"


def test_every_control_has_a_name(page: Any) -> None:
    pick(page, "count_c.wasm")
    add(page, "a.txt", b"")
    listed(page, "a.txt")
    names = page.evaluate(
        """[...document.querySelectorAll("#plugin :is(input, textarea, button), .files :is(input,"
        + " button)")].map((e) => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent)"""
    )
    assert all(name.strip() for name in names)
    assert {"Add files", "Download a.txt", "Delete a.txt"} <= {*names}


def test_a_phone_in_the_dark(page: Any) -> None:
    page.set_viewport_size({"width": 375, "height": 740})
    page.emulate_media(color_scheme="dark")
    drop(page, "flood.wasm", FLOOD)
    add(page, "long" * 40 + ".txt", b"x" * 3000)
    page.wait_for_selector(".tree .name")
    start(page)
    page.click(".tree .name")
    page.wait_for_selector(".view pre")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    colour = page.evaluate("getComputedStyle(document.querySelector('.console .err')).color")
    assert max(map(int, re.findall(r"\d+", colour)[:3])) > 200
