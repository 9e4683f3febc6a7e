"""``python -m datastill`` is the command."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command. Ctrl-C while it is imported waits until it can be answered in a line."""
    asked: list[int] = []
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    from datastill.cli import main as command

    command(asked=asked)


if __name__ == "__main__":
    main()
