"""What torch.save wrote: read as torch reads it, or refused before it costs memory or runs anything."""

from __future__ import annotations

import io
import pickle
import pickletools
import tracemalloc
import zipfile
from collections import OrderedDict

import pytest
import torch

from wganbench.runner.payload import DTYPES, read_state


def saved(value: object) -> bytes:
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


def changed(payload: bytes, changes: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """The archive with other content in some of its members."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(payload)) as old, zipfile.ZipFile(out, "w", compression) as new:
        for info in old.infolist():
            new.writestr(info.filename, changes.get(info.filename.partition("/")[2], old.read(info)))
    return out.getvalue()


def pickled(payload: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        return archive.read("archive/data.pkl")


def assert_same(ours: object, theirs: object) -> None:
    assert type(ours) is type(theirs)
    if isinstance(ours, torch.Tensor):
        assert ours.dtype == theirs.dtype and ours.stride() == theirs.stride() and ours.shape == theirs.shape
        assert ours.contiguous().view(-1).view(torch.uint8).equal(theirs.contiguous().view(-1).view(torch.uint8))
    elif isinstance(ours, dict):
        assert list(ours) == list(theirs)
        for key in ours:
            assert_same(ours[key], theirs[key])
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    else:
        assert ours == theirs or ours != ours


RNG = torch.Generator().manual_seed(0)
ROWS = torch.randn(4, 6, generator=RNG)


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, 255, 256, 65_536, 2**31, -(2**40), 2**2000, 0.1, float("inf"), float("nan"), True, False, None),
        *(
            "",
            "é\n\x1b",
            "x" * 70_000,
            [],
            (),
            {},
            [1],
            (1,),
            (1, 2),
            (1, 2, 3),
            (1, 2, 3, 4),
            {"a": 1},
            {1: [2], 2: {}},
        ),
        [[*range(3000)], {str(n): n for n in range(3000)}],
        *(torch.zeros(0), torch.zeros(2, 0, 3), torch.tensor(1.5), ROWS, ROWS.t(), ROWS[1:, ::2], torch.tensor([True])),
        [ROWS[0], ROWS[1], ROWS],
        RNG.get_state(),
        torch.ones(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        OrderedDict(),
    ],
)
def test_plain_values_are_those_that_torch_reads(value):
    assert_same(read_state(saved(value)), torch.load(io.BytesIO(saved(value)), weights_only=True))


@pytest.mark.parametrize("dtype", DTYPES.values())
def test_every_type_comes_back_bit_for_bit(dtype):
    tensor = torch.randint(0, 2, (3, 5), generator=RNG).to(dtype)
    assert_same(read_state(saved(tensor)), tensor)


def test_tensors_that_share_memory_still_do():
    first, second = read_state(saved([ROWS, ROWS[1]]))
    first[1] = 7
    assert (second == 7).all()


def instructions(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


TENSOR = saved(ROWS)


@pytest.mark.parametrize(
    ("pickled", "said"),
    [
        (instructions(b"cos\nsystem\nX\x05\x00\x00\x00reboo\x85R"), "names 'os system'"),
        (instructions(b"cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x01\x85R"), "names 'builtins bytearray'"),
        (instructions(b"ctorch\nFloatStorage\n)R"), "calls torch FloatStorage"),
        (instructions(b"ccollections\nOrderedDict\n]\x85R"), "calls collections OrderedDict"),
        (instructions(b"ccollections\nOrderedDict\n)R}b"), "has the instruction BUILD"),
        (instructions(b"ccollections\nOrderedDict\n)\x81"), "has the instruction NEWOBJ"),
        (instructions(b"]q\x00h\x00a"), "nested too deeply, or larger than the file"),
        (
            instructions(b"]q\x00", *[b"]q\x00(h\x00h\x00e".replace(b"]q\x00", b"") for _ in range(40)]),
            "nested too deeply",
        ),
        (instructions(b"]" * 60, b"a" * 59), "nested too deeply"),
        (instructions(b"K\x01K\x02a"), "a int where a list should be"),
        (instructions(b"]K\x01K\x02s"), "a list where a dict should be"),
        (instructions(b"\x86"), "takes more than there is"),
        (b"\x80\x02]", "pickle exhausted"),
        (b"", "pickle exhausted"),
    ],
)
def test_what_is_no_plain_value_is_refused(pickled, said):
    with pytest.raises(ValueError, match=said):
        read_state(changed(TENSOR, {"data.pkl": pickled}))


def with_numbers(old: bytes, new: bytes) -> bytes:
    content = pickled(TENSOR)
    assert content.count(old) == 1, pickletools.dis(content)
    return changed(TENSOR, {"data.pkl": content.replace(old, new)})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"K\x18t", b"J\xff\xff\xff\x1ft", "536870911 elements in 96 bytes"),
        (b"K\x18t", b"K\x17t", "23 elements in 96 bytes"),
        (b"K\x04K\x06\x86", b"K\x04K\x07\x86", "a tensor beyond its data"),
        (b"K\x04K\x06\x86", b"K\x04J\xff\xff\xff\x7f\x86", "a tensor beyond its data"),
        (b"K\x04K\x06\x86", b"K\x04J\xff\xff\xff\xff\x86", "a tensor beyond its data"),
        (b"K\x06K\x01\x86", b"K\x07K\x01\x86", "a tensor beyond its data"),
        (b"K\x06K\x01\x86", b"K\x01K\x06K\x06\x87", "no plain tensor"),
        (b"QK\x00", b"QK\x01", "a tensor beyond its data"),
        (b"QK\x00", b"QN", "no plain tensor"),
        (b"FloatStorage", b"DoubleStorage", "24 elements in 96 bytes"),
        (b"FloatStorage", b"UntypedStorage", "names 'torch UntypedStorage'"),
    ],
)
def test_a_tensor_that_does_not_lie_in_its_data_is_refused(old, new, said):
    with pytest.raises(ValueError, match=said):
        read_state(with_numbers(old, new))


def test_a_stride_of_0_does_not_make_a_large_tensor_of_a_small_file():
    huge = with_numbers(b"K\x04K\x06\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")
    content = pickled(huge).replace(b"K\x06K\x01\x86", b"K\x00K\x00\x86")
    with pytest.raises(ValueError, match="a tensor beyond its data"):
        read_state(changed(TENSOR, {"data.pkl": content}))


def test_packed_members_are_refused_without_being_unpacked():
    bomb = changed(TENSOR, {"data/0": bytes(2**22)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 6_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="packed, which torch does not do"):
            read_state(bomb)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_members_that_lie_in_one_another_are_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", instructions(b"N"))
        archive.writestr("archive/data/0", bytes(10_000))
        first = archive.getinfo("archive/data/0")
        archive.filelist.extend([first] * 100)
    with pytest.raises(ValueError, match="members overlap"):
        read_state(out.getvalue())


@pytest.mark.parametrize("payload", [b"", b"PK\x03\x04", pickle.dumps([1]), b"\0" * 1000])
def test_what_is_no_archive_is_refused(payload):
    with pytest.raises(zipfile.BadZipFile):
        read_state(payload)


def test_the_other_byte_order_is_refused():
    with pytest.raises(ValueError, match="of another byte order"):
        read_state(changed(TENSOR, {"byteorder": b"big"}))
