"""How functions run: instantiation, and the engines."""

from purewasm_plugins.engine.instantiate import instantiate
from purewasm_plugins.engine.protocol import Engine

__all__ = ["Engine", "instantiate"]
