"""The debugger: a session that steps through a call, forwards and backwards.

- `session`: the moves; `stops`: breakpoints and watchpoints; `view`: what there is to see.
- `machine`: running a call that can be put at any of its steps.
- `console`: what the call has written to its output streams.
- `expressions`, `explain`, `wording`: values and instructions in words.
- `trace`, `coverage`: what a call does, as a whole.
- `engines`: the engines that what is debugged runs on; `errors`: the debugger's own.

It decides when to stop and holds what there is to see; the command and the page show it. It drives
any machine that implements `engine.stepping.SteppableMachine`.
"""

from purewasm_plugins.debugger.changes import Changes
from purewasm_plugins.debugger.console import OutputConsole, Written
from purewasm_plugins.debugger.coverage import FunctionCoverage, report
from purewasm_plugins.debugger.engines import CoverageEngine, DebugEngine
from purewasm_plugins.debugger.errors import (
    DebuggerError,
    ExpressionError,
    HitCountError,
    LocationError,
)
from purewasm_plugins.debugger.machine.program import Line, Location, Program
from purewasm_plugins.debugger.machine.reasons import (
    Breakpoint,
    Stop,
    StopReason,
    Watchpoint,
    Write,
)
from purewasm_plugins.debugger.session import DebugSession
from purewasm_plugins.debugger.stops import Stops
from purewasm_plugins.debugger.trace import CallEvent, TraceStep, calls, trace
from purewasm_plugins.debugger.view import (
    FrameView,
    GlobalView,
    LabelView,
    TableView,
    Value,
    View,
)

__all__ = [
    "Breakpoint",
    "CallEvent",
    "Changes",
    "CoverageEngine",
    "DebugEngine",
    "DebugSession",
    "DebuggerError",
    "ExpressionError",
    "FrameView",
    "FunctionCoverage",
    "GlobalView",
    "HitCountError",
    "LabelView",
    "Line",
    "Location",
    "LocationError",
    "OutputConsole",
    "Program",
    "Stop",
    "StopReason",
    "Stops",
    "TableView",
    "TraceStep",
    "Value",
    "View",
    "Watchpoint",
    "Write",
    "Written",
    "calls",
    "report",
    "trace",
]
