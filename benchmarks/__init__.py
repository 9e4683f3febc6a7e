"""Speed and memory against a plain reference loop, all in one run: ``make bench``."""
