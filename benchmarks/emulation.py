"""Emulation speed against torch float32, one thread and two: `python benchmarks/emulation.py [--quick] > figures.md`.

Prints the machine and one Markdown table a thread count; each figure is the least of several alternating runs.
"""

from __future__ import annotations

import argparse
import os

from inexact.cli.bench import UNIT, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few shapes, few repeats")
    parser.add_argument("--engine", default="auto", help="engine to measure")
    options = parser.parse_args()
    for threads in (1, 2) if (os.cpu_count() or 1) > 1 else (1,):
        found = measure(quick=options.quick, threads=threads, engine=options.engine)
        about = found["machine"]
        print(
            f"{about['processor']}, {about['cores']} cores, {about['system']}; ISA {about['isa']}, torch {about['torch']}; unit: {UNIT}\n"
        )
        print("| case | engine | threads | ms | float32 ms | ratio | G MAC/s |\n|---|---|---|---|---|---|---|")
        for c in found["cases"]:
            times = f"{c['ms']:.2f} | {c['float32_ms']:.2f} | {c['ratio']:.2f} | {c['gmacs']:.1f}"
            print(f"| {c['case']} | {c['engine']} | {c['threads']} | {times} |")
        print()


if __name__ == "__main__":
    main()
