"""``python -m datastill`` is the command."""

from __future__ import annotations

from datastill.cli import main

if __name__ == "__main__":
    main()
