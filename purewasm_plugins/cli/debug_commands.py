"""The commands of the debugger's prompt: each moves the session or prints something.

Each command is a row of a table, with its short names, its help and an example; `help`, completion
and the tests read the same table. Nothing here reads from the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from purewasm_plugins.cli.debug_screen import ADDRESS, DIM, NAME, Screen, number
from purewasm_plugins.cli.output import progress, show, visible
from purewasm_plugins.debugger import DebuggerError, DebugSession, Stop
from purewasm_plugins.debugger.explain import explain
from purewasm_plugins.debugger.wording import write_text
from purewasm_plugins.errors import WasmError
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC

#: Bytes that `x` shows, and lines that `l` does, if nothing is said.
_BYTES, _LINES = 64, 15


class Refused(Exception):
    """A command cannot be done; the message says why."""


@dataclass(frozen=True)
class Command:
    """A command of the prompt.

    Attributes:
        names: the one that `help` shows first, and the others.
        usage: its arguments.
        help: what it does, in a sentence.
        example: one way to use it.
        group: the heading above it in `help`.
    """

    names: tuple[str, ...]
    usage: str
    help: str
    example: str
    group: str


FORWARDS, BACKWARDS, STOPS, LOOK, OTHER = (
    "Forwards",
    "Backwards",
    "Where to stop",
    "Look around",
    "And",
)

COMMANDS = (
    Command(("s", "step"), "[N]", "Run one instruction, or N.", "s 10", FORWARDS),
    Command(("n", "next"), "", "Run one instruction, a call as a whole.", "n", FORWARDS),
    Command(("finish", "out"), "", "Run until the function returns.", "finish", FORWARDS),
    Command(("c", "continue"), "", "Run until something stops it.", "c", FORWARDS),
    Command(("until", "u"), "PLACE", "Run until PLACE.", "until parse:3", FORWARDS),
    Command(("rs", "back"), "[N]", "Take back one instruction, or N.", "rs", BACKWARDS),
    Command(("rn",), "", "Take back one instruction, a call as a whole.", "rn", BACKWARDS),
    Command(("rf", "rfinish"), "", "Go back to the call of the function.", "rf", BACKWARDS),
    Command(("rc",), "", "Go back to the last breakpoint or watched write.", "rc", BACKWARDS),
    Command(("goto", "g"), "STEP", "Go to a step by its number.", "goto 120", BACKWARDS),
    Command(
        ("last",), "ADDRESS", "Find the last write to a byte of memory.", "last 0x400", BACKWARDS
    ),
    Command(
        ("b", "break"),
        "[PLACE] [if CONDITION] [after N]",
        "Stop before an instruction. PLACE is a function, FUNCTION:N for its N-th instruction, or "
        "a byte offset; without one, here.",
        "b parse:3 if local.i == 7",
        STOPS,
    ),
    Command(
        ("watch", "w"),
        "ADDRESS [SIZE] | $LOCAL | global NAME  [if CONDITION]",
        "Stop after a write that changes memory, a local or a global.",
        "watch 0x400 4",
        STOPS,
    ),
    Command(("d", "delete"), "NUMBER", "Remove a breakpoint or watchpoint.", "d 1", STOPS),
    Command(("info", "i"), "", "List the breakpoints and watchpoints.", "info", STOPS),
    Command(
        ("p", "print"),
        "EXPRESSION",
        "Print a value. $name is a local, a global or a function; local, stack and global_ go by "
        "name or number, memory by address, and string(address) is the text there.",
        "p string($input)",
        LOOK,
    ),
    Command(("x",), "ADDRESS [SIZE]", "Show memory.", "x stack[-1] 32", LOOK),
    Command(("bt", "where"), "", "Show the functions that are active.", "bt", LOOK),
    Command(("l", "list"), "[PLACE]", "Show the code there, or here.", "l parse", LOOK),
    Command(("globals",), "", "Show the globals.", "globals", LOOK),
    Command(("tables",), "", "Show the tables.", "tables", LOOK),
    Command(("functions", "f"), "[WORD]", "List the functions.", "functions parse", LOOK),
    Command(
        ("explain", "e"),
        "[INSTRUCTION]",
        "Say what an instruction does, or the next one.",
        "explain i32.load8_u",
        LOOK,
    ),
    Command(
        ("output", "o"),
        "",
        "Show what the plugin has written to its output streams up to here.",
        "output",
        LOOK,
    ),
    Command(("show", "v"), "", "Draw the screen again.", "show", LOOK),
    Command(("svg",), "FILE", "Save the screen as a picture.", "svg screen.svg", OTHER),
    Command(("help", "h", "?"), "[COMMAND]", "Show this, or more on one command.", "help b", OTHER),
    Command(("q", "quit"), "", "Leave. An empty line repeats the last command.", "q", OTHER),
)

BY_NAME = {name: command for command in COMMANDS for name in command.names}


class Commands:
    """The commands of one prompt, on one session.

    Attributes:
        ended: whether the user has left.
    """

    def __init__(self, session: DebugSession, screen: Screen) -> None:
        self.ended = False
        self._session = session
        self._screen = screen
        self._previous = ""

    def run(self, line: str) -> None:
        """Run a line; an empty one repeats the last.

        Raises:
            Refused: it cannot be done.
        """
        line = line.strip()
        if line.startswith("#"):
            return
        line = line or self._previous
        if not line:
            return
        self._previous = line
        name, _, rest = line.partition(" ")
        command = BY_NAME.get(name)
        if command is None:
            close = sorted(known for known in BY_NAME if known.startswith(name[:1]))
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise Refused(f"there is no command '{visible(name, 20)}'{hint or '; help lists them'}")
        action: Callable[[str], None] = getattr(self, "_" + _method(command))
        try:
            action(rest.strip())
        except (DebuggerError, WasmError, ValueError) as error:
            raise Refused(str(error)) from error

    def complete(self, text: str, line: str) -> list[str]:
        """Return what the last word of a line may be completed to."""
        words = line.split()
        if not words or (len(words) == 1 and not line.endswith(" ")):
            return sorted(name + " " for name in BY_NAME if name.startswith(text))
        command = BY_NAME.get(words[0])
        names: Iterable[str] = ()
        if command is not None and command.names[0] in ("b", "until", "l", "functions"):
            program = self._session.program
            names = (program.function_name(index) for index in program.functions())
        elif command is not None and command.names[0] in ("help",):
            names = BY_NAME
        elif command is not None and command.names[0] == "explain":
            names = BY_MNEMONIC
        elif command is not None and command.names[0] in ("p", "x", "watch", "last"):
            names = self._expressions()
        # readline prints names as they are.
        typed = {name for name in names if " " not in name and name.isprintable()}
        return sorted(name for name in typed if name.startswith(text))

    def _expressions(self) -> Iterable[str]:
        yield from ("memory[", "string(", "stack[-1]", "i32(", "global ")
        for frame in self._session.view.frames()[:1]:
            for value in frame.locals:
                if value.name:
                    yield from (f"local.{value.name}", f"${value.name}")
        for entry in self._session.view.globals():
            if entry.value.name:
                yield f"global_.{entry.value.name}"

    # Moves

    def _s(self, rest: str) -> None:
        count, session = _count(rest), self._session
        self._go(session.step if count == 1 else lambda: session.resume(limit=count))

    def _n(self, rest: str) -> None:
        self._go(self._session.step_over)

    def _finish(self, rest: str) -> None:
        self._go(self._session.step_out)

    def _c(self, rest: str) -> None:
        self._go(self._session.resume)

    def _until(self, rest: str) -> None:
        place = self._session.program.locate(_needed(rest, "until parse:3"))
        self._go(lambda: self._session.run_to(place))

    def _rs(self, rest: str) -> None:
        count, session = _count(rest), self._session
        self._go(lambda: session.go_to(session.step_number - count))

    def _rn(self, rest: str) -> None:
        self._go(self._session.step_back_over)

    def _rf(self, rest: str) -> None:
        self._go(self._session.step_back_out)

    def _rc(self, rest: str) -> None:
        self._go(self._session.resume_back)

    def _goto(self, rest: str) -> None:
        step = _count(_needed(rest, "goto 120"), least=0)
        self._go(lambda: self._session.go_to(step))

    def _go(self, move: Callable[[], Stop]) -> None:
        with progress("running; Ctrl-C stops it"):
            stop = move()
        self._screen.stop(stop)

    # Where to stop

    def _b(self, rest: str) -> None:
        match = re.fullmatch(r"(.*?)(?:(?:^|\s+)if\s+(.+?))?(?:(?:^|\s+)after\s+(\d+))?", rest)
        place, condition, after = match.groups() if match else (rest, None, None)
        session = self._session
        if not place:
            if session.stop.offset is None:
                raise Refused("the call has finished: say where, for example 'b parse'")
            place = hex(session.stop.offset)
        point = session.stops.add_breakpoint(place, condition=condition, hit_count=int(after or 1))
        line = session.program.line(point.location)
        name = session.program.function_name(line.function)
        self._say(f"Breakpoint {point.number} at {line.offset:#x} in {name}: {line.text}")

    def _watch(self, rest: str) -> None:
        match = re.fullmatch(r"(.*?)(?:\s+if\s+(.+))?", _needed(rest, "watch 0x400 4"))
        place, condition = match.groups() if match else (rest, None)
        session = self._session
        if place.startswith(("$", "local ")):
            name = place.removeprefix("local ").strip()
            point = session.stops.watch_local(name, condition=condition)
            what = f"local {name}"
        elif place.startswith("global "):
            name = place.removeprefix("global ").strip()
            point = session.stops.watch_global(name, condition=condition)
            what = f"global {name}"
        else:
            address, size = self._place(place, 1)
            point = session.stops.watch_memory(address, size, condition=condition)
            what = f"{size} byte{'s' * (size > 1)} of memory at {address:#x}"
        self._say(f"Watchpoint {point.number} on {what}.")

    def _d(self, rest: str) -> None:
        wanted = _count(_needed(rest, "d 1"))
        self._session.stops.remove(wanted)
        self._say(f"Removed: {wanted}.")

    def _info(self, rest: str) -> None:
        session = self._session
        if not session.stops.breakpoints and not session.stops.watchpoints:
            self._say("There are no breakpoints and no watchpoints: 'help b', 'help watch'.")
        for point in session.stops.breakpoints.values():
            line = session.program.line(point.location)
            name = session.program.function_name(line.function)
            where = f"{line.offset:#x} in {name}: {line.text.partition('  ;;')[0]}"
            condition = f"  if {point.condition.text}" if point.condition else ""
            after = f"  after {point.hit_count}" if point.hit_count > 1 else ""
            hits = _hits(point.hits)
            self._say(f"{point.number:>3}  break  {where}{condition}{after}{hits}")
        for watchpoint in session.stops.watchpoints.values():
            match watchpoint.kind:
                case "memory":
                    what = f"{watchpoint.size} bytes at {watchpoint.start:#x}"
                case "global":
                    name_or_none = session.program.global_name(watchpoint.index)
                    what = f"global {name_or_none or watchpoint.index}"
                case _:
                    local = session.program.local_name(watchpoint.function, watchpoint.index)
                    function = session.program.function_name(watchpoint.function)
                    what = f"local {local or watchpoint.index} of {function}"
            condition = f"  if {watchpoint.condition.text}" if watchpoint.condition else ""
            hits = _hits(watchpoint.hits)
            self._say(f"{watchpoint.number:>3}  watch  {what}{condition}{hits}")

    def _last(self, rest: str) -> None:
        address, _ = self._place(_needed(rest, "last 0x400"), 1)
        with progress("searching; Ctrl-C gives up"):
            write = self._session.last_write(address)
        if write is None:
            self._say(f"Nothing has written the byte at {address:#x} since the call began.")
            return
        sentence = write_text(write, self._session.program)
        self._say(f"{sentence[0].upper()}{sentence[1:]}.")
        self._say(f"To go there: goto {write.step}")

    # Look around

    def _p(self, rest: str) -> None:
        value = self._session.view.evaluate(_needed(rest, "p local[0]"))
        if isinstance(value, (str, bytes)):
            self._say(repr(value))
        else:
            self._say(number(value, self._session.program))

    def _x(self, rest: str) -> None:
        address, size = self._place(_needed(rest, "x 0x400"), _BYTES)
        self._session.view.read_memory(address, 1)
        size = min(size, 4096)
        start = address // 16 * 16
        self._screen.address = address
        self._print(self._screen.memory(start, address + size - start))

    def _bt(self, rest: str) -> None:
        self._print(
            self._screen.backtrace() if self._session.view.frames() else Text("Nothing is running.")
        )

    def _l(self, rest: str) -> None:
        session = self._session
        if rest:
            location = session.program.locate(rest)
            lines = session.program.lines(location.function)
            start = next(i for i, line in enumerate(lines) if line.offset == location.offset)
            self._print(self._screen.code(lines[start : start + _LINES]))
        elif session.finished:
            self._say("The call has finished: 'l FUNCTION' shows a function.")
        else:
            self._print(self._screen.code(session.view.lines(_LINES // 2, _LINES // 2)))

    def _globals(self, rest: str) -> None:
        entries = self._session.view.globals()
        if not entries:
            self._say("The module has no globals.")
        for entry in entries:
            name = entry.value.name or str(entry.index)
            constant = "" if entry.mutable else "  (constant)"
            self._say(f"{name}  {entry.value.type}  {number(entry.value.value)}{constant}")

    def _tables(self, rest: str) -> None:
        tables = self._session.view.tables()
        if not tables:
            self._say("The module has no tables.")
        for table in tables:
            self._say(f"table {table.index}: {len(table.entries)} entries of {table.type}")
            for index, entry in enumerate(table.entries[:40]):
                self._say(f"  {index:>4}  {entry or 'null'}")
            if len(table.entries) > 40:
                self._say(f"  … {len(table.entries) - 40} more")

    def _functions(self, rest: str) -> None:
        program = self._session.program
        grid = Table.grid(padding=(0, 2))
        shown = 0
        for index in program.functions():
            name = program.function_name(index)
            if rest.lower() in name.lower():
                shown += 1
                if shown <= 60:
                    lines = program.lines(index)
                    offset = Text(f"{lines[0].offset:#x}", style=ADDRESS)
                    size = Text(f"{len(lines)} instructions", style=DIM)
                    grid.add_row(Text(str(index), style=NAME), offset, visible(name), size)
        self._print(grid)
        if shown > 60:
            self._say(f"… {shown - 60} more; 'functions WORD' shows those with WORD in their name.")
        elif not shown:
            self._say(f"No function has '{visible(rest, 40)}' in its name.")

    def _explain(self, rest: str) -> None:
        if not rest:
            instruction = self._session.stop.instruction
            if instruction is None:
                raise Refused("the call has finished: say which, for example 'explain i32.add'")
            rest = instruction.opcode.mnemonic
        if rest not in BY_MNEMONIC:
            close = [name for name in BY_MNEMONIC if rest and rest in name][:6]
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise Refused(f"there is no instruction '{visible(rest, 30)}'{hint}")
        self._say(f"{rest}: {explain(rest)}")

    def _output(self, rest: str) -> None:
        session = self._session
        written = session.console.written(session.step_number)
        if not written:
            self._say("Nothing has been written up to here.")
        for text in self._screen.output(written):
            self._print(text)

    def _show(self, rest: str) -> None:
        self._screen.stop(self._session.stop)

    def _svg(self, rest: str) -> None:
        path = _needed(rest, "svg screen.svg")
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(self._screen.picture())
        except (OSError, ValueError) as error:
            raise Refused(f"cannot write '{visible(path, 100)}': {error}") from error
        self._say(f"Saved {visible(path, 100)}")

    def _help(self, rest: str) -> None:
        if rest:
            command = BY_NAME.get(rest)
            if command is None:
                raise Refused(f"there is no command '{visible(rest, 20)}'; 'help' lists them")
            self._say(f"{', '.join(command.names)}  {command.usage}".rstrip())
            self._say(f"  {command.help}")
            self._say(f"  for example: {command.example}")
            return
        group = ""
        grid = Table.grid(padding=(0, 2))
        for command in COMMANDS:
            if command.group != group:
                group = command.group
                grid.add_row(Text(group, style="bold"), "", "")
            grid.add_row(
                Text("  " + ", ".join(command.names), style=NAME),
                Text(command.help.partition(". ")[0].rstrip(".")),
                Text(command.example, style=DIM),
            )
        self._print(grid)

    def _q(self, rest: str) -> None:
        self.ended = True

    # What they share

    def _place(self, text: str, size: int) -> tuple[int, int]:
        """Read an address, which may be an expression, and a size behind it."""
        match = re.fullmatch(r"(.+?)\s+(0x[0-9a-fA-F]+|\d+)", text)
        if match is not None and not re.search(r"[-+*/%&|^<>=(\[,]\s*$", match[1]):
            text, size = match[1], int(match[2], 0)
        return self._session.view.address(text), size

    def _say(self, text: str) -> None:
        self._print(Text(visible(text, 2000)))

    def _print(self, what: Any) -> None:
        show(self._screen.console, what)


def _method(command: Command) -> str:
    """Return the name of the method that runs a command, without its underscore."""
    return command.names[0]


def _needed(rest: str, example: str) -> str:
    """Return the arguments of a command that must have some."""
    if not rest:
        raise Refused(f"this needs something more, for example: {example}")
    return rest


def _count(text: str, least: int = 1) -> int:
    """Read a number of steps, or of a breakpoint."""
    if not text:
        return 1
    plain = text.replace(",", "").replace("_", "")
    if not (plain.isascii() and plain.isdigit()) or int(plain) < least:
        raise Refused(f"'{visible(text, 20)}' is not a number from {least} up")
    return int(plain)


def _hits(count: int) -> str:
    """Word how often a breakpoint or watchpoint stopped the session."""
    return f"  (stopped {count} time{'s' * (count != 1)})" if count else ""
