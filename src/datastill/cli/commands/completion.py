"""Shell completion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from cyclopts import App, Parameter

from datastill.errors import UserError

Shell = Literal["bash", "zsh", "fish", "powershell"]


def installing(app: App) -> Callable[..., None]:
    """The command that installs the completion of a program."""

    def install_completion(
        *,
        shell: Annotated[Literal["bash", "zsh", "fish", "powershell"] | None, Parameter(help="default the one it is started from")] = None,
    ) -> None:
        """Teach your shell to complete the commands and their options."""
        from cyclopts.completion.detect import ShellDetectionError

        from datastill.report.terminal import say_line

        try:
            path = app.install_completion(shell=shell)
        except ShellDetectionError as error:
            raise UserError("cannot tell which shell this is: give it with --shell bash, zsh, fish or powershell") from error
        say_line(f"wrote {path}; it takes effect in a new shell")

    return install_completion
