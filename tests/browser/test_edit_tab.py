"""The Edit tab in Chromium: a learner writes a module, breaks it, mends it, runs and steps it."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.actions import debugger_action, drop, failed_run, failure, pick, run, wait_until
from tests.conftest import ROOT

WAT = ROOT / "fixtures" / "wat"

Visit = Callable[..., Any]

#: What a visitor types: a whole plugin, with a tool that answers how long its input is, as a digit.
DIGIT = """(module
  (memory (export "memory") 1)
  (data (i32.const 16) "digit\\00")
  (data (i32.const 32) "1.0.0\\00")
  (func (export "plugin_name") (result i32) i32.const 16)
  (func (export "plugin_version") (result i32) i32.const 32)
  (func (export "plugin_description") (result i32) i32.const 16)
  (func (export "plugin_tools_count") (result i32) i32.const 1)
  (func (export "plugin_tool_name") (param i32) (result i32) i32.const 16)
  (func (export "plugin_tool_description") (param i32) (result i32) i32.const 16)
  (func $length (param $text i32) (result i32)
    (local $at i32)
    (local.set $at (local.get $text))
    (loop $next
      (if (i32.load8_u (local.get $at))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))
    (i32.sub (local.get $at) (local.get $text)))
  (func (export "plugin_tool_execute") (param $tool i32) (param $input i32) (result i32)
    (i32.store8 (i32.const 64) (i32.add (i32.const 48) (call $length (local.get $input))))
    (i32.const 64)))
"""

BROKEN = DIGIT.replace("(call $length", "(call $lenght")

INVALID = DIGIT.replace("(i32.const 1)))\n", "(f32.const 1)))\n")

ADD = """(func (export "add") (param i64 i64) (result i64)
  (i64.add (local.get 0) (local.get 1)))
(func (export "crash") unreachable)"""


@pytest.fixture(scope="module")
def shared(visit: Visit) -> Any:
    """One page for all tests, opened by a link with a text. `replaces` answers its questions."""
    page = visit(
        f"#text={packed(DIGIT.encode())}&tool=digit&input=four",
        ready=False,
        viewport={"width": 1280, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
    )
    page.dialogs = []

    def answer(dialog: Any) -> None:
        page.dialogs.append(dialog.message)
        if page.replaces:
            dialog.accept()
        else:
            dialog.dismiss()

    page.on("dialog", answer)
    return page


@pytest.fixture
def page(shared: Any) -> Iterator[Any]:
    """The shared page on the Edit tab, with the starter; nothing may be thrown in it."""
    shared.replaces = True
    shared.click("#write")
    shared.select_option("#text-example", "")
    shared.select_option("#text-example", "rot13")
    state(shared, "a plugin of 512 bytes")
    shared.dialogs.clear()
    yield shared
    assert not shared.troubles


def state(page: Any, words: str) -> str:
    """Wait until the newest text was checked, and the tab says some words about it."""
    page.wait_for_selector(f'.edit .state:not(.old):has-text("{words}")')
    return str(page.inner_text("#text-status"))


def write(page: Any, text: str, words: str) -> None:
    page.fill("#text", text)
    state(page, words)


def run_text(page: Any) -> str:
    """Press Run in the tab, and return the output."""
    page.evaluate("document.getElementById('result').hidden = true")
    page.click("#run-text")
    page.wait_for_selector("#result:not([hidden]) :is(#output, #error, #exit)")
    assert page.query_selector("#error") is None, page.inner_text("#result")
    return str(page.text_content("#output, .console pre"))


def packed(data: bytes) -> str:
    """Return what a link carries for a text."""
    compress = zlib.compressobj(9, wbits=-15)
    deflated = compress.compress(data) + compress.flush()
    return base64.urlsafe_b64encode(deflated).decode().rstrip("=")


def test_a_link_is_not_run_by_itself(shared: Any) -> None:
    """The first test: it sees the page as the link opens it."""
    state(shared, "a plugin")
    assert shared.input_value("#text") == DIGIT
    assert "only when you press Run" in shared.inner_text(".edit .says")
    assert shared.is_hidden("#plugin")
    assert shared.is_hidden("#result")
    assert run_text(shared) == "4"


def test_a_learner(page: Any) -> None:
    write(page, DIGIT, "No errors: a plugin of")
    assert run_text(page) == "0"
    page.fill("#input", "seven77")
    assert run(page) == "7"
    # It is broken; the fault is under its line.
    write(page, BROKEN, "unknown function $lenght; did you mean $length?")
    before = BROKEN[: BROKEN.index("$lenght")]
    number, column = before.count("\n") + 1, len(before) - before.rindex("\n")
    state(page, f"Line {number}, column {column}")
    assert page.inner_text(".editor .numbers .bad") == str(number)
    assert page.text_content(".editor .layer .bad .wrong") == "$lenght"
    strip, line = (
        page.locator(f".editor {part}").bounding_box() for part in (".fault", ".layer .bad")
    )
    assert strip["y"] == pytest.approx(line["y"] + line["height"], abs=2)
    assert page.get_attribute("#text", "aria-invalid") == "true"
    # Run does not run the text before the last change, and leads to the fault.
    page.evaluate("document.getElementById('result').hidden = true")
    page.click("#run-text")
    wait_until(page, "document.activeElement.id === 'text'")
    page.keyboard.press("Shift+End")
    selected = page.evaluate("getSelection().toString()")
    assert selected.startswith("$lenght (local.get $input)")
    assert page.is_hidden("#result")
    # A module that is not valid shows its fault in the same way.
    write(page, INVALID, "type mismatch in i32.add")
    # It is mended, and run with the input from before.
    write(page, DIGIT, "No errors")
    assert page.is_hidden(".editor .fault")
    assert run_text(page) == "7"
    # It is stepped, in the lines of its text.
    page.click("#debug-text")
    page.wait_for_selector(".debug .session:not([hidden]) .op.here")
    assert page.text_content(".debug .op.here") == "i32.const"
    lines = page.locator(".debug .listing > div").all_text_contents()
    first = DIGIT[: DIGIT.index('(func (export "plugin_tool_execute")')].count("\n") + 1
    assert lines[0].startswith(f'{first}  (func (export "plugin_tool_execute")')
    for _ in range(3):
        with debugger_action(page):
            page.click("[data-move=step]")
    assert page.text_content(".debug .op.here") == "call"
    with debugger_action(page):
        page.click("[data-move=step]")
    assert page.text_content(".debug .op.here") == "local.get"
    assert "$length" in page.locator(".debug .listing > div").first.text_content()
    # A breakpoint is set by a click on a word of the text.
    with debugger_action(page):
        page.click(".debug .op:has-text('i32.sub')")
    with debugger_action(page):
        page.click("[data-move=run]")
    assert page.text_content(".debug .op.here.point") == "i32.sub"
    assert page.locator("[data-list=stack] .value").all_text_contents()[0].startswith("65536")
    page.click("#details [data-id=edit]")
    assert page.input_value("#text") == DIGIT


def test_the_card_runs_the_newest_text(page: Any) -> None:
    assert run_text(page) == "Uryyb, JroNffrzoyl!"
    newer = page.input_value("#text").replace("(i32.const 13)", "(i32.const 0)")
    page.fill("#text", newer)
    # The button beside the input, before the text was checked.
    page.evaluate("document.getElementById('result').hidden = true")
    page.click("#run")
    page.wait_for_selector("#output")
    assert page.inner_text("#output") == "Hello, WebAssembly!"
    # The same for the debugger's own button.
    page.click("#details [data-id=debug]")
    page.click("#details [data-id=edit]")
    page.fill("#text", newer + ";; changed")
    page.click("#details [data-id=debug]")
    page.click("[data-move=open]")
    page.wait_for_selector(".debug .problem:has-text('has changed since it was loaded')")
    page.click("#details [data-id=edit]")


def test_functions_on_numbers(page: Any) -> None:
    write(page, ADD, "that exports “add”, “crash”")
    assert run_text(page) == "0"
    page.fill("#argument-0", "one")
    assert "Argument 1, “one”, is no i64" in failed_run(page)
    page.fill("#argument-0", "-1")
    page.fill("#argument-1", "0x10")
    assert run(page) == "15"
    assert "i64" in page.inner_text("#result")
    page.click("#debug-text")
    page.wait_for_selector(".debug .session:not([hidden]) .op.here")
    with debugger_action(page):
        page.click("[data-move=run]")
    assert page.inner_text(".debug .answer") == "The function returns\n15"
    page.click("#plugin [role=tab]:has-text('crash')")
    page.click("#run")
    assert "Unreachable" in failure(page)
    assert "Traceback" not in page.inner_text("#result")
    page.click("#details [data-id=edit]")


def test_a_program(page: Any) -> None:
    page.select_option("#text-example", "says_hello")
    state(page, "a program of")
    assert "how a buffer is handed over" in page.inner_text(".edit .says")
    assert run_text(page) == "Hello from WebAssembly!\n"
    assert page.inner_text("#exit") == "Exit code 0"
    # The tab stays open.
    assert page.is_visible("#text")


def test_a_module_without_anything_to_run(page: Any) -> None:
    write(page, "(module)", "exports no function that could be called")
    page.click("#run-text")
    assert "This module is not a plugin" in failure(page)
    write(page, '(module (import "env" "f" (func)))', "exports no function")
    page.click("#run-text")
    page.wait_for_selector("#result:has-text('imports env.f')")
    assert "Traceback" not in page.inner_text("#result")


def test_the_newest_text_wins(page: Any) -> None:
    for number in range(12):
        page.evaluate(
            """text => { const area = document.getElementById("text"); area.value = text;
                area.dispatchEvent(new Event("input")); }""",
            f"(func $f{number}) (func call $g{number})" + " " * 20_000 * (number % 3),
        )
        page.wait_for_timeout(40 * number)
    state(page, "unknown function $g11; did you mean $f11?")
    # A text that is typed while Python is busy is checked afterwards.
    pick(page, "loop_forever.wasm")
    page.click("#run")
    page.wait_for_selector("#stop:not([hidden])")
    page.fill("#text", "(func $busy) (func call $buzy)")
    page.click("#stop")
    state(page, "unknown function $buzy; did you mean $busy?")


def test_the_keyboard(page: Any) -> None:
    write(page, "(func\n  nop)", "exports no function")
    page.focus("#text")
    page.keyboard.press("Control+End")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(";; in")
    assert page.input_value("#text") == "(func\n  nop)\n    ;; in"
    # It can be undone.
    page.keyboard.press("Control+a")
    page.keyboard.press("Tab")
    assert page.input_value("#text") == "  (func\n    nop)\n      ;; in"
    page.keyboard.press("Control+z")
    assert page.input_value("#text") == "(func\n  nop)\n    ;; in"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") != "text"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") != "text"
    write(page, DIGIT, "a plugin")
    page.focus("#text")
    page.keyboard.press("Control+Enter")
    wait_until(page, "document.getElementById('output')?.textContent === '0'")
    assert page.evaluate("document.activeElement.id") == "text"


def test_a_module_as_text(page: Any) -> None:
    pick(page, "stateful.wasm")
    page.click("#details [data-id=edit]")
    page.click("#open-text:has-text('Open stateful.wasm as text')")
    page.wait_for_selector(".edit .says:has-text('made from its bytes')")
    state(page, "a plugin of")
    assert "global.get $calls" in page.input_value("#text")
    assert page.dialogs == []
    assert [run_text(page), run_text(page)] == ["1", "2"]
    pick(page, "rust_documents.wasm")
    page.click("#details [data-id=edit]")
    page.click("#open-text:has-text('rust_documents')")
    page.wait_for_selector(".edit .says:has-text('too large to be edited here')")
    assert "global.get $calls" in page.input_value("#text")


def test_nothing_is_lost(page: Any) -> None:
    mine = DIGIT + ";; größe 🎈"
    write(page, mine, "a plugin")
    run_text(page)
    page.fill("#input", "four")
    page.click("#share-text")
    page.wait_for_selector("#toast.shown")
    link = page.url
    assert page.evaluate("navigator.clipboard.readText()") == link
    assert len(link) < 1500
    # Another plugin, another tab, and a reload, with the address of the older text.
    write(page, mine + " ;; more", "a plugin")
    pick(page, "shout_c.wasm")
    page.click("#details [data-id=functions]")
    page.click("#details [data-id=edit]")
    assert page.input_value("#text") == mine + " ;; more"
    page.goto(link)
    page.reload()
    page.wait_for_selector("#status[data-state=ready]")
    state(page, "a plugin")
    assert page.input_value("#text") == mine + " ;; more"
    assert page.dialogs == []
    # What replaces it is asked for.
    page.replaces = False
    page.select_option("#text-example", "gcd")
    assert page.input_value("#text-example") == ""
    drop(page, "other.wat", ADD.encode(), loads=False)
    page.evaluate("link => { location.hash = 'text=' + link; }", packed(ADD.encode()))
    wait_for_questions(page, 3)
    assert page.input_value("#text") == mine + " ;; more"
    page.replaces = True
    drop(page, "other.wat", ADD.encode(), loads=False)
    state(page, "“add”")
    assert {*page.dialogs} == {
        "Replace the text in the Edit tab? What you have changed in it is lost."
    }
    # A text that was not changed is replaced at once: here by that of the first link.
    page.evaluate("link => { location.hash = link; }", link.partition("#")[2])
    state(page, "a plugin")
    assert page.input_value("#text") == mine
    assert len(page.dialogs) == 4
    assert run_text(page) == "4"


def wait_for_questions(page: Any, count: int) -> None:
    for _ in range(100):
        if len(page.dialogs) >= count:
            break
        page.wait_for_timeout(50)
    assert len(page.dialogs) == count


def test_a_text_that_is_too_long_for_a_link(page: Any) -> None:
    noise = "".join(f";; {number * 7919 % 100_003:05} {number**3}\n" for number in range(1500))
    page.evaluate(
        """text => { const area = document.getElementById("text"); area.value = text;
            area.dispatchEvent(new Event("input")); }""",
        noise,
    )
    address = page.url
    page.click("#share-text")
    page.wait_for_selector(".edit .says:has-text('and 8,000 are the most')")
    assert page.url == address


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("", "damaged"),
        ("%%%", "damaged"),
        ("AAAA", "damaged"),
        (packed(b"\xff\xfe"), "damaged"),
        (packed(b"(module)")[:-4], "damaged"),
        (packed(b" " * 600_000), "more than 500,000 bytes"),
        ("A" * 9000, "too long"),
    ],
)
def test_hostile_links(page: Any, link: str, words: str) -> None:
    before = page.input_value("#text")
    page.evaluate("link => { location.hash = 'text=' + encodeURIComponent(link); }", link)
    page.wait_for_selector(f".edit .says:has-text('{words}')")
    assert page.input_value("#text") == before


def test_a_link_does_nothing_but_show_its_text(page: Any) -> None:
    endless = '(module (func (loop (br 0))) (start 0)) ;; <img src=x onerror="injected = 1">'
    page.evaluate("link => { location.hash = 'text=' + link; }", packed(endless.encode()))
    state(page, "exports no function")
    page.wait_for_timeout(300)
    assert page.input_value("#text") == endless
    assert page.get_attribute("#status", "data-state") == "ready"
    assert page.evaluate("window.injected") is None
    assert page.query_selector(".editor img") is None


def test_the_tab_opens_without_a_module(page: Any) -> None:
    page.click("#details [data-id=functions]")
    drop(page, "broken.wasm", b"\0asm")
    assert "Failed to compile" in failure(page)
    assert page.is_hidden("#details")
    page.click("#write")
    assert page.is_visible("#text")
    assert page.locator("#details [role=tab]").all_text_contents() == ["Edit"]
    assert run_text(page) == "Uryyb, JroNffrzoyl!"


def test_downloads(page: Any) -> None:
    with page.expect_download() as download:
        page.click("#save-wasm")
    assert download.value.suggested_filename == "rot13.wasm"
    assert Path(download.value.path()).read_bytes() == (WAT / "rot13.wasm").read_bytes()
    with page.expect_download() as download:
        page.click("#save-wat")
    assert Path(download.value.path()).read_bytes() == (WAT / "rot13.wat").read_bytes()


def test_every_control_has_a_name(page: Any) -> None:
    write(page, BROKEN, "did you mean")
    names = page.evaluate(
        """[...document.querySelectorAll(".edit :is(textarea, select, button:not([hidden]))")]
            .map((e) => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent)"""
    )
    assert all(name.strip() for name in names)
    assert "The module, in the WebAssembly text format" in names
    for name in page.get_attribute("#text", "aria-describedby").split():
        assert page.query_selector(f"#{name}") is not None
    # The first fault of the page is said by the status, not by what is drawn over the text.
    assert page.get_attribute("#text-status", "role") == "status"


def test_a_phone_in_the_dark(page: Any) -> None:
    page.set_viewport_size({"width": 375, "height": 740})
    page.emulate_media(color_scheme="dark")
    write(page, BROKEN, "did you mean")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    colour = page.evaluate("getComputedStyle(document.querySelector('.editor .fault')).color")
    assert max(map(int, re.findall(r"\d+", colour)[:3])) > 200
    write(page, DIGIT, "a plugin")
    assert run_text(page) == "0"
    page.click("#debug-text")
    page.wait_for_selector(".debug .session:not([hidden]) .op.here")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
