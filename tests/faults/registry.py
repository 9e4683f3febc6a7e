"""Every campaign by name."""

from __future__ import annotations

from faults import full_disk, inputs, sealed_tensors, two_writers
from faults.campaign import Campaign

MODULES = (sealed_tensors, full_disk, two_writers, inputs)
"""The modules that hold campaigns; a new one is added here."""

CAMPAIGNS: dict[str, Campaign] = {campaign.name: campaign for module in MODULES for campaign in module.CAMPAIGNS}
"""Every campaign, in the order of the table."""
