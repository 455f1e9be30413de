"""As if OpenTelemetry were not installed, when the folder of this one is in PYTHONPATH; and notes who wanted it."""

import os
import sys
from pathlib import Path

_asking = sys._getframe(1)
while _asking.f_back is not None and "importlib" in _asking.f_code.co_filename:
    _asking = _asking.f_back
with Path(os.environ["ASKED_FOR_OPENTELEMETRY"]).open("a") as _file:
    _file.write(f"{_asking.f_code.co_filename}\n")
raise ModuleNotFoundError("No module named 'opentelemetry'", name="opentelemetry")
