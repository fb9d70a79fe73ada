"""A mapped netlist as structural Verilog, for other tools."""

from __future__ import annotations

from inexact.circuits.synthesis._mapped import Mapped


def mapped_verilog(mapped: Mapped) -> str:
    """Structural Verilog over the library's cells; nets are n2, n3, …, pins connected by name."""
    buses = (*mapped.inputs, *mapped.outputs)
    names = {0: "1'b0", 1: "1'b1"}
    place = 2
    for bus in mapped.inputs:
        names |= {place + bit: f"{bus.name}[{bit}]" for bit in range(bus.width)}
        place += bus.width
    lines = [f"module {mapped.name} ({', '.join(bus.name for bus in buses)});"]
    lines += [f"  input [{bus.width - 1}:0] {bus.name};" for bus in mapped.inputs]
    lines += [f"  output [{bus.width - 1}:0] {bus.name};" for bus in mapped.outputs]
    body = []
    for number, placed in enumerate(mapped.cells):
        cell = mapped.library.cells[placed.cell]
        pins = [f".{pin.name}({names[net]})" for pin, net in zip(cell.inputs, placed.inputs, strict=True)]
        for offset, pin in enumerate(cell.outputs):
            names[placed.output + offset] = f"n{placed.output + offset}"
            lines.append(f"  wire n{placed.output + offset};")
            pins.append(f".{pin.name}(n{placed.output + offset})")
        body.append(f"  {placed.cell} u{number} ({', '.join(pins)});")
    place = 0
    for bus in mapped.outputs:
        for bit in range(bus.width):
            body.append(f"  assign {bus.name}[{bit}] = {names[mapped.output_nets[place]]};")
            place += 1
    return "\n".join([*lines, *body, "endmodule", ""])
