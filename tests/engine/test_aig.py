"""Graphs of gates: what they compute, and what AIGER's file says of them."""

from __future__ import annotations

from itertools import product

from vgicheck.engine.aig import FALSE, TRUE, Graph, no


def test_gates_compute() -> None:
    """Each way to join literals gives on all values what its name says, whichever are negated or plain."""
    graph = Graph(inputs=2, latches=1)
    a, b, c = graph.input(0), graph.input(1), graph.latch(0)
    for x, y, z in product((a, no(b), TRUE, FALSE), (b, no(a), c), (c, no(c), a)):
        made = {
            graph.both(x, y): lambda p, q, r: p and q,
            graph.all_of((x, y, z)): lambda p, q, r: p and q and r,
            graph.any_of((x, y, z)): lambda p, q, r: p or q or r,
            graph.choice(x, y, z): lambda p, q, r: q if p else r,
            graph.same(x, y): lambda p, q, r: p is q,
        }
        for given in product((False, True), repeat=3):
            values = graph.run(given[:2], given[2:])
            p, q, r = (bool(values[literal >> 1] ^ literal & 1) for literal in (x, y, z))
            for literal, means in made.items():
                assert bool(values[literal >> 1] ^ literal & 1) is bool(means(p, q, r)) or list(made).count(literal) > 1


def test_equal_gates_are_one() -> None:
    """The same two literals in either order are joined once."""
    graph = Graph(inputs=2)
    assert graph.both(2, 4) == graph.both(4, 2) and len(graph.gates) == 1
    assert graph.both(2, 3) == FALSE and graph.both(2, TRUE) == graph.both(2, 2) == 2


def read(data: bytes) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Read AIGER's binary form as its description has it: the header's numbers, what stands a line, the gates."""
    first, _, rest = data.partition(b"\n")
    header = [int(n) for n in first.split()[1:]]
    lines = rest.split(b"\n", header[2] + header[3])
    left, gates = iter(lines.pop()), []

    def number() -> int:
        byte = next(left)
        return byte & 0x7F | (number() << 7 if byte & 0x80 else 0)

    for n in range(header[4]):
        high = 2 * (header[1] + header[2] + n + 1) - number()
        gates.append((high - number(), high))
    assert next(left, None) is None
    return header, [int(line) for line in lines], gates


def test_aiger() -> None:
    """What is written is read again: header, next values, what must not be, and gates near and far."""
    graph = Graph(inputs=200, latches=2)
    far = graph.both(graph.input(0), no(graph.input(1)))
    near = graph.same(far, graph.latch(1))
    gates = len(graph.gates)
    assert first(graph.aiger([near, no(far)], no(near))) == b"aig %d 200 2 1 %d" % (202 + gates, gates)
    assert read(graph.aiger([near, no(far)], no(near)))[1:] == ([near, no(far), no(near)], graph.gates)


def first(data: bytes) -> bytes:
    """Return the first line of a file."""
    return data.partition(b"\n")[0]
