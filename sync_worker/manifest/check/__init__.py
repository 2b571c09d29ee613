"""What can be known of a manifest without its system: samples, scales, what it can never do.

In: a manifest. Out: findings, each with the key to change.
"""

from sync_worker.manifest.check.findings import Finding, failures
from sync_worker.manifest.check.gone_rules import WeakRule, weak_gone_rules
from sync_worker.manifest.check.samples import (
    ReadDeliveries,
    ignored_event,
    signed_by,
    unmatched_event,
)
from sync_worker.manifest.check.whole import check_manifest

__all__ = [
    "Finding",
    "ReadDeliveries",
    "WeakRule",
    "check_manifest",
    "failures",
    "ignored_event",
    "signed_by",
    "unmatched_event",
    "weak_gone_rules",
]
