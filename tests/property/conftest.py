"""How long properties are looked into: briefly in each run, at length when asked to.

HYPOTHESIS_PROFILE=thorough is for a change of what they hold.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("brief", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "brief"))
