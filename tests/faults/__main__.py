"""The command ``python -m tests.faults``: the long form of the fault suite."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))


def main() -> int:
    """Make trials, print what came of them, keep the counts; 1 if one of them was bad."""
    from faults import table
    from faults.campaign import Trial
    from faults.isolation import trials
    from faults.registry import CAMPAIGNS

    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Make many trials of every fault, or of some.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"campaigns; default all: {', '.join(CAMPAIGNS)}")
    parser.add_argument("--trials", type=int, help="trials of each; default as the campaign says")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--keep", action="store_true", help="keep the counts in results/faults and write docs/reliability.md")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in CAMPAIGNS]:
        parser.error(f"no such campaign: {', '.join(unknown)}")
    bad = 0
    for name in asked.names or CAMPAIGNS:
        campaign = CAMPAIGNS[name]
        made: list[Trial] = []
        for trial in trials(campaign, range(asked.first, asked.first + (asked.trials or campaign.long))):
            made.append(trial)
            if not trial.outcome.good:
                bad += 1
                print(f"{name} {trial.seed}: {trial.outcome} {trial.note}", flush=True)
        counts = {
            outcome: number for outcome in dict.fromkeys(t.outcome for t in made) if (number := sum(t.outcome == outcome for t in made))
        }
        print(f"{name}: {len(made)} trials, {', '.join(f'{number} {outcome}' for outcome, number in counts.items())}", flush=True)
        if asked.keep:
            table.keep(name, made)
            table.draw()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
