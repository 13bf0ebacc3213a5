"""Instantiation, and the engines that run functions."""

from purewasm_plugins.engine.instantiate import instantiate
from purewasm_plugins.engine.protocol import Engine

__all__ = ["Engine", "instantiate"]
