"""The group of all commands, and what becomes of errors: a line and an exit status, never more."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click
from click.shell_completion import shell_complete

from purewasm_plugins import __version__
from purewasm_plugins.cli.exits import NO_ROOM, Exit, Failure
from purewasm_plugins.cli.output import print_error, visible

#: The commands, in the order of the help, and the modules of this package that hold them. Each is
#: imported when it is asked for: no command waits for what another one needs.
_COMMANDS = {
    "run": "run",
    "call": "call",
    "tools": "tools",
    "inspect": "inspect",
    "check": "check",
    "disassemble": "listing",
    "translate": "listing",
    "debug": "debug",
    "trace": "trace",
    "coverage": "coverage",
    "examples": "examples",
    "playground": "playground",
}

_NAME = "purewasm"
_COMPLETE = "_PUREWASM_COMPLETE"

_HELP = f"""Run WebAssembly plugins, and look at them.

PLUGIN is a .wasm file everywhere.

\b
Example:
  {_NAME} run plugin.wasm shout "hello"
"""

_EPILOG = "\n".join(
    (
        "\b\nExit status:",
        *(f"  {status:>3}  {status.meaning}" for status in Exit),
        "\n\b\nCompletion in the shell (bash; zsh and fish alike):",
        f'  eval "$({_COMPLETE}=bash_source {_NAME})"',
    )
)


class Application(click.Group):
    """A group whose every error is a line on standard error and an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands; see `click.Group.list_commands`."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; see `click.Group.get_command`."""
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(f"{__package__}.{module}"), cmd_name)
        return command

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
            # What is still buffered has nowhere to go, not when Python flushes at its end either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
            # What took it is released with the exception, and then there is room for the line.
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


def _prepare_streams() -> None:
    """Let no character of a text, and no closed stream, be an error."""
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
@click.pass_context
def purewasm(context: click.Context) -> None:
    """Show the help where no command is given."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
