"""Lets the tests of this folder import their helpers, and the channel that a page shows."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "adapters" / "third_party" / "mattermost_supportbot")]
