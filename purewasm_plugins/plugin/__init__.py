"""The plugin ABI over an instance: plugins, their tools, and many of them by name."""

from purewasm_plugins.plugin.manager import (
    DirectoryReport,
    DiscoveryReport,
    RegistrationReport,
    WasmPluginManager,
)
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.plugin.plugin import WasmPlugin
from purewasm_plugins.plugin.policy import ToolPolicy, ToolSettings
from purewasm_plugins.plugin.tools import PluginTool

__all__ = [
    "DirectoryReport",
    "DiscoveryReport",
    "PluginOptions",
    "PluginTool",
    "RegistrationReport",
    "ToolPolicy",
    "ToolSettings",
    "WasmPlugin",
    "WasmPluginManager",
]
