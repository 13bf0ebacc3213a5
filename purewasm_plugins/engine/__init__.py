"""How a valid module runs: instances and what they hold, their limits, and the engines."""

from purewasm_plugins.engine.base import Engine, Function, Global, Instance, Memory, Table
from purewasm_plugins.engine.instantiate import instantiate
from purewasm_plugins.engine.limits import ResourceLimits

__all__ = [
    "Engine",
    "Function",
    "Global",
    "Instance",
    "Memory",
    "ResourceLimits",
    "Table",
    "instantiate",
]
