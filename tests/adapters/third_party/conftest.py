"""Lets the tests of the example package import it as if it were installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "mattermost_supportbot"))
