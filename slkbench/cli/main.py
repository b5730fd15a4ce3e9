"""The ``slkbench`` command: finds the verb, and turns errors into a message and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from slkbench import __version__
from slkbench.cli.say import say
from slkbench.errors import InterruptedRunError, SlkbenchError

__all__ = ["cli", "main"]

# Verb → (module, help line): `slkbench --help` must not import a single verb.
_VERBS = {
    "run": ("slkbench.cli.run", "Measure contenders against each other and store the samples."),
    "report": ("slkbench.cli.report", "Write a report with charts from stored runs."),
    "list": ("slkbench.cli.list", "List scenarios, contenders and stored runs."),
    "show": ("slkbench.cli.show", "Show the verdicts of a run, or what a scenario measures."),
    "compare": ("slkbench.cli.compare", "Tell what changed from one stored run to another."),
    "gate": ("slkbench.cli.gate", "End with code 1 if a library has become slower."),
    "history": ("slkbench.cli.history", "Show the trend over many runs, and its steps."),
    "export": ("slkbench.cli.export", "Write a run's figures in other tools' formats."),
    "profile": ("slkbench.cli.profile", "Tell what a message costs: CPU time, calls, memory."),
    "explain": ("slkbench.cli.explain", "Split the gaps of a run over what threads do."),
    "claims": ("slkbench.cli.claims", "Judge claims by what is measured."),
    "selftest": ("slkbench.cli.selftest", "Prove the error rates of the verdicts."),
    "doctor": ("slkbench.cli.doctor", "Tell how fit this machine is to measure on."),
}

_UNEXPECTED_EXIT_CODE = 1
_INTERRUPTED_EXIT_CODE = InterruptedRunError.exit_code

_EPILOG = """\b
Examples:
  slkbench run --transport tcp --size 1024
  slkbench run --scenario reference-report
  slkbench report
  slkbench show RUN --json

\b
Exit codes:
  0 done                              4 a contender crashed, hung or lost messages
  1 regression (--fail-on), or error  5 contenders ran under unlike conditions (--fail-on)
  2 wrong usage or input              124 a time limit passed
  3 inconclusive or invalid           130 interrupted; what was measured is kept
    (--fail-on)
"""


class VerbGroup(click.Group):
    """Imports a verb's module when it is called, and owns the way errors end the program."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of their use."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None (which click turns into an error with the nearest)."""
        if cmd_name not in _VERBS:
            return None
        command: click.Command = import_module(_VERBS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown verb is answered with the nearest one."""
        if args and not args[0].startswith("-") and args[0] not in _VERBS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], _VERBS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"verbs: {', '.join(_VERBS)}"
            ctx.fail(f"there is no verb {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their help lines, without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, line) for verb, (_module, line) in _VERBS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *rest: Any,
        **extra: Any,
    ) -> NoReturn:
        """Run the command line and exit; an expected error ends without a traceback."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        try:
            code = super().main(arguments, prog_name, *rest, **extra)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            _end("interrupted", _INTERRUPTED_EXIT_CODE)
        except SlkbenchError as error:
            if "--debug" in arguments:
                raise
            _end(str(error), error.exit_code)
        except BrokenPipeError:
            sys.stderr.close()  # the reader of our output has gone: nobody to tell
            sys.exit(0)
        except Exception as error:
            if "--debug" in arguments:
                raise
            reason = f"{type(error).__name__}: {error} (slkbench --debug … shows where)"
            _end(f"unexpected {reason}", _UNEXPECTED_EXIT_CODE)
        sys.exit(code if isinstance(code, int) else 0)


def _end(reason: str, code: int) -> NoReturn:
    """Say the reason on the last line of standard error, and exit."""
    say(f"slkbench: {reason}", err=True)
    sys.exit(code)


@click.group(
    cls=VerbGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="slkbench")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Measure messaging libraries against each other, in pairs, with confidence intervals."""


def main() -> NoReturn:
    """Entry point of the ``slkbench`` program."""
    cli.main(prog_name="slkbench")
