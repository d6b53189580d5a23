"""Reads the plain values that ``torch.save`` wrote, from bytes that may come from anyone.

``torch.load`` with ``weights_only`` runs no code, but it unpacks whatever an archive declares, and makes byte arrays of
any size: a megabyte can take gigabytes of memory. Here only what plain values need is allowed, nothing is unpacked, and
every tensor lies within its data, so that memory stays in proportion to the file.
"""

from __future__ import annotations

import io
import math
import pickletools
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from wganbench.spec import short

DTYPES = {
    "torch DoubleStorage": torch.float64,
    "torch FloatStorage": torch.float32,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
    "torch ComplexFloatStorage": torch.complex64,
    "torch ComplexDoubleStorage": torch.complex128,
}
"""The names of storages, with the type of their elements."""
REBUILD, ORDERED = "torch._utils _rebuild_tensor_v2", "collections OrderedDict"
MAX_DEPTH = 50
"""The deepest nesting of a state."""


class _Global(str):
    """The name of one of the allowed globals."""


def read_state(payload: bytes) -> Any:
    """Returns what ``torch.save`` wrote: tensors, numbers, text, None, and lists, tuples and dicts of them.

    Raises:
        ValueError: If the payload is anything else.
        Exception: Any other exception, as the payload may be any bytes.
    """
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("packed, which torch does not do")
        if sum(member.file_size for member in members) > len(payload):
            raise ValueError("members overlap")
        contents = {member.filename.partition("/")[2]: archive.read(member) for member in members}
    if contents.get("byteorder", b"little").decode() != sys.byteorder:
        raise ValueError("of another byte order")
    return _Machine(contents).values()


class _Machine:
    """Follows the instructions of a pickle as far as plain values need them.

    Args:
        contents: The archive's members by name.
    """

    def __init__(self, contents: Mapping[str, bytes]):
        self.contents = contents
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Tensor] = {}

    def values(self) -> Any:
        """Returns the one value that the instructions leave."""
        n_steps = 0
        for code, argument, _ in pickletools.genops(self.contents["data.pkl"]):
            n_steps += 1
            if code.name == "STOP":
                break
            self._take(code.name, argument)
        (value,) = self.stack
        _check_size(value, 10 * n_steps)
        return value

    def _take(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO":
                pass
            case "MARK":
                self.marks.append(len(stack))
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE":
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append({"EMPTY_DICT": {}, "EMPTY_LIST": [], "EMPTY_TUPLE": ()}[name])
            case "TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._last(int(name[5:]) if name[5:] else None)))
            case "APPEND" | "APPENDS":
                items = self._last(1 if name == "APPEND" else None)
                _as(list, stack[-1]).extend(items)
            case "SETITEM" | "SETITEMS":
                items = self._last(2 if name == "SETITEM" else None)
                _as(dict, stack[-1]).update(zip(items[::2], items[1::2], strict=True))
            case "GLOBAL":
                if argument not in {REBUILD, ORDERED, *DTYPES}:
                    raise ValueError(f"names {short(argument)}")
                stack.append(_Global(argument))
            case "BINPERSID":
                stack.append(self._storage(*_as(tuple, stack.pop())))
            case "REDUCE":
                function, arguments = self._last(2)
                stack.append(self._call(_as(_Global, function), _as(tuple, arguments)))
            case _:
                raise ValueError(f"has the instruction {name}")

    def _last(self, n: int | None) -> list[Any]:
        """Removes and returns the last ``n`` values; all since the last mark if ``n`` is None."""
        start = self.marks.pop() if n is None else len(self.stack) - n
        if start < 0:
            raise ValueError("takes more than there is")
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def _storage(self, kind: str, name: _Global, key: str, location: str, n: int) -> Tensor:
        """Returns a storage's elements, as one tensor of one axis."""
        dtype, content = DTYPES[_as(_Global, name)], self.contents[f"data/{key}"]
        if len(content) != n * dtype.itemsize:
            raise ValueError(f"{n} elements in {len(content)} bytes")
        if key not in self.storages:
            self.storages[key] = torch.empty(n, dtype=dtype)  # in torch's own memory, aligned as any other tensor
            if n:
                self.storages[key].copy_(torch.frombuffer(bytearray(content), dtype=dtype))
        if self.storages[key].dtype != dtype:
            raise ValueError("one storage of two types")
        return self.storages[key]

    def _call(self, name: _Global, arguments: tuple[Any, ...]) -> Any:
        if name == ORDERED and not arguments:
            return OrderedDict()
        if name != REBUILD:
            raise ValueError(f"calls {name}")
        storage, offset, size, stride, needs_gradient, hooks = arguments
        numbers = [offset, *size, *stride]
        if needs_gradient or hooks or len(size) != len(stride) or any(type(each) is not int for each in numbers):
            raise ValueError("no plain tensor")
        n = math.prod(size)
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if min(numbers) < 0 or n > len(_as(Tensor, storage)) or (n and last >= len(storage)):
            raise ValueError("a tensor beyond its data")
        return storage.as_strided(size, stride, offset) if n else storage.new_empty(size)


def _as(kind: type, value: Any) -> Any:
    """Returns ``value`` if it is of this type; raises ValueError otherwise."""
    if not isinstance(value, kind):
        raise ValueError(f"a {type(value).__name__} where a {kind.__name__} should be")
    return value


def _check_size(value: Any, most: int) -> None:
    """Raises ValueError if there are more values inside ``value``, as where a list holds itself, or too deep ones."""
    left = [(value, 0)]
    while left:
        each, depth = left.pop()
        most -= 1
        if most < 0 or depth > MAX_DEPTH:
            raise ValueError("nested too deeply, or larger than the file")
        if isinstance(each, dict):
            left += [(item, depth + 1) for item in (*each.keys(), *each.values())]
        elif isinstance(each, list | tuple):
            left += [(item, depth + 1) for item in each]
