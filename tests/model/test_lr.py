"""GICH_LR: the words of a few registers written out by hand, and the codec on all kinds of words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from model.lr import EMPTY, CodecInput, ListRegister, LRState, canonical, decode, encode, legal_word, lr_codec
from vgicheck.engine.values import fresh, is_symbolic, mapped, same

WORDS = st.integers(0, 2**32 - 1)

EXAMPLES = {
    0x0000_0000: EMPTY,
    0x1000_0C05: replace(EMPTY, state=LRState.PENDING, virtual_id=5, cpuid=3),
    0x2208_0022: replace(EMPTY, state=LRState.ACTIVE, virtual_id=34, eoi=True, priority=4),
    0x3000_03FF: replace(EMPTY, state=LRState.PENDING_ACTIVE, virtual_id=1023),
    0x9000_6C1B: replace(EMPTY, state=LRState.PENDING, virtual_id=27, hw=True, physical_id=27),
    0x8008_0000: replace(EMPTY, hw=True, physical_id=512),
    0x4F80_0000: replace(EMPTY, group1=True, priority=31),
    0x0008_0000: replace(EMPTY, eoi=True),
    0xFF8F_FFFF: ListRegister(3, 1023, 0, False, 31, True, True, 1023),
    0x7F88_1FFF: ListRegister(3, 1023, 7, True, 31, True, False, 0),
}


@pytest.mark.parametrize("word", EXAMPLES, ids=hex)
def test_words_written_by_hand(word: int) -> None:
    """A word and the register that it means are each other's image."""
    assert decode(word) == EXAMPLES[word]
    assert encode(EXAMPLES[word]) == word
    assert legal_word(word) and canonical(EXAMPLES[word])


@pytest.mark.parametrize("position", range(32))
def test_reserved_bits(position: int) -> None:
    """Bits 22:20 are reserved always, bits 18:13 under HW=0, and no other bit is; a reserved bit decodes as zero."""
    word = 1 << position
    hw_word = word | 1 << 31
    assert legal_word(word) is (position not in {13, 14, 15, 16, 17, 18, 20, 21, 22})
    assert legal_word(hw_word) is (position not in {20, 21, 22})
    assert encode(decode(word)) == (word if legal_word(word) else 0)
    assert encode(decode(hw_word)) == (hw_word if legal_word(hw_word) else 1 << 31)


def test_fields_without_meaning() -> None:
    """CPUID and EOI under HW=1, and PhysicalID under HW=0, make a record non-canonical and do not reach its word."""
    hardware, software = replace(EMPTY, hw=True, physical_id=5), replace(EMPTY, cpuid=2, eoi=True)
    for lr in (hardware, software):
        strange = replace(lr, cpuid=lr.cpuid | 1, eoi=True, physical_id=lr.physical_id | 1)
        assert canonical(lr) and not canonical(strange)
    assert encode(replace(hardware, cpuid=7, eoi=True)) == encode(hardware)
    assert encode(replace(software, physical_id=1023)) == encode(software)
    assert not canonical(replace(hardware, cpuid=1))
    assert not canonical(replace(hardware, eoi=True))
    assert not canonical(replace(software, physical_id=1))


@given(WORDS)
@settings(max_examples=200, deadline=None, database=None)
def test_words_round_trip(word: int) -> None:
    """A legal word comes back as it was; any word decodes to a canonical record, whose word is legal."""
    lr = decode(word)
    assert canonical(lr)
    assert legal_word(encode(lr))
    assert (encode(lr) == word) is legal_word(word)
    assert decode(encode(lr)) == lr


@given(WORDS, WORDS)
@settings(max_examples=60, deadline=None, database=None)
def test_both_readings_agree(word: int, other: int) -> None:
    """The codec on Z3 terms evaluates to what it gives on the numbers themselves."""
    old = fresh(CodecInput, "old")
    new = lr_codec(old)
    strange = replace(decode(other), cpuid=other & 7, eoi=bool(other & 8), physical_id=other >> 5 & 1023)
    plain_old = CodecInput(word, strange)
    solver = z3.Solver()
    solver.add(same(old, plain_old))
    assert solver.check() == z3.sat
    values = solver.model()

    def number(term: object) -> object:
        if not is_symbolic(term):
            return term
        value = values.eval(term, model_completion=True)
        return z3.is_true(value) if z3.is_bool(value) else value.as_long()

    assert mapped(number, new) == lr_codec(plain_old)
