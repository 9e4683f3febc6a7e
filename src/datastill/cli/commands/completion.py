"""Shell completion."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, get_type_hints

from cyclopts import App, Parameter

from datastill.errors import UserError

ENDING = "complete -F _datastill datastill\n"
"""How a script for bash ends."""


def installing(app: App) -> Callable[..., None]:
    """The command that installs the completion of a program."""

    def install_completion(
        *,
        shell: Annotated[Literal["bash", "zsh", "fish", "powershell"] | None, Parameter(help="default the one it is started from")] = None,
    ) -> None:
        """Teach your shell to complete the commands, their options, and the names of methods, data sets and networks."""
        from cyclopts.completion.detect import ShellDetectionError

        from datastill.files import write_atomic
        from datastill.report.terminal import say_line

        try:
            path = with_names(app, names()).install_completion(shell=shell)
        except ShellDetectionError as error:
            raise UserError("cannot tell which shell this is: give it with --shell bash, zsh, fish or powershell") from error
        if (script := path.read_text()).endswith(ENDING):  # of bash: where no name fits, the names of files do
            write_atomic(path, script.removesuffix(ENDING) + ENDING.replace("-F", "-o default -F"))
        say_line(f"wrote {path}; it takes effect in a new shell")

    return install_completion


def names() -> dict[tuple[str, str], Sequence[str]]:
    """What can be typed for a parameter, by the command ("" for every one) and the parameter."""
    from datastill.data import CATALOGUE
    from datastill.experiments import EXPERIMENTS
    from datastill.methods import NAMES
    from datastill.networks import NETWORKS
    from datastill.setting import PRESETS
    from datastill.teachers.recipe import RECIPES
    from datastill.terms import BUNDLES
    from datastill.terms import NAMES as TERMS

    sources = [f"{name}:" if source.path == "always" else name for name, source in CATALOGUE.items()]
    methods = [*NAMES.all(), *(f"dm+{term}" for term in (*TERMS.all(), *BUNDLES) if term != "mm")]
    everywhere = {
        "dataset": sources, "data": sources, "method": methods, "network": [*NETWORKS], "validation_network": [*NETWORKS],
        "preset": [*PRESETS], "recipe": [*RECIPES],
    }  # fmt: skip
    return {**{("", parameter): known for parameter, known in everywhere.items()}, ("experiment", "name"): [*EXPERIMENTS]}


def with_names(app: App, known: Mapping[tuple[str, str], Sequence[str]]) -> App:
    """The same commands, of which nothing can be called, with the names that their parameters take.

    Args:
        app: The program.
        known: As of `names`.
    """
    found = App(name=app.name, help=app.help, help_format=app.help_format, version_flags=app.version_flags)
    for command in app:
        if (called := app[command].default_command) is not None and command not in (*app.help_flags, *app.version_flags):
            own = {parameter: entries for (of, parameter), entries in known.items() if of in ("", command)}
            found.command(_typed(called, own), name=command)
    return found


def _typed(command: Callable[..., Any], known: Mapping[str, Sequence[str]]) -> Callable[..., None]:
    """A function with the parameters of a command, some of which take any of some names beside anything else."""

    def stand_in() -> None: ...

    hints = get_type_hints(command, include_extras=True)
    for parameter in known.keys() & hints.keys():
        hint = hints[parameter]
        hints[parameter] = Annotated[(Literal[tuple(known[parameter])] | str | None, *getattr(hint, "__metadata__", ()))]
    stand_in.__doc__, stand_in.__annotations__ = command.__doc__, hints
    stand_in.__signature__ = inspect.signature(command)  # type: ignore[attr-defined]  # what `inspect` reads
    return stand_in
