"""The suite fails when this processor has an instruction-set path that no test ran on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

NEEDS = {
    "scalar": set[str](),
    "avx2": {"avx2"},
    "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512_vnni"},
}
"""path -> processor flags it needs, as /proc/cpuinfo names them."""

exercised: set[str] = set()
chosen_tests: list[str] = []


def supported() -> set[str]:
    """Paths that this processor can run, asked of the processor rather than of the build; empty where it cannot be asked."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return set()
    lines = info.read_text(encoding="utf-8").splitlines()
    flags = {flag for line in lines if line.startswith("flags") for flag in line.split()}
    return {isa for isa, needed in NEEDS.items() if flags >= needed}


@pytest.fixture(scope="session")
def supported_paths() -> set[str]:
    """See `supported`; the test is skipped where the processor cannot be asked."""
    return supported() or pytest.skip("the processor is asked through /proc/cpuinfo")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Note the path of each test that passed on one."""
    yield
    if isinstance(item, pytest.Function) and isinstance(path := item.funcargs.get("path"), str):
        exercised.add(path)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Tests chosen by name or by mark: then the session makes no claim about all paths."""
    chosen_tests.extend(item.nodeid for item in items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a whole session in which a supported path stayed unused."""
    whole = not chosen_tests and not any("::" in argument for argument in session.config.args) and session.testscollected > 0
    ran = any(item.nodeid.split("::")[0].endswith("test_table_engines.py") for item in session.items)
    missing = supported() - exercised
    if whole and ran and missing and session.exitstatus == pytest.ExitCode.OK:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"no test ran on these paths, which this processor has: {', '.join(sorted(missing))}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
