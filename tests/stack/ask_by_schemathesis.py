"""schemathesis' command line as a script of ours: so it can be a fork of a process that has imported schemathesis."""

import sys
from pathlib import Path

from schemathesis.cli import schemathesis

# For the hooks, tests.stack.openapi_hooks.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
schemathesis(prog_name="schemathesis")
