"""Options and fixtures shared by all tests; the suite fails when this processor has an instruction-set path that no test ran on."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch is imported; see inexact.cli.main


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not any(mark.kwargs.get("first") for mark in item.iter_markers("slow")))
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


NEEDS = {
    "scalar": set[str](),
    "avx2": {"avx2"},
    "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512_vnni"},
}
"""path -> processor flags it needs, as /proc/cpuinfo names them."""

exercised: set[str] = set()
chosen_tests: list[str] = []
engines_ran: list[bool] = []


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


@pytest.fixture(params=["avx512", "avx2", "scalar"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each instruction-set path in turn, forced; skipped where this machine has none."""
    from inexact import kernels

    isa: str = request.param
    if isa not in kernels.isas():
        pytest.skip(f"this machine has no {isa} path")
    monkeypatch.setenv("INEXACT_ISA", isa)
    return isa


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Note the path of each test that passed on one."""
    yield
    if isinstance(item, pytest.Function) and isinstance(path := item.funcargs.get("path"), str):
        exercised.add(path)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Tests chosen by name or by mark: then the session makes no claim about all paths."""
    chosen_tests.extend(item.nodeid for item in items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """What a parallel worker ran on, told to the session that started it."""
    told = getattr(node, "workeroutput", {})
    exercised.update(told.get("exercised", ()))
    chosen_tests.extend(told.get("chosen_tests", ()))
    engines_ran.extend(told.get("engines_ran", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a whole session in which a supported path stayed unused."""
    engines_ran.extend(item.nodeid.split("::")[0].endswith("test_table_engines.py") for item in getattr(session, "items", ()))
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told |= {"exercised": sorted(exercised), "chosen_tests": chosen_tests, "engines_ran": [any(engines_ran)]}
        return
    whole = not chosen_tests and not any("::" in argument for argument in session.config.args)
    missing = supported() - exercised
    if whole and any(engines_ran) and missing and session.exitstatus == pytest.ExitCode.OK:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"no test ran on these paths, which this processor has: {', '.join(sorted(missing))}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
