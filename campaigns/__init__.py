"""The worst nights, on purpose: whole processes of the real product, killed, cut from power, with failing disks.

``make crash`` runs all of them; ``docs/campaigns.md`` states what they found and how often they were run.
"""
