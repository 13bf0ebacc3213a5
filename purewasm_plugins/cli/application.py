"""The group of all commands; an error becomes one line on standard error and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click
from click.shell_completion import shell_complete

from purewasm_plugins import __version__
from purewasm_plugins.cli.completion import complete_directory
from purewasm_plugins.cli.exits import NO_ROOM, Exit, Failure
from purewasm_plugins.cli.output import print_error, visible

#: The commands, in the order of the help, and the modules of this package that hold them. A module
#: is imported when its command is run: the start of `run` is 40 ms sooner without the others.
_COMMANDS = {
    "run": "run",
    "map": "map",
    "exec": "exec",
    "call": "call",
    "tools": "tools",
    "mcp": "mcp",
    "inspect": "inspect",
    "check": "check",
    "assemble": "text",
    "disassemble": "listing",
    "translate": "listing",
    "debug": "debug",
    "trace": "trace",
    "coverage": "coverage",
    "examples": "examples",
    "plugins": "plugins",
    "playground": "playground",
    "wast": "text",
    "cache": "cache",
    "with-wasmtime": "stand_in",
    "stand-in": "stand_in",
}

_NAME = "purewasm"
_COMPLETE = "_PUREWASM_COMPLETE"

_HELP = f"""Run WebAssembly plugins and programs, and look at them.

PLUGIN is a .wasm or .wat file or, where no file has that name, an example that comes along
('{_NAME} examples' lists them) or a plugin that is installed ('{_NAME} plugins list').

\b
Examples:
  {_NAME} run c_json json_pretty '{{"a":[1,2]}}'
  {_NAME} run plugin.wasm shout "hello"
  {_NAME} exec --dir . program.wasm notes.txt
"""

_EPILOG = "\n".join(
    (
        "\b\nExit status:",
        *(f"  {status:>3}  {status.meaning}" for status in Exit),
        f"'{_NAME} exec' passes on the exit status of its program.",
        "\n\b\nCompletion in the shell, for its start file:",
        f'  bash  eval "$({_COMPLETE}=bash_source {_NAME})"',
        f'  zsh   eval "$({_COMPLETE}=zsh_source {_NAME})"',
        f"  fish  {_COMPLETE}=fish_source {_NAME} | source",
    )
)


class Application(click.Group):
    """A group of commands that reports each error in one line, with an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands; see `click.Group.list_commands`."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name; see `click.Group.get_command`."""
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(
            import_module(f"{__package__}.{module}"), cmd_name.replace("-", "_")
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; see `click.Group.resolve_command`.

        Raises:
            click.UsageError: there is no such command; with a similar name, where there is one.
        """
        name = args[0]
        if name not in _COMMANDS and name[:1].isalnum() and not ctx.resilient_parsing:
            from purewasm_plugins.support.suggestions import similar_name

            similar = similar_name(name, _COMMANDS)
            ctx.fail(
                f"there is no command '{name}'{f'; did you mean {similar}?' if similar else ''}"
            )
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        """Run the command line and exit; see `click.Group.main`."""
        sys.exit(self.run(sys.argv[1:] if args is None else args))

    def run(self, args: Sequence[str]) -> int:
        """Run the command line.

        Args:
            args: what follows the command's name.

        Returns:
            The exit status.
        """
        _prepare_streams()
        status: int | None
        try:
            status = self._dispatch(list(args))
            sys.stdout.flush()
        except BrokenPipeError:
            _drop_broken_streams()
            return Exit.BROKEN_PIPE
        except click.exceptions.Exit as end:
            return end.exit_code
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else _NAME
            hint = "; '--' goes before an argument that starts with a dash"
            hint = hint if isinstance(error, click.NoSuchOption) else ""
            message = error.format_message().rstrip(".")
            print_error(f"{message} (see {command} --help{hint})")
            return Exit.USAGE
        except Failure as failure:
            print_error(failure.message)
            for line in failure.trailer:
                click.echo(visible(line), err=True)
            return failure.status
        except (click.Abort, KeyboardInterrupt):
            return Exit.INTERRUPTED
        except MemoryError:
            # The exception keeps the frames that hold the memory: report it after this block.
            status = None
        if status is None:
            print_error(NO_ROOM)
            return Exit.PLUGIN
        return status

    def _dispatch(self, args: list[str]) -> int:
        instruction = os.environ.get(_COMPLETE)
        if instruction:
            return shell_complete(self, {}, _NAME, _COMPLETE, instruction)
        with self.make_context(_NAME, args) as context:
            result = self.invoke(context)
        return result if isinstance(result, int) else Exit.OK


def _drop_broken_streams() -> None:
    """Send to nowhere what has no reader: Python flushes it once more at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _prepare_streams() -> None:
    """Make sure that no character of a text, and no closed stream, is an error."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@click.group(
    cls=Application,
    help=_HELP,
    epilog=_EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name=_NAME, message="%(prog)s %(version)s")
@click.option(
    "--plugins-dir",
    metavar="DIR",
    shell_complete=complete_directory,
    help="A folder in which plugins are found, in place of that of the user.",
)
@click.pass_context
def purewasm(context: click.Context, plugins_dir: str | None) -> None:
    """Show the help where no command is given."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
