"""Emulation speed and memory against torch float32, on one thread and on all: `python benchmarks/emulation.py [--quick] > figures.md`.

Prints the machine and Markdown tables; times are medians of alternating runs. The figures in docs/engines.md come from here.
"""

from __future__ import annotations

import argparse
import os

from inexact.cli.bench import measure, measure_memory

COLUMNS = ("case", "unit", "engine", "threads", "ms", "float32 ms", "ratio", "G MAC/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few cases, few repeats, no memory")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    found = measure(quick=options.quick, part=options.case, threads=(1, cores) if cores > 1 else (1,))
    about = found["machine"]
    print(f"{about['processor']}, {about['cores']} cores, {about['system']}; ISA {about['isa']}, torch {about['torch']}.\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for c in found["cases"]:
        times = f"{c['ms']:.2f} | {c['float32_ms']:.2f} | {c['ratio']:.2f} | {c['gmacs']:.1f}"
        print(f"| {c['case']} | {c['unit']} | {c['engine']} | {c['threads']} | {times} |")
    if not options.quick and not options.case:
        print("\n| network | peak MB | float32 MB | ratio |\n|---|---|---|---|")
        for c in measure_memory()["cases"]:
            print(f"| {c['case']} | {c['mb']:.0f} | {c['float32_mb']:.0f} | {c['ratio']:.2f} |")


if __name__ == "__main__":
    main()
