"""Exchange with ZigZag (KU Leuven, MIT licence): our machine and layers as its input files, its results as numbers to set beside ours.

ZigZag knows one energy of a multiply-accumulate for a whole machine: it gets the mean of the plan, weighted by multiply-accumulates.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inexact.core.errors import HardwareError, MissingDependencyError
from inexact.core.files import write_text
from inexact.core.workload import LayerWorkload, Workload

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator
    from inexact.hardware._memories import Memory

OPERANDS = {"inputs": "I1", "weights": "I2", "sums": "O", "outputs": "O"}
"""Roles in our memories -> operands of ZigZag's."""

UNROLLED = {"weight_stationary": (("C", "rows"), ("K", "columns")), "output_stationary": (("OX", "rows"), ("K", "columns"))}
"""Dataflow -> which loop runs over the rows and columns of the array."""

DRAM_BITS = 64


def export(machine: Accelerator, workload: Workload, folder: Path) -> tuple[Path, Path, Path]:
    """Write hardware.yaml, workload.yaml and mapping.yaml for ZigZag 3.9; JSON is YAML, so that is what they hold.

    Only systolic machines with parallel elements have a counterpart; layers of the vector unit are left out. Raises HardwareError.
    """
    flow = next((name for name in machine.dataflows if name in UNROLLED), None)
    if flow is None or machine.style != "parallel":
        raise HardwareError(
            f"{machine.name} has no counterpart in ZigZag: it needs parallel elements and a weight- or output-stationary dataflow"
        )
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "hardware.yaml", folder / "workload.yaml", folder / "mapping.yaml"
    sizes = {"rows": machine.rows, "columns": machine.columns}
    unrolled = [[loop, sizes[side]] for loop, side in UNROLLED[flow]]
    links = {"O": "O", "W": "I2", "I": "I1"}
    mapping = [{"name": "default", "spatial_mapping": {f"D{n + 1}": [f"{k}, {v}"] for n, (k, v) in enumerate(unrolled)}}]
    layers = [_layer(number, layer) for number, layer in enumerate(workload.multiplying)]
    write_text(files[0], _text(_hardware(machine, workload)))
    write_text(files[1], _text(layers))
    write_text(files[2], _text([{**mapping[0], "memory_operand_links": links}]))
    return files


def results(path: str | Path) -> dict[str, dict[str, float]]:
    """Layer -> energy_pj, cycles of a ZigZag JSON report (`complete.json`), or of a folder of them. Raises HardwareError."""
    root = Path(path)
    files = sorted(root.glob("*_complete.json")) if root.is_dir() else [root]
    if not files:
        raise HardwareError(f"{root} must hold ZigZag's reports, *_complete.json; there are none")
    found = {}
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            outputs = content["outputs"]
            figures = {"energy_pj": float(outputs["energy"]["energy_total"]), "cycles": float(outputs["latency"]["computation"])}
            name = str(content["inputs"]["layer"]["name"]) if "name" in content.get("inputs", {}).get("layer", {}) else file.stem
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HardwareError(
                f"{file} must be a report of ZigZag with outputs.energy.energy_total and outputs.latency.computation: {error}"
            ) from error
        found[name.removesuffix("_complete")] = figures
    return found


def description(path: str | Path, *, technology: str = "45nm", clock_mhz: float = 200.0) -> str:
    """A ZigZag hardware file as TOML for `hardware.load`: array, memories above the array with their energies, DRAM.

    Memories of single elements are left to our registers. ZigZag has no clock, node, area in um2 or leakage: `technology` and
    `clock_mhz` are the caller's, area and leakage those of the technology table. Raises HardwareError for other files and machines
    (arrays of other than two dimensions, no memory above the array), MissingDependencyError without PyYAML.
    """
    found = _yaml(Path(path))
    try:
        sizes, memories = found["operational_array"]["sizes"], found["memories"]
        dimensions = set(found["operational_array"]["dimensions"])
        shared = {name: each for name, each in memories.items() if dimensions <= set(each["served_dimensions"])}
        *inner, (_, dram) = shared.items()
        rows, columns = (int(size) for size in sizes)
        text = [
            f'name = "{found["name"]}"',
            f'description = "{rows}x{columns} array after a ZigZag description"',
            f'technology = "{technology}"',
            'dataflows = ["weight_stationary", "output_stationary"]',
            'activations = "dram"',
            f"[array]\nrows = {rows}\ncolumns = {columns}\nclock_mhz = {clock_mhz:g}",
        ]
        held: set[str] = set()
        for name, memory in inner:
            roles = [role for role, operand in OPERANDS.items() if operand in memory["operands"] and role not in held]
            held.update(roles)
            if roles:
                text.append(_toml(name, memory, roles))
        band, cost = _band(dram), max(float(dram["r_cost"]), float(dram["w_cost"]))
        text.append(f"[dram]\nbandwidth_gb_s = {band * clock_mhz / 8000:g}\nenergy_pj_bit = {cost / band:g}")
    except (KeyError, TypeError, ValueError) as error:
        raise HardwareError(
            f"{path} must be a hardware description of ZigZag with a two-dimensional array and shared memories: {error!r}"
        ) from error
    return "\n\n".join([*text, "[postprocess]\nlanes = 8", "[float_unit]\nlanes = 4"]) + "\n"


def _yaml(path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingDependencyError("reading ZigZag's YAML needs the package pyyaml: pip install 'inexact[zigzag]'") from error
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HardwareError(f"{path} must be a readable YAML file: {error}") from error


def _band(memory: dict[str, Any]) -> int:
    """Bits of an access: the widest port, or the older form's `r_bw`."""
    return int(memory["r_bw"]) if "r_bw" in memory else max(int(port["bandwidth_max"]) for port in memory["ports"])


def _toml(name: str, memory: dict[str, Any], roles: list[str]) -> str:
    band = _band(memory)
    held = ", ".join(f'"{role}"' for role in roles)
    return (
        f"[memories.{name}]\nkib = {memory['size'] / 8192:g}\nholds = [{held}]\nwidth_bits = {band}\nports = 2\n"
        f"read_pj_bit = {float(memory['r_cost']) / band:g}\nwrite_pj_bit = {float(memory['w_cost']) / band:g}\n"
        f"banks = {max(1, round(memory['size'] / 8192 / 1024))}"
    )


def _text(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"


def mean_mac_energy(machine: Accelerator, workload: Workload) -> float:
    """pJ of a multiply-accumulate, multiplier and adder, over the layers of a workload."""
    cost = machine.evaluate(workload)
    spent = sum(layer.energy.get(part, (0.0,))[0] for layer in cost.layers for part in ("multipliers", "adders"))
    return spent / cost.macs


def _hardware(machine: Accelerator, workload: Workload) -> dict[str, Any]:
    register = machine.rates.register_bit[0]
    memories = {
        "register_weight": _memory(8, 8, register * 8, register * 8, ["I2"], []),
        "register_sum": _memory(32, 32, register * 32, register * 32, ["O"], []),
    }
    for memory in machine.memories.values():
        operands = sorted({OPERANDS[role] for role in memory.holds})
        width = _width(machine, memory)
        read, write = memory.bank.read[0] * width, memory.bank.write[0] * width
        memories[memory.name] = _memory(int(memory.bits), width, read, write, operands, ["D1", "D2"])
    dram = machine.rates.dram_bit[0] * DRAM_BITS
    memories["dram"] = _memory(10_000_000_000, DRAM_BITS, dram, dram, ["I1", "I2", "O"], ["D1", "D2"])
    return {
        "name": machine.name,
        "memories": memories,
        "operational_array": {
            "unit_energy": mean_mac_energy(machine, workload),
            "unit_area": 1.0,
            "dimensions": ["D1", "D2"],
            "sizes": [machine.rows, machine.columns],
        },
    }


def _width(machine: Accelerator, memory: Memory) -> int:
    return int(memory.width) if memory.width < float("inf") else 8 * max(machine.rows, machine.columns)


def _memory(bits: int, width: int, read: float, write: float, operands: list[str], served: list[str]) -> dict[str, Any]:
    """One memory: a port to read and one to write, shared by its operands; sums and outputs move both ways."""
    out = [f"{operand}, tl" for operand in operands] + [f"{operand}, th" for operand in operands if operand == "O"]
    into = [f"{operand}, fh" for operand in operands] + [f"{operand}, fl" for operand in operands if operand == "O"]
    band = {"bandwidth_min": min(width, 64), "bandwidth_max": width}
    return {
        "size": bits,
        "r_cost": float(read),
        "w_cost": float(write),
        "area": 0.0,
        "latency": 1,
        "operands": operands,
        "ports": [
            {"name": "r_port_1", "type": "read", **band, "allocation": out},
            {"name": "w_port_1", "type": "write", **band, "allocation": into},
        ],
        "served_dimensions": served,
    }


def _layer(number: int, layer: LayerWorkload) -> dict[str, Any]:
    a, b, s = layer.arithmetic.a_bits, layer.arithmetic.b_bits, layer.arithmetic.accumulator_bits
    (step_h, step_w), channels = layer.steps, layer.in_channels // layer.groups
    grouped = layer.groups > 1
    loops = {"B": layer.batch, "G": layer.groups, "K": layer.filters, "C": channels}
    loops |= {"OY": layer.out_h, "OX": layer.out_w, "FY": layer.kernel_h, "FX": layer.kernel_w}
    if not grouped:
        del loops["G"]
    g = "[g]" if grouped else ""
    padding = [_padding(layer, axis) for axis in ("w", "h")]
    return {
        "id": number,
        "name": layer.name,
        "operator_type": "Conv",
        "equation": f"O[b]{g}[k][oy][ox]+=W{g}[k][c][fy][fx]*I[b]{g}[c][iy][ix]",
        "dimension_relations": [f"ix={step_w}*ox+{layer.dilation_w}*fx", f"iy={step_h}*oy+{layer.dilation_h}*fy"],
        "loop_dims": list(loops),
        "loop_sizes": list(loops.values()),
        "pr_loop_dims": ["IX", "IY"],
        "pr_loop_sizes": [layer.in_w, layer.in_h],
        "padding": padding,
        "operand_precision": {"W": b, "I": a, "O": s, "O_final": a},
        "operand_source": {"W": number, "I": number},
    }


def _padding(layer: LayerWorkload, axis: str) -> list[int]:
    """Zeros before and behind an axis, as many as the sizes imply."""
    outputs, inputs, taps = (getattr(layer, f"{name}_{axis}") for name in ("out", "in", "kernel"))
    step, dilation = layer.steps[axis == "w"], getattr(layer, f"dilation_{axis}")
    missing = max(0, (outputs - 1) * step + (taps - 1) * dilation + 1 - inputs)
    return [missing // 2, missing - missing // 2]
