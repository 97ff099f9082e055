"""What holds for all tests."""

import os

from hypothesis import settings

settings.register_profile("everywhere", deadline=None)  # machines are noisy: a slow example is no failure
settings.register_profile("ci", parent=settings.get_profile("everywhere"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "everywhere")
