"""The plugin ABI over an instance: plugins, their tools, and many of them by name."""

from purewasm_plugins.plugin.manager import DirectoryReport, RegistrationReport, WasmPluginManager
from purewasm_plugins.plugin.plugin import PluginTool, WasmPlugin

__all__ = ["DirectoryReport", "PluginTool", "RegistrationReport", "WasmPlugin", "WasmPluginManager"]
