"""The debugger: a session that steps through a call, forwards and backwards, and shows the machine.

It decides when to stop and holds what there is to see; the command and the page are faces of it.
"""

from purewasm_plugins.debugger.coverage import CoverageEngine, FunctionCoverage, report
from purewasm_plugins.debugger.machine import DebugEngine
from purewasm_plugins.debugger.program import Line, Location, Program
from purewasm_plugins.debugger.session import DebugSession
from purewasm_plugins.debugger.stops import Breakpoint, Stop, StopReason, Watchpoint, Write
from purewasm_plugins.debugger.trace import CallEvent, TraceStep, calls, trace
from purewasm_plugins.debugger.views import (
    Changes,
    FrameView,
    GlobalView,
    LabelView,
    TableView,
    Value,
)
from purewasm_plugins.errors import DebuggerError, ExpressionError, LocationError

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
    "LabelView",
    "Line",
    "Location",
    "LocationError",
    "Program",
    "Stop",
    "StopReason",
    "TableView",
    "TraceStep",
    "Value",
    "Watchpoint",
    "Write",
    "calls",
    "report",
    "trace",
]
