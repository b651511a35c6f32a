"""NIfTI with a JSON sidecar of every input series, made by dcm2niix (Li et al., J Neurosci Methods 2016, 264:47-56).

The binary is that of the PyPI wheel `dcm2niix`, so every installation has the same. A series becomes `<role>.nii.gz` and
`<role>.json`; where it holds several volumes they keep dcm2niix's endings (`pd_e1.nii.gz`, `pd_e2.nii.gz`, `dwi.bval`).

    {"processor": "dcm2niix", "settings": {"sidecar": "without identity", "crop": false}}

The voxels are those of `dcm2niix -g i -z i -b y -ba y -f NAME -o OUT FOLDER` run by hand.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from hilum.processors import Answer, Artifacts, LocalProcessor, Order, ProcessingInput, ProducedFile, StrictSettings, Unusable, names_of

FIXED_OPTIONS = (
    "-g", "i",  # no defaults file of the machine's user
    "-z", "i",  # zlib inside: the same bytes with and without pigz installed
    "-b", "y",  # a sidecar
)  # fmt: skip

SIDECAR_OPTION = {
    "without identity": "y",  # the tool's default: no names, no dates
    "without names": "o",
    "all": "n",
}

MEDIA_TYPES = {".nii.gz": "application/gzip", ".json": "application/json", ".bval": "text/plain", ".bvec": "text/plain"}


class Settings(StrictSettings):
    """`sidecar`: what the JSON tells of the patient; `crop`: cut the neck off 3D images (`-x y`)."""

    sidecar: Literal["without identity", "without names", "all"] = "without identity"
    crop: bool = False


class Dcm2niix(LocalProcessor):
    """One run of the tool a series."""

    kind: ClassVar[str] = "dcm2niix"
    Settings = Settings

    @classmethod
    def run(cls, order: Order) -> Answer:
        """Convert every input. A series in a role must yield NIfTI; of the others at least one."""
        options = options_of(Settings.model_validate(order.settings))
        files: list[ProducedFile] = []
        refused: dict[str, str] = {}
        for name, given in zip(names_of(order.inputs), order.inputs, strict=True):
            reason = _convert(name, given.folder, options, order)
            if reason and given.role:
                return Unusable(f"dcm2niix made no NIfTI of {name}: {reason}")
            if reason:
                refused[name] = reason
            files += _produced(name, order.scratch, order.output)
        if not files:
            return Unusable(f"dcm2niix made no NIfTI: {' '.join(f'{name}: {reason}' for name, reason in refused.items())}")
        made = {"tool": "dcm2niix", "version": _version(), "options": options, "series": _series(order.inputs), "not_converted": refused}
        return Artifacts(tuple(files), made)


def options_of(settings: Settings) -> list[str]:
    """The tool's options, without name, output and input."""
    return [*FIXED_OPTIONS, "-ba", SIDECAR_OPTION[settings.sidecar], *(("-x", "y") if settings.crop else ())]


def _convert(name: str, folder: Path, options: list[str], order: Order) -> str:
    """Run the tool into a folder of the series' own; the reason where it did not convert all, and then nothing is left."""
    made = _folder_of(name, order.scratch)
    made.mkdir()
    command = [_binary(), *options, "-f", name, "-o", str(made), str(folder)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode(errors="replace")
    print(said, end="")  # noqa: T201  the tool's words are the child's
    if done.returncode < 0:
        raise RuntimeError(f"dcm2niix was ended by signal {-done.returncode}")
    if done.returncode == 0 and any(made.glob("*.nii.gz")):
        return ""
    shutil.rmtree(made)
    return _reason(said, folder)


def _reason(said: str, folder: Path) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    last = (errors or lines or ["it said nothing"])[-1].rstrip(".")
    return re.sub(r"\S+\.dcm\b", "an image", last.replace(str(folder), "the series")) + "."


def _produced(name: str, scratch: Path, output: Path) -> Iterator[ProducedFile]:
    made = _folder_of(name, scratch)
    for path in sorted(made.iterdir()) if made.exists() else ():
        # dcm2niix' endings may hold a coil's name, which is a sender's text.
        target = output / re.sub(r"[^A-Za-z0-9_.-]", "_", path.name)
        if target.exists():
            raise FileExistsError(f"two results are called {target.name}")
        shutil.move(path, target)
        yield ProducedFile(target, target.name, _media_type(target.name))


def _media_type(name: str) -> str:
    return next((media_type for ending, media_type in MEDIA_TYPES.items() if name.endswith(ending)), "application/octet-stream")


def _folder_of(name: str, scratch: Path) -> Path:
    return scratch / f"dcm2niix-{name}"


def _series(inputs: tuple[ProcessingInput, ...]) -> dict[str, str]:
    return {name: given.series_instance_uid for name, given in zip(names_of(inputs), inputs, strict=True)}


def _binary() -> str:
    import dcm2niix

    return str(dcm2niix.bin)


def _version() -> str:
    said = subprocess.run([_binary(), "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    return said.split()[-1] if said.split() else "unknown"
