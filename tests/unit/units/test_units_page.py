"""The code in docs/units.md runs, and the unit it defines holds the contract."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "units.md"

CHECK = """
from inexact.testing import check_multiplier
from inexact.units import get
check_multiplier(get("half"))
assert int(get("half")(3, 5)) == 14
"""


def test_code_blocks_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    # a process of its own: the example registers a unit
    subprocess.run([sys.executable, "-c", "\n".join([*blocks, CHECK])], check=True)
