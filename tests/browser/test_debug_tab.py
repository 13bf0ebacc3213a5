"""The Debug tab in Chromium: the moves of a session, forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.actions import box, debugger_action, drop, pick, run, wait_until
from tests.conftest import ROOT

FIXTURES = ROOT / "fixtures"

Visit = Callable[..., Any]

#: The state of the machine as the tab shows it, with the step and the marked instruction.
SHOWN = """() => {
    const text = (selector) => [...document.querySelectorAll(selector)].map((e) => e.textContent);
    return {
        step: text(".debug .step b")[0],
        here: text(".debug .listing .here")[0] ?? null,
        function: document.querySelector(".debug .program select").value,
        stack: text("[data-list=stack] .value"),
        locals: text("[data-list=locals] .value"),
        labels: text("[data-list=labels] .value"),
        frames: text("[data-list=frames] b"),
        globals: text("[data-list=globals] .value"),
    };
}"""


@pytest.fixture(scope="module")
def shared(visit: Visit) -> Any:
    """One page for all of the tests."""
    return visit(viewport={"width": 1280, "height": 900})


@pytest.fixture
def page(shared: Any) -> Iterator[Any]:
    """The shared page; nothing may be thrown or logged in it."""
    logged: list[str] = []

    def note(message: Any) -> None:
        logged.append(message.text)

    shared.on("console", note)
    yield shared
    shared.remove_listener("console", note)
    assert not shared.troubles
    assert not logged


def debug(page: Any, file: str, input: str | None = None) -> None:
    """Pick a bundled plugin, and open the debugger on its first tool."""
    pick(page, file)
    page.wait_for_selector("#run:enabled")
    if input is not None:
        page.fill("#input", input)
    page.click("#debug")
    page.wait_for_selector(".debug .session:not([hidden]) .here")
    wait_for_step(page, 0)


def step(page: Any) -> int:
    """Return the step that the session has reached."""
    return int(page.inner_text(".debug .step b").replace(",", ""))


def wait_for_step(page: Any, number: int) -> None:
    wait_until(
        page,
        "n => document.querySelector('.debug .step b')?.textContent === n.toLocaleString('en')"
        " && !document.querySelector('.debug .session').hasAttribute('data-busy')",
        number,
    )


def said(page: Any, sentence: str) -> None:
    """Wait until the tab shows the reason of the stop."""
    page.wait_for_selector(f'.debug .why:has-text("{sentence}")')
    page.wait_for_selector(".debug .session:not([data-busy])")


def enter(field: Any, text: str) -> None:
    """Type a text and press Enter, and wait for the effect."""
    field.fill(text)
    with debugger_action(field.page):
        field.press("Enter")


def move(page: Any, name: str) -> None:
    """Click the button of a move, and wait for its end."""
    with debugger_action(page):
        page.click(f".debug [data-move='{name}']")


def press(page: Any, key: str) -> None:
    """Press the key of an action, and wait for its end."""
    with debugger_action(page):
        page.keyboard.press(key)


def click_instruction(page: Any, text: str) -> None:
    """Click an instruction in the listing, which sets or removes a breakpoint."""
    with debugger_action(page):
        page.click(f".debug .listing div:has-text('{text}')")


def slide(page: Any, number: int) -> None:
    """Set the slider to a step."""
    page.evaluate(
        """n => { const slider = document.querySelector('.debug input[type=range]');
            slider.value = n; slider.dispatchEvent(new Event('input')); }""",
        number,
    )
    wait_for_step(page, number)


def shown(page: Any) -> Any:
    return page.evaluate(SHOWN)


@pytest.mark.parametrize(
    ("file", "input", "output"),
    [("echo.wasm", "Hello", "Hello"), ("shout_rust.wasm", "hi", "HI")],
)
def test_step_by_step_forward_and_back(page: Any, file: str, input: str, output: str) -> None:
    debug(page, file, input)
    places = [shown(page)]
    while len(places) < 25 and not page.is_visible(".debug .answer"):
        move(page, "step")
        wait_for_step(page, len(places))
        places.append(shown(page))
    # The moves reached several instructions.
    assert len({place["here"] for place in places}) > 1
    move(page, "run")
    said(page, "The call has finished.")
    assert page.inner_text(".debug .answer pre") == output
    end = step(page)
    # A step after the end changes nothing.
    move(page, "step")
    assert step(page) == end
    slide(page, len(places) - 1)
    for number in reversed(range(len(places) - 1)):
        move(page, "back step")
        wait_for_step(page, number)
        assert shown(page) == places[number]
    said(page, "At the start.")
    move(page, "back step")
    assert shown(page) == places[0]


def test_what_changed_is_marked_by_colour_and_sign(page: Any) -> None:
    debug(page, "shout_c.wasm", "ab")
    while not page.query_selector(".debug .hex .writes"):
        move(page, "step")
    assert "it writes 1 byte at 0x" in page.inner_text(".debug .linear header")
    move(page, "step")
    (byte,) = page.locator(".debug .hex .bytes .changed").all_inner_texts()
    assert bytes.fromhex(byte) == b"A"
    while not page.query_selector("[data-list=stack] .changed"):
        move(page, "step")
    assert page.locator("[data-list=stack] .changed .mark").count() == 1
    background = "e => getComputedStyle(e).backgroundColor"
    marked = page.locator("[data-list=stack] .changed").first.evaluate(background)
    plain = page.locator("[data-list=locals] > div:not(.changed)").first.evaluate(background)
    assert marked != plain


def test_a_breakpoint_by_a_click_there_and_back(page: Any) -> None:
    debug(page, "shout_c.wasm", "abc")
    click_instruction(page, "i32.store8")
    page.wait_for_selector("[data-list=breakpoints] .point")
    assert page.locator(".debug .listing .point").count() == 1
    stops = []
    for _ in range(3):
        move(page, "run")
        said(page, "Breakpoint 1.")
        stops.append(shown(page))
    assert "i32.store8" in stops[0]["here"]
    for earlier in reversed(stops[:-1]):
        move(page, "back run")
        said(page, "Breakpoint 1.")
        assert shown(page) == earlier
    assert "stops" in page.inner_text("[data-list=breakpoints]")
    # A second click removes it.
    click_instruction(page, "i32.store8")
    page.wait_for_selector("[data-list=breakpoints] .point", state="detached")
    move(page, "run")
    said(page, "The call has finished.")
    assert page.inner_text(".debug .answer pre") == "ABC"


def test_breakpoints_by_place_and_condition(page: Any) -> None:
    debug(page, "shout_c.wasm", "abc")
    place, condition = page.locator(".list-breakpoints input").all()
    enter(place, "nowhere")
    page.wait_for_selector(".debug .problem:has-text('no function has that name')")
    place.fill("plugin_tool_execute:1")
    enter(condition, "if 1 +")
    page.wait_for_selector(".debug .problem:has-text('1 +')")
    enter(condition, "if local[0] == 0")
    page.wait_for_selector("[data-list=breakpoints] .point:has-text('if local[0] == 0')")
    assert page.inner_text(".debug .session > .problem") == ""
    with debugger_action(page):
        page.click("[data-list=breakpoints] .remove")
    page.wait_for_selector("[data-list=breakpoints] .point", state="detached")


def test_the_slider_over_the_whole_history(page: Any) -> None:
    debug(page, "shout_rust.wasm", "slide")
    # During a move the slider is disabled and ignores the mouse.
    press(page, "c")
    said(page, "The call has finished.")
    end = step(page)
    slider = page.locator(".debug input[type=range]:enabled")
    assert slider.get_attribute("max") == str(end)
    place = box(page, ".debug input[type=range]")
    y = place["y"] + place["height"] / 2
    page.mouse.move(place["x"] + place["width"] - 8, y)
    page.mouse.down()
    for part in range(19, 4, -1):
        page.mouse.move(place["x"] + place["width"] * part / 20, y)
    page.mouse.up()
    # The browser delivers the mouse's moves with its next frame.
    wait_until(
        page,
        """() => { const slider = document.querySelector('.debug input[type=range]');
            return slider.valueAsNumber < 0.3 * slider.max
                && slider.value === document.querySelector('.debug .step b')
                    .textContent.replaceAll(',', ''); }""",
    )
    page.wait_for_selector(".debug .session:not([data-busy])")
    assert 0.2 * end < step(page) < 0.3 * end
    middle = shown(page)
    assert middle["here"]
    slider.press("ArrowLeft")
    wait_for_step(page, int(middle["step"].replace(",", "")) - 1)
    slider.press("ArrowRight")
    wait_for_step(page, int(middle["step"].replace(",", "")))
    assert shown(page) == middle


def test_with_the_keyboard_alone(page: Any) -> None:
    pick(page, "shout_c.wasm")
    page.wait_for_selector("#run:enabled")
    page.fill("#input", "sno")
    # In a text field letters are no moves.
    page.press("#input", "s")
    assert len(page.input_value("#input")) == 4
    page.fill("#input", "xy")
    page.focus("#debug")
    page.keyboard.press("Enter")
    page.wait_for_selector(".debug .session:not([hidden]) .here")
    wait_for_step(page, 0)
    for number in (1, 2, 3):
        page.keyboard.press("s")
        wait_for_step(page, number)
    page.keyboard.press("Shift+S")
    wait_for_step(page, 2)
    page.keyboard.press("n")
    wait_for_step(page, 3)
    page.keyboard.press("Shift+N")
    wait_for_step(page, 2)
    press(page, "b")
    page.wait_for_selector(".debug .listing .here.point")
    page.focus(".debug .listing")
    page.keyboard.press("ArrowDown")
    press(page, "Enter")
    wait_until(page, "document.querySelectorAll('.debug .listing .point').length === 2")
    press(page, "c")
    said(page, "Breakpoint 2.")
    press(page, "Shift+C")
    said(page, "Breakpoint 1.")
    wait_for_step(page, 2)
    press(page, "o")
    said(page, "Breakpoint 2.")
    press(page, "Shift+O")
    said(page, "At the start.")


def test_an_endless_loop_is_stopped_and_the_session_stays(page: Any) -> None:
    debug(page, "loop_forever.wasm")
    for _ in range(3):
        move(page, "step")
    third = shown(page)
    page.keyboard.press("c")
    page.wait_for_selector(".debug [data-move=stop]:not([hidden])")
    wait_until(
        page, "document.querySelector('.debug .step b').textContent.replaceAll(',', '') > 10000"
    )
    # The page still reacts: it shows another tab and the Debug tab again.
    page.click("#details [data-id=interface]")
    page.click("#details [data-id=debug]")
    page.click(".debug [data-move=stop]")
    said(page, "Stopped. Every move continues from this step.")
    last = step(page)
    move(page, "back step")
    wait_for_step(page, last - 1)
    slide(page, 3)
    assert shown(page) == third
    # The Escape key does the same. During a run another plugin can be picked.
    page.keyboard.press("c")
    page.wait_for_selector(".debug [data-move=stop]:not([hidden])")
    page.keyboard.press("Escape")
    said(page, "Stopped.")
    page.keyboard.press("c")
    page.wait_for_selector(".debug [data-move=stop]:not([hidden])")
    pick(page, "echo.wasm")
    page.wait_for_selector("#run:enabled")
    assert run(page)


def test_a_trap_and_the_frames(page: Any) -> None:
    debug(page, "recurse_forever.wasm")
    press(page, "c")
    page.wait_for_selector(".debug .why.trap:has-text('call stack exhausted')")
    assert "more" in page.inner_text("[data-list=frames]")
    with debugger_action(page):
        page.locator("[data-list=frames] .frame").last.click()
    page.wait_for_selector(".debug .listing .waits")
    assert page.locator("[data-list=frames] [aria-current=true] b").inner_text() == (
        "plugin_tool_execute"
    )
    debug(page, "trap_division.wasm")
    press(page, "c")
    page.wait_for_selector(".debug .why.trap:has-text('integer divide by zero')")
    assert "i32.div_s" in page.text_content(".debug .listing .here")
    move(page, "back step")
    assert not page.query_selector(".debug .why.trap")


def test_memory_at_an_expression(page: Any) -> None:
    debug(page, "shout_c.wasm", "memory")
    assert "memory" in "".join(page.locator(".debug .hex .text").all_inner_texts())
    box = page.locator(".debug .linear input")
    enter(box, "local[1] + 2")
    page.wait_for_selector(".debug .linear header:has-text('local[1] + 2 is 0x')")
    enter(box, "nonsense")
    page.wait_for_selector(".debug .session > .problem:has-text('nonsense')")
    with debugger_action(page):
        page.click(".debug button:has-text('Follow the call')")
    page.wait_for_selector(".debug button:has-text('Follow the call')", state="hidden")


def test_who_wrote_a_byte(page: Any) -> None:
    debug(page, "shout_c.wasm", "abc")
    press(page, "c")
    said(page, "The call has finished.")
    with debugger_action(page):
        page.click(".debug .hex .text b.changed >> nth=1")
    page.wait_for_selector("[data-list=breakpoints] .point:has-text('memory 0x')")
    press(page, "Shift+C")
    said(page, "went from 62 'b' to 42 'B'")
    assert "i32.store8" in page.text_content(".debug .listing .here")
    assert page.locator(".debug .hex .bytes .watched.writes").count() == 1
    with debugger_action(page):
        page.click("[data-list=breakpoints] .remove")
    page.wait_for_selector("[data-list=breakpoints] .point", state="detached")


def test_the_example_to_debug(page: Any) -> None:
    """The hint of `buggy_shout` leads to the instruction."""
    debug(page, "buggy_shout.wasm")
    hint = page.inner_text("#plugin .hint")
    assert "click the byte 7a" in hint
    move(page, "run")
    (answer,) = page.locator(".debug .answer pre").all_inner_texts()
    assert answer == "PIzzA"
    with debugger_action(page):
        page.click(".debug .hex .bytes b:text-is('7a') >> nth=0")
    move(page, "back run")
    said(page, "went from 00 to 7a 'z'")
    assert "i32.store8" in page.text_content(".debug .listing .here")
    page.click("[data-list=breakpoints] .remove")


def test_what_cannot_be_debugged(page: Any) -> None:
    drop(page, "missing.wasm", (FIXTURES / "wat/missing_execute.wasm").read_bytes())
    page.click("#details [data-id=debug]")
    page.wait_for_selector(".debug .intro:has-text('could not be loaded as a plugin')")
    drop(page, "with_schema.wasm", (FIXTURES / "wat/with_schema.wasm").read_bytes())
    page.wait_for_selector("#run:enabled")
    page.fill("#field-1", "0")
    page.click(".debug .intro button")
    page.wait_for_selector(".debug .intro .problem:has-text('Invalid arguments')")
    debug(page, "echo.wasm", "fine")


def test_a_run_that_is_stopped_ends_the_session_with_a_word(page: Any) -> None:
    debug(page, "loop_forever.wasm")
    page.click("#run")
    page.wait_for_selector("#stop:not([hidden])")
    page.click("#stop")
    page.wait_for_selector(".debug .intro .problem:has-text('was ended')")
    page.wait_for_selector("#status[data-state=ready]")
    page.wait_for_selector("#run:enabled")
    page.click(".debug .intro button")
    page.wait_for_selector(".debug .session:not([hidden]) .here")


def test_on_a_phone_in_the_dark(visit: Visit) -> None:
    phone = visit(viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True)
    debug(phone, "shout_rust.wasm", "hi")
    for number in range(1, 6):
        phone.tap(".debug [data-move=step]")
        wait_for_step(phone, number)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert not phone.troubles
    phone.close()
