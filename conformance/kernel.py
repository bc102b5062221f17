"""Random programs in the style of the kernel: words, bitmaps and flags in structs, bounded loops, switches and gotos.

csmith has no bitmaps, no unions of words that are seen as bits, no arithmetic on pointers and no error paths; these
programs have little else.  Nothing in them is undefined, whatever the inputs hold.
"""

from __future__ import annotations

from random import Random

from .sample import Sample

DECLARATIONS = """
typedef _Bool bool;
enum state { FREE, PENDING = 2, ACTIVE = 4, BOTH = 6 };
struct pair { int first; u8 second; int rest[3]; };
struct bitmap { union { u32 reg[2]; unsigned long reg_ul[0]; }; };
struct cpu { u32 hcr; u32 lr[4]; u8 map[8]; bool ready; enum state state; struct { u16 in, out; }; struct pair pair; };
int a, b, n, o, q;
u32 w, count;
u8 small;
u64 wide;
bool flag;
int table[8];
struct pair s, pairs[4];
struct bitmap map, percpu[2];
unsigned long bits[2];
struct cpu cpu, cpus[2];
static void bump(int *p) { *p += 1; }
static int sum(const int *p, int size) { int i, all = 0; for (i = 0; i < size; i++) all += p[i]; return all; }
static struct pair made(int x, u8 y) { struct pair p = { .second = y, .rest = { y, [2] = x } }; p.first = x; return p; }
static int weight(struct pair p) { p.first += p.rest[2]; return p.first * 3 + p.second; }
static bool is_set(u32 word, int bit) { return word & (1u << (bit & 31)); }
static struct cpu *other(struct cpu *c) { return c == &cpus[0] ? &cpus[1] : &cpus[0]; }
static struct bitmap *banked(int irq) { return irq < 32 ? &percpu[irq & 1] : &map; }
static void pending(struct cpu **slot, u8 value) { struct cpu *c = *slot; if (c) c->map[value & 7] = value; }
"""
SCALARS = (
    "a", "b", "o", "q", "w", "count", "small", "wide", "flag", "s.first", "s.second", "pairs[2].first",
    "cpu.hcr", "cpu.lr[1]", "cpu.ready", "cpu.state", "cpu.in", "cpus[1].out", "cpus[0].pair.second", "map.reg[1]",
)  # fmt: skip
"""What programs read and write by name."""
BITS = {
    "small": 8, "s.second": 8, "wide": 64, "flag": 1, "cpu.ready": 1, "cpu.in": 16, "cpus[1].out": 16,
    "cpus[0].pair.second": 8, "cpu.map[3]": 8, "cpu.state": 3,
}  # fmt: skip
"""Widths of inputs, where they are not 32 bits."""
INPUTS = (*SCALARS, "n", "bits[0]", "bits[1]", "map.reg[0]", "percpu[1].reg[0]", "cpu.map[3]", "s.rest[2]",
          *(f"table[{i}]" for i in range(8)))  # fmt: skip


def sample(random: Random, number: int) -> Sample:
    """Make a program."""
    chosen = random.sample(INPUTS, 6)
    fixed = "".join(
        f"{i} = {random.choice((0, 1, random.getrandbits(BITS.get(i, 32))))}u;\n" for i in INPUTS if i not in chosen
    )
    text = Writer(random, number).program(fixed)
    return Sample(number, (DECLARATIONS,), text, f"entry_{number}", {i: BITS.get(i, 32) for i in chosen})


class Writer:
    """Writes one program, function by function, statement by statement; `room` is how deep blocks may still nest."""

    def __init__(self, random: Random, number: int) -> None:
        self.random = random
        self.number = number
        self.functions: list[str] = []
        self.locals: list[str] = []
        self.counters: list[str] = []
        self.writable: list[str] = []
        self.names = 0
        self.depth = 0
        self.pure = True

    # Expressions -------------------------------------------------------------------------------

    def constant(self) -> str:
        """A number, or a name for one."""
        some = (0, 1, 2, 3, 7, 8, 31, 255, 256, 65535, 0x7FFFFFFF, self.random.getrandbits(16))
        return self.random.choice(
            [str(self.random.choice(some)), "0x80000000u", "PENDING", "BOTH", "sizeof(struct cpu)"]
        )

    def place(self) -> str:
        """Something to read, or to write in a function that may."""
        kind = self.random.randrange(9)
        if kind == 0:
            return f"table[{self.index()} & 7]"
        if kind == 1:
            return f"pairs[{self.index()} & 3].rest[{self.random.randrange(3)}]"
        if kind == 2:
            return f"cpus[{self.index()} & 1].{self.random.choice(['hcr', f'lr[{self.index()} & 3]', 'state', 'in'])}"
        if kind == 3:
            return f"banked({self.index()})->reg[{self.index()} & 1]"
        if kind == 4 and self.writable:
            return self.random.choice(self.writable)
        return self.random.choice(SCALARS)

    def target(self) -> str:
        """A place to write to: functions write to their own locals only, as C leaves the order of operands open."""
        return self.random.choice(self.writable) if self.pure else self.place()

    def index(self) -> str:
        """Something to index with, once it is cut to the length."""
        return self.random.choice([*self.counters, *self.counters, self.random.choice(SCALARS[:7]), self.constant()])

    def call(self, x: str, y: str) -> str:
        """A call without side effects."""
        calls: list[str] = [
            f"weight(made({x}, {y}))",
            f"is_set({x}, {self.index()})",
            f"test_bit({self.index()} & 63, map.reg_ul)",
            f"test_bit({self.index()} & 31, bits)",
            f"sum(table + {self.random.randrange(5)}, {self.random.randrange(4)})",
            f"sum(&cpu.pair.rest[1], {self.random.randrange(3)})",
            "weight(s)",
            f"other(&cpus[{self.index()} & 1])->hcr",
            f"ffs({x})",
            "find_first_bit(bits, 64)",
            f"({x}, {y})",
        ]
        calls += [f"{f}({x}, {y})" for f in self.functions for _ in range(2)]
        return self.random.choice(calls)

    def expression(self, depth: int = 2) -> str:
        """An expression without side effects that is defined for all values."""
        if depth == 0 or self.random.random() < 0.2:
            return self.random.choice([self.constant(), self.place(), self.random.choice([*self.locals, "a"])])
        x, y = self.expression(depth - 1), self.expression(depth - 1)
        kind = self.random.randrange(13)
        if kind < 5:
            return f"({x} {self.random.choice(['+', '-', '*', '&', '|', '^'])} {y})"
        if kind < 7:
            return f"({x} {self.random.choice(['<', '<=', '==', '!=', '>', '>='])} {y})"
        if kind == 7:
            return f"({x} {self.random.choice(['<<', '>>'])} ({y} & {self.random.choice((7, 15, 31))}))"
        if kind == 8:  # not + 1: gcc 12 makes t += a / ~b of t -= a / (b + 1), which traps for the least a by 1
            return f"({x} {self.random.choice(['/', '%'])} (int)(({y} & 7) | 1))"
        if kind == 9:
            return f"({self.random.choice(['!', '~', '-', '(u8)', '(s16)', '(s8)', '(u64)', '(bool)', '(long)'])}{x})"
        if kind == 10:
            return f"({x} {self.random.choice(['&&', '||'])} {y})"
        if kind == 11:
            return self.call(x, y)
        return f"({x} ? {y} : {self.expression(depth - 1)})"

    # Statements --------------------------------------------------------------------------------

    def name(self) -> str:
        """A name that the program does not have yet."""
        self.names += 1
        return f"v{self.names}"

    def block(self, room: int) -> str:
        """Some statements in braces."""
        known = len(self.locals), len(self.writable)
        body = "".join(self.statement(room - 1) for _ in range(self.random.randint(1, 3)))
        del self.locals[known[0] :], self.writable[known[1] :]
        return "{\n" + body + "}\n"

    def loop(self, room: int) -> str:
        """A loop of a few iterations."""
        i, count = self.name(), self.random.randint(1, 3)
        forms = [
            (f"for ({i} = 0; {i} < {count}; {i}++)", "", ""),
            (f"for ({i} = {count}; {i}-- > 0; )", "", ""),
            (f"for ({i} = (n & 3); {i} >= 0; {i}--)", "", ""),
            (f"for ({i} = 0; {i} < (n & 3); ++{i})", "", ""),
            ("do", f"{i} = 0;", f"while (++{i} < {count});"),
            (f"while ({i}++ < {count})", f"{i} = 0;", ""),
        ]
        if not self.depth:
            forms += [
                (f"for_each_set_bit({i}, bits, {self.random.randint(1, 12)})", "", ""),
                (f"for_each_set_bit({i}, percpu[1].reg_ul, {self.random.randint(1, 40)})", "", ""),
            ]
        head, before, after = self.random.choice(forms)
        self.counters.append(i)
        self.locals.append(i)
        self.depth += 1
        body = self.block(room)
        self.depth -= 1
        self.counters.pop()
        self.locals.remove(i)
        return f"{{ int {i}; {before} {head} {body} {after} }}\n"

    def assignment(self) -> str:
        """An assignment of a number."""
        op = self.random.choice(["=", "=", "=", "+=", "-=", "^=", "|=", "*=", "&="])
        if self.random.random() < 0.2:
            return self.random.choice([f"{self.target()}++;\n", f"--{self.target()};\n", f"{self.target()} >>= 3;\n"])
        if not self.pure and self.random.random() < 0.1:
            return f"wide = flag = small = {self.expression()};\n"
        return f"{self.target()} {op} {self.expression()};\n"

    def local(self) -> str:
        """A new local."""
        name = self.name()
        kind = self.random.choice(["int", "u8", "s16", "u64", "u32", "bool", "unsigned long", "s8", "enum state"])
        static = "static " if not self.pure and self.random.random() < 0.1 else ""
        text = f"{static}{kind} {name} = {self.constant() if static else self.expression()};\n"
        self.locals.append(name)
        self.writable.append(name)
        return text

    def effect(self) -> str:
        """A statement that is typical of the kernel and changes what is not local."""
        x, y = self.expression(1), self.expression(1)
        p = self.name()
        effects: list[str] = [
            f"bump({self.random.choice(['&o', '&table[' + self.index() + ' & 7]', '(w ? &a : &q)', '&s.rest[1]'])});",
            f"set_bit({self.index()} & 63, map.reg_ul);",
            f"clear_bit({self.index()} & 63, bits);",
            f"flag = test_and_clear_bit({self.index()} & 31, banked({self.index()})->reg_ul);",
            f"s = made({x}, {y});",
            f"pairs[{self.index()} & 3] = {self.random.choice(['s', 'cpu.pair', 'pairs[1]'])};",
            f"cpus[{self.index()} & 1] = cpu;",
            f"{{ struct cpu *{p} = {x} ? &cpu : other(&cpus[{self.index()} & 1]); {p}->lr[{self.index()} & 3] |= {y}; "
            f"{p}->ready = {self.expression(1)}; }}",
            f"{{ struct cpu *{p} = {x} ? &cpus[1] : (struct cpu *)0; pending(&{p}, {y}); }}",
            f"{{ int *{p} = table + {self.random.randrange(4)}; *{p}++ = {x}; {p}[2] -= {y}; o = *--{p}; }}",
            f"{{ u32 *{p} = cpu.lr; unsigned long *r{p} = (unsigned long *)({p} + 1); *r{p} ^= {x}; }}",
            f"{{ int {p}[4] = {{ {x}, [2] = {y} }}; {p}[{self.index()} & 3] += a; q = {p}[{self.index()} & 3]; }}",
            f"{{ struct bitmap {p} = *banked({self.index()}); {p}.reg[0] |= {x}; percpu[{self.index()} & 1] = {p}; }}",
        ]
        return self.random.choice(effects) + "\n"

    def statement(self, room: int) -> str:
        """Any statement."""
        kind = self.random.randrange(15 if room > 0 else 7)
        if kind < 3:
            return self.assignment()
        if kind == 3:
            return self.local()
        if kind == 4 and self.depth and self.random.random() < 0.7:
            return f"if ({self.expression(1)}) {self.random.choice(['break', 'continue'])};\n"
        if kind < 7:
            return self.assignment() if self.pure else self.effect()
        if kind < 10:
            tail = f"else {self.block(room)}" if self.random.random() < 0.5 else ""
            return f"if ({self.expression()}) {self.block(room)}{tail}"
        if kind == 10 and room > 1:
            cases = "".join(
                f"case {k}: {self.block(room - 2)} {self.random.choice(['break;', ''])}\n"
                for k in range(self.random.randint(1, 3))
            )
            return f"switch ({self.index()} & 3) {{\n{cases}default: {self.block(0)} }}\n"
        if kind == 11:
            return f"if ({self.expression(1)}) return{{}};\n"
        if kind == 12:
            return self.jump(room)
        return self.loop(room)

    def jump(self, room: int) -> str:
        """An error path, or a loop written with a label."""
        label = self.name()
        if self.random.random() < 0.5:
            return f"if ({self.expression(1)}) goto {label};\n{self.block(room)}{label}: ;\n"
        i = self.name()
        self.locals.append(i)
        body = f"int {i} = 0;\n{label}: ;\n{self.block(room)}if (++{i} < 3 && {self.expression(1)}) goto {label};\n"
        self.locals.remove(i)
        return f"{{\n{body}}}\n"

    def function(self, name: str, result: str, params: str, size: int, room: int, first: str = "") -> str:
        """A function with a body."""
        body = first + "".join(self.statement(room) for _ in range(size))
        value = "" if result == "void" else f" {self.random.choice('xya')}"
        end = "" if result == "void" else f"return {self.expression()};\n"
        return f"static {result} {name}({params})\n{{\n{body.replace('return{}', f'return{value}')}{end}}}\n"

    def program(self, first: str) -> str:
        """Two functions without side effects, and the entry, which starts with some text."""
        text = ""
        for k in range(2):
            self.locals, self.writable = ["x", "y"], ["x", "y"]
            result = self.random.choice(["int", "u8", "bool", "u64", "s16"])
            text += self.function(f"f{k}_{self.number}", result, "int x, u32 y", 2, 1)
            self.functions.append(f"f{k}_{self.number}")
        self.locals, self.writable, self.pure = [], [], False
        return text + self.function(f"entry_{self.number}", "void", "void", 4, 2, first)
