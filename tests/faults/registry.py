"""Every campaign by name."""

from __future__ import annotations

from faults import (
    caches_read,
    commands_run,
    full_disk,
    inputs,
    kinds_read,
    pages_read,
    published_read,
    results_read,
    run_folders_read,
    sealed_tensors,
    sets_read,
    two_writers,
    uses_read,
    words,
)
from faults.campaign import Campaign

MODULES = (
    sealed_tensors, run_folders_read, kinds_read, caches_read, results_read, sets_read, uses_read, pages_read, published_read, inputs,
    words, full_disk, two_writers, commands_run,
)  # fmt: skip
"""The modules that hold campaigns; a new one is added here."""

CAMPAIGNS: dict[str, Campaign] = {campaign.name: campaign for module in MODULES for campaign in module.CAMPAIGNS}
"""Every campaign, in the order of the table."""
