"""Builds the control-flow graph of one function: instructions one after the other, jumps, and a tidy result."""

from __future__ import annotations

from .ir import Block, Branch, Goto, Instruction, Loc, Terminator, Unreachable

Mark = tuple[int, int]


class Graph:
    """A graph under construction; `here` is the block that grows. Code after a jump grows a block nobody jumps to."""

    def __init__(self) -> None:
        self._blocks = [Block()]
        self._here = 0
        self._targets: dict[int, int] = {}

    def mark(self) -> Mark:
        """The place of the next instruction, for telling later whether one was added, and for `insert`."""
        return self._here, len(self._blocks[self._here].instructions)

    def emit(self, instruction: Instruction) -> None:
        """Appends an instruction."""
        self._blocks[self._here].instructions.append(instruction)

    def insert(self, mark: Mark, instruction: Instruction) -> None:
        """Puts an instruction at an earlier place; marks taken before that one stay valid."""
        block, index = mark
        self._blocks[block].instructions.insert(index, instruction)

    def append(self, block: int, instruction: Instruction) -> None:
        """Puts an instruction at the end of a block that was left before."""
        self._blocks[block].instructions.append(instruction)

    def new_block(self) -> int:
        """A block to jump to and to `start` later."""
        self._blocks.append(Block())
        return len(self._blocks) - 1

    def start(self, block: int) -> None:
        """Goes on in a block, which the code before falls into."""
        self.end(Goto(block))
        self._here = block

    def end(self, terminator: Terminator) -> None:
        """Leaves the block; what follows cannot be reached until some block is started."""
        self._blocks[self._here].terminator = terminator
        self._here = self.new_block()

    def is_straight_and_empty(self) -> bool:
        """Whether nothing was emitted and no jump made."""
        return len(self._blocks) == 1 and not self._blocks[0].instructions

    def finish(self, terminator: Terminator) -> list[Block]:
        """Ends the last block and gives those that can be reached, each after its predecessors but for loops."""
        self.end(terminator)
        order = self._reverse_postorder()
        number = {block: index for index, block in enumerate(order)}
        finished = []
        for block in order:
            instructions = self._blocks[block].instructions
            finished.append(Block(instructions, self._renumbered(self._terminator(block), number)))
        return finished

    def _terminator(self, block: int) -> Terminator:
        terminator = self._blocks[block].terminator
        return Unreachable(Loc("", 0)) if terminator is None else terminator

    def _target(self, block: int) -> int:
        """Where a jump to a block ends up when empty blocks are passed over."""
        passed = list[int]()
        while block not in self._targets:
            self._targets[block] = block
            terminator = self._terminator(block)
            if self._blocks[block].instructions or not isinstance(terminator, Goto):
                break
            passed.append(block)
            block = terminator.block
        target = self._targets[block]
        for empty in passed:
            self._targets[empty] = target
        return target

    def _successors(self, block: int) -> tuple[int, ...]:
        terminator = self._terminator(block)
        if isinstance(terminator, Goto):
            return (self._target(terminator.block),)
        if isinstance(terminator, Branch):
            return self._target(terminator.then), self._target(terminator.otherwise)
        return ()

    def _reverse_postorder(self) -> list[int]:
        finished, seen = list[int](), {0}
        pending = [(0, iter(self._successors(0)[::-1]))]
        while pending:
            block, successors = pending[-1]
            following = next(successors, None)
            if following is None:
                finished.append(block)
                pending.pop()
            elif following not in seen:
                seen.add(following)
                pending.append((following, iter(self._successors(following)[::-1])))
        return finished[::-1]

    def _renumbered(self, terminator: Terminator, number: dict[int, int]) -> Terminator:
        if isinstance(terminator, Goto):
            return Goto(number[self._target(terminator.block)])
        if isinstance(terminator, Branch):
            then, otherwise = self._target(terminator.then), self._target(terminator.otherwise)
            return Branch(terminator.condition, number[then], number[otherwise], terminator.loc)
        return terminator
