"""What the doctor finds of the packages that this program stands on, and of a GPU."""

from __future__ import annotations

import importlib
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from detector.doctor.records import Check, State

OPENCV_LIBRARIES = (
    "OpenCV needs libraries that this system lacks: `apt-get install libgl1 libglib2.0-0 libxcb1`, "
    "or `pip uninstall opencv-python` and `pip install opencv-python-headless`"
)

# Each of a group brings the same module: the one installed last has overwritten the others.
_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_ONNX_RUNTIME = ("onnxruntime", "onnxruntime-gpu")

# What the usual uploads are coded with, and the decoders of FFmpeg that do it in software.
_DECODERS = {
    "H.264": ("h264",),
    "HEVC": ("hevc",),
    "VP8": ("vp8", "libvpx"),
    "VP9": ("vp9", "libvpx-vp9"),
    "AV1": ("libdav1d", "libaom-av1"),
    "MPEG-4": ("mpeg4",),
    "MPEG-2": ("mpeg2video",),
    "ProRes": ("prores",),
    "WMV": ("wmv2",),
    "Theora": ("theora",),
    "Motion JPEG": ("mjpeg",),
}
_NVIDIA = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
_NVIDIA_TIMEOUT_S = 1.0
_REINSTALL = "`pip install --force-reinstall {}`"


def programs() -> Iterator[Check]:
    """Check what this program runs on, but for the models."""
    yield Check("matchcut", State.OK, version("matchcut"))
    yield Check("Python", State.OK, platform.python_version())
    yield from _media()
    yield _opencv()
    yield _faiss()
    runtime = _onnx_runtime()
    yield runtime
    yield _gpu(has_cuda="CUDAExecutionProvider" in runtime.found)
    yield _torch()


def _installed(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _load(name: str, module: str, packages: Sequence[str]) -> tuple[ModuleType | None, Check]:
    """Load a module that one of some packages brings; the check says whether that worked."""
    found = _installed(packages)
    told = ", ".join(f"{package} {number}" for package, number in found.items())
    if not found:
        remedy = f"`pip install {packages[0]}`"
        return None, Check(name, State.PROBLEM, "not installed", remedy)
    try:
        loaded = importlib.import_module(module)
    except (ImportError, OSError) as error:
        remedy = OPENCV_LIBRARIES if module == "cv2" else _REINSTALL.format(next(iter(found)))
        return None, Check(name, State.PROBLEM, f"{told}, which cannot be loaded: {error}", remedy)
    if len(found) > 1:
        names = " ".join(found)
        return loaded, Check(
            name,
            State.PROBLEM,
            f"{told}: they overwrite each other's files",
            f"keep one: `pip uninstall -y {names}`, then `pip install` the one that is wanted",
        )
    return loaded, Check(name, State.OK, told)


def _more(check: Check, told: str) -> Check:
    return replace(check, found=f"{check.found}; {told}")


def _media() -> Iterator[Check]:
    av, check = _load("PyAV", "av", ("av",))
    if av is None:
        yield check
        return
    libraries = ", ".join(
        f"{name} {'.'.join(map(str, av.library_versions[name]))}"
        for name in ("libavformat", "libavcodec", "libswscale")
    )
    yield _more(check, f"FFmpeg with {libraries}")
    missing = [name for name, ways in _DECODERS.items() if not any(_has(av, one) for one in ways)]
    if missing:
        remedy = f"take PyAV's own wheel, which has them: {_REINSTALL.format('av')}"
        yield Check("decoders", State.PROBLEM, f"none for {', '.join(missing)}", remedy)
    else:
        yield Check("decoders", State.OK, ", ".join(_DECODERS))


def _has(av: ModuleType, decoder: str) -> bool:
    try:
        av.Codec(decoder, "r")
    except ValueError:  # what is here may only encode
        return False
    return True


def _opencv() -> Check:
    return _load("OpenCV", "cv2", _OPENCV)[1]


def _faiss() -> Check:
    faiss, check = _load("FAISS", "faiss", ("faiss-cpu", "faiss-gpu"))
    return check if faiss is None else _more(check, f"built {faiss.get_compile_options().strip()}")


def _onnx_runtime() -> Check:
    runtime, check = _load("ONNX Runtime", "onnxruntime", _ONNX_RUNTIME)
    return check if runtime is None else _more(check, ", ".join(runtime.get_available_providers()))


def _gpu(*, has_cuda: bool) -> Check:
    program = shutil.which(_NVIDIA[0])
    if program is None:
        return Check("GPU", State.OFF, "none of NVIDIA's: there is no nvidia-smi")
    try:
        done = subprocess.run(
            [program, *_NVIDIA[1:]],
            capture_output=True,
            text=True,
            timeout=_NVIDIA_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check(
            "GPU", State.OFF, f"nvidia-smi fails: {error}", "mend NVIDIA's driver to use the GPU"
        )
    told = "; ".join(done.stdout.split("\n")).strip("; ")
    if has_cuda:
        return Check("GPU", State.OK, told)
    return Check(
        "GPU",
        State.OFF,
        f"{told}; this ONNX Runtime does not use it",
        "`pip uninstall -y onnxruntime`, then `pip install onnxruntime-gpu`",
    )


def _torch() -> Check:
    """Look at PyTorch's packages without loading them, which takes seconds."""
    wanted = ("torch", "torchvision", "open-clip-torch")
    found = _installed(wanted)
    told = ", ".join(f"{package} {number}" for package, number in found.items()) or "not installed"
    missing = [package for package in wanted if package not in found]
    if missing:
        remedy = f"channel semantic needs it: `pip install {' '.join(missing)}`"
        return Check("PyTorch", State.OFF, told, remedy)
    builds = [found[package].partition("+")[2] for package in ("torch", "torchvision")]
    if builds[0] != builds[1]:
        return Check(
            "PyTorch",
            State.PROBLEM,
            f"{told}: torch and torchvision are built for different machines",
            "install both anew, together and from the same index",
        )
    return Check("PyTorch", State.OK, told)
