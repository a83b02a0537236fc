"""What the doctor finds of the machine: processor, memory, temporary folder, limits."""

from __future__ import annotations

import os
import platform
import re
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

from detector.doctor.records import Check, State, free_space, size

LEAST_MEMORY = 2 << 30  # bytes
LEAST_TEMPORARY = 1 << 30
LEAST_FILES = 1024
_CGROUP = Path("/sys/fs/cgroup")
# What Linux calls them, and people.
_FEATURES = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "AMX": ("amx_tile",),
    "bfloat16": ("avx512_bf16", "amx_bf16", "bf16"),
}


def machine() -> Iterator[Check]:
    """Check the machine, and what of it this process may use."""
    yield _processor()
    yield _cores()
    yield _memory()
    yield _temporary()
    yield _open_files()


def _processor() -> Check:
    text = _read(Path("/proc/cpuinfo"))
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = named[1] if named else platform.machine()
    listed = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    flags = set(listed[1].split()) if listed else set()
    has = {feature: not flags.isdisjoint(names) for feature, names in _FEATURES.items()}
    lacks = [feature for feature, here in has.items() if not here]
    told = f"{name}: {', '.join(feature for feature, here in has.items() if here) or 'plain'}"
    if platform.machine() not in {"x86_64", "AMD64"}:
        return Check("processor", State.OK, told)
    if lacks:
        told += f"; no {', '.join(lacks)}"
    if not has["AVX2"]:
        remedy = "everything is slow without AVX2: let the virtual machine see the whole processor"
        return Check("processor", State.OFF, told, remedy)
    return Check("processor", State.OK, told)


def _cores() -> Check:
    cores = len(os.sched_getaffinity(0))
    shares = []
    for text in _of_cgroup("cpu.max"):
        quota, _, period = text.partition(" ")
        if quota.isdecimal() and period.isdecimal():
            shares.append(int(quota) / int(period))
    limit = min(shares, default=float(cores))
    if limit < cores:
        return Check("cores", State.OK, f"{cores}, of which the control group allows {limit:g}")
    return Check("cores", State.OK, str(cores))


def _memory() -> Check:
    kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _read(Path("/proc/meminfo")), re.MULTILINE))
    total, free = (1024 * int(kilobytes.get(name, 0)) for name in ("MemTotal", "MemAvailable"))
    if not total:
        return Check("memory", State.OFF, "this system does not tell")
    told = f"{size(free)} of {size(total)} are free"
    limits = [int(text) for text in _of_cgroup("memory.max") if text.isdecimal()]
    if limits and min(limits) < total:
        free = min(free, min(limits))
        told += f"; the control group allows {size(min(limits))}"
    if free < LEAST_MEMORY:
        remedy = f"a scan wants {size(LEAST_MEMORY)}: end other programs, or raise the limit"
        return Check("memory", State.PROBLEM, told, remedy)
    return Check("memory", State.OK, told)


def _temporary() -> Check:
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        return Check("temporary folder", State.PROBLEM, str(error), "set TMPDIR to one")
    free = free_space(folder)
    told = f"{folder}, {size(free)} free"
    if free < LEAST_TEMPORARY:
        remedy = "uploads by URL are copied there: free some, or set TMPDIR to another folder"
        return Check("temporary folder", State.PROBLEM, told, remedy)
    return Check("temporary folder", State.OK, told)


def _open_files() -> Check:
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < LEAST_FILES:
        remedy = f"`ulimit -n {LEAST_FILES}`, or LimitNOFILE= of the systemd unit"
        return Check("open files", State.PROBLEM, f"{limit} at a time, at most {most}", remedy)
    return Check("open files", State.OK, f"{limit} at a time")


def _of_cgroup(name: str) -> Iterator[str]:
    """Give a value of this process's control group and of all those around it (cgroup v2)."""
    own = re.search(r"^0::/(.*)$", _read(Path("/proc/self/cgroup")), re.MULTILINE)
    folder = _CGROUP / (own[1] if own else "")
    for one in (folder, *folder.parents):
        if one.is_relative_to(_CGROUP):
            yield _read(one / name).strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
