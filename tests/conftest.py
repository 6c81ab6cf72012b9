"""What every test run shares: the same hypothesis settings everywhere, so that a failure here is a failure there."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No database of earlier examples (a clean checkout must find the same), no deadline per example (machines are shared).
settings.register_profile(
    "house", deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")
