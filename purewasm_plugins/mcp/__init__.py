"""Plugins as tools of the Model Context Protocol: a server over any `ToolRegistry`.

    registry, failed = register_plugins(plugins)
    serve_stdio(McpServer(registry))

`MCP.md` in this folder is the chapter.
"""

from purewasm_plugins.mcp.catalog import register_plugins
from purewasm_plugins.mcp.http import HttpServer
from purewasm_plugins.mcp.limits import ServerLimits
from purewasm_plugins.mcp.server import McpServer
from purewasm_plugins.mcp.stdio import serve_stdio

__all__ = ["HttpServer", "McpServer", "ServerLimits", "register_plugins", "serve_stdio"]
