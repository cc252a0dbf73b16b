"""What the machines have in common."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A step is some transactions on a real database: its time says nothing.
COMMON = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    print_blob=True,
    report_multiple_bugs=False,
)
