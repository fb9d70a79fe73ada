"""Options and fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch is imported; see inexact.cli.main


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: give --slow to run it")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of published reference data; the test is skipped where there is none."""
    folder = os.environ.get("INEXACT_REFERENCE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set INEXACT_REFERENCE_DATA to the folder of published reference data")
    return Path(folder)
