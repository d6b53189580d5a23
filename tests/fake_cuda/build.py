"""Builds the stand-in for CUDA: one shared library, put before the CUDA libraries that torch is linked to.

The C files beside this module define what is imitated. Every other function of CUDA's runtime, driver, cuBLAS and
cuDNN that this torch needs is found in its shared objects and gets a stub, so that no list of them is kept here.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY = "libcuda.so.1"
"""The file's name and soname: that of the driver, so that torch finds it in the driver's place."""
OBJECTS = ("libc10_cuda", "libtorch_cuda", "libtorch_cuda_linalg", "libtorch_python", "libcaffe2_nvrtc")
IMITATED = re.compile(r"(__cuda|cuda|cublas|cudnn|cu(?!File))[A-Z]\w*")
QUIET = re.compile(r"(cublasLt|cudnn)\w*Set|cudaFuncSet|Destroy|cudaProfiler|cuCtxSet")
"""Functions whose work needs no imitation."""
PROTOTYPES = "int fake_create(const char *, void **), fake_library(const char *, void **), fake_missing(const char *);"
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter")


def missing() -> str | None:
    """The reason why nothing can be built here; None if there is none."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "the stand-in for CUDA is for Linux on x86-64"
    tools = [name for name in ("gcc", "nm") if shutil.which(name) is None]
    if tools:
        return f"the stand-in for CUDA needs {' and '.join(tools)}"
    if not (_packages() / "torch/lib/libtorch_cuda.so").exists():
        return "the stand-in for CUDA needs a torch that was built with CUDA"
    if not all(folder.is_dir() for folder in _headers()):
        return "the stand-in for CUDA needs the headers that come with torch's packages of CUDA 13"
    return None


def build(folder: Path) -> Path:
    """Builds the library in ``folder``, which takes about a second, and returns its path.

    Raises:
        subprocess.CalledProcessError: If the compiler refuses it; it has then printed why.
    """
    headers = [f"-isystem{each}" for each in _headers()]
    compiler = ["gcc", "-O1", "-g", "-fPIC", "-pthread", *WARNINGS, *headers, f"-I{HERE}"]
    objects = []
    for source in sorted(HERE.glob("*.c")):
        objects.append(folder / f"{source.stem}.o")
        subprocess.run([*compiler, "-c", source, "-o", objects[-1]], check=True)
    needed = _symbols((_packages() / f"torch/lib/{name}.so" for name in OBJECTS), "--dynamic", "--undefined-only")
    own = _symbols(objects, "--defined-only")
    stubs = folder / "stubs.c"
    stubs.write_text("\n".join([PROTOTYPES, *(stub(name) for name in sorted(needed - own)), ""]))
    whole = ["-shared", f"-Wl,-soname,{LIBRARY}", "-o", folder / LIBRARY]
    subprocess.run([*compiler, *objects, stubs, *whole], check=True)
    return folder / LIBRARY


def stub(name: str) -> str:
    """The body of a function that no C file here defines, which its name decides.

    A descriptor is made; a call of cuBLAS or cuDNN is counted on the stream of its handle; what changes nothing here
    succeeds; anything else is reported as not imitated, so that a test which sees it in `violations` fails.
    """
    if re.match(r"(cublas|cudnn)\w*Create", name):
        return f'int {name}(void **object) {{ return fake_create("{name}", object); }}'
    if QUIET.match(name) or QUIET.search(name):
        return f"int {name}(void) {{ return 0; }}"
    if re.match(r"cublas(?!Lt)|cudnn(?!\w*Get)", name):
        return f'int {name}(void **handle) {{ return fake_library("{name}", handle); }}'
    return f'int {name}(void) {{ return fake_missing("{name}"); }}'


def _symbols(objects: Iterable[Path], *options: str) -> set[str]:
    """The names of CUDA's functions in the symbol tables of some objects."""
    listed = ["nm", *options, "--format=posix", *(path for path in objects if path.exists())]
    text = subprocess.run(listed, check=True, capture_output=True, text=True).stdout
    names = {line.split()[0].partition("@")[0] for line in text.splitlines() if line and not line.endswith(":")}
    return {name for name in names if IMITATED.fullmatch(name)}


def _packages() -> Path:
    spec = importlib.util.find_spec("torch")  # which does not import it
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parents[1]


def _headers() -> list[Path]:
    """The folders of headers that torch's CUDA packages bring along; Triton's has what the runtime's leaves out."""
    names = ("nvidia/cu13/include", "nvidia/cudnn/include", "triton/backends/nvidia/include")
    return [_packages() / name for name in names]
