"""What every test run shares: the same hypothesis settings everywhere, so that a failure here is a failure there."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The same examples in every run (no luck), none remembered (a clean checkout finds the same), no deadline per example
# (machines are shared). HYPOTHESIS_PROFILE=search looks for new ones.
COMMON = settings(deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("house", COMMON, derandomize=True)
settings.register_profile("search", COMMON, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))
