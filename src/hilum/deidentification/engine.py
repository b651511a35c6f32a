"""One object de-identified: read, judged, written again, with what was done.

engine = Engine(profile, key, find_members("hilum.actions"))
match engine.deidentify(source, output.write):
    case Rewritten(): ...
    case Held(why): ...         # what `write` took is to be thrown away
"""

import io
import struct
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hilum import __version__
from hilum.deidentification.pixel_rules import Kept, Passed, PixelJudge
from hilum.deidentification.pixels import Amended, Darken, PixelReport, treated
from hilum.deidentification.plans import Compiler, IodPlan
from hilum.deidentification.subjects import IDENTITY, Subject, subject_of, what_is_said
from hilum.dicom.confidentiality import BASIC_PROFILE, METHODS, Method, Option
from hilum.dicom.elements import Limits, OddError, Source, TruncatedError
from hilum.dicom.encoding import Encoding
from hilum.dicom.iods import Usage, modules_of
from hilum.dicom.part10 import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Recognition,
    UnreadableError,
    file_meta,
    guess_syntax,
)
from hilum.dicom.pixels import PixelError
from hilum.dicom.rewriting import Observe, rewrite
from hilum.dicom.rewriting_rules import Addition, Plan, Touched
from hilum.dicom.scanner import Header, Wanted, scan
from hilum.dicom.uids import is_valid_uid
from hilum.model.keys import ProjectKey
from hilum.model.profiles import Profile

ENGINE = f"Hilum {__version__}"
IMPLEMENTATION_CLASS_UID = "2.25.263041583094520389217254836105172918733"
IMPLEMENTATION_VERSION_NAME = f"HILUM_{__version__}"[:16]

_MOST_STRAIGHTENED = 256 << 20  # bytes of an object that is read whole, because its structure is odd
_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."  # PS3.4 B.5: encapsulated PDF, CDA, STL, OBJ, MTL
_VOICES = "1.2.840.10008.5.1.4.1.1.9.4."  # PS3.4 B.5: basic voice and general audio waveforms
_MEMORIES = 8


@dataclass(frozen=True, slots=True)
class Rewritten:
    """An object was written again.

    Args:
        new_uids: original UID -> new one, of study, series, instance and frame of reference by those names.
        replaced_uids: new UID -> original one, of all that no earlier object of the subject had.
        flags: what a person should look at, as sentences.
        pixels: what was done to its pixels.
    """

    subject: Subject
    sop_instance_uid: str
    new_uids: Mapping[str, tuple[str, str]]
    touched: tuple[Touched, ...]
    flags: tuple[str, ...] = ()
    replaced_uids: Mapping[str, str] = field(default_factory=dict, repr=False)
    pixels: PixelReport = field(default_factory=PixelReport)


@dataclass(frozen=True, slots=True)
class Held:
    """It was not de-identified: a person must look; `why` names no values."""

    why: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """It is not delivered, as the profile says."""

    why: str


Answer = Rewritten | Held | Dropped


class Engine:
    """De-identifies objects by one profile with one key; it remembers what it did, so that a series costs less than its objects.

    Args:
        actions: the members of `hilum.actions` by kind.
        darken: makes regions of compressed frames dark; without it such objects are held.

    Raises:
        InvalidError: a rule of the profile names what does not exist.
    """

    def __init__(
        self,
        profile: Profile,
        key: ProjectKey,
        actions: Mapping[str, Any],
        limits: Limits | None = None,
        *,
        darken: Darken | None = None,
    ) -> None:
        self.profile, self.key = profile, key
        self._compiler = Compiler(profile, actions)
        self._plans: dict[str, IodPlan | None] = {}
        self._amended: dict[tuple[str, frozenset[int]], Amended] = {}
        self._pixels, self._darken = PixelJudge(profile), darken
        self._wanted = Wanted(*IDENTITY.paths, *self._pixels.attributes)
        self._subjects: dict[Hashable, Subject] = {}
        self._limits = limits or Limits()

    def deidentify(self, source: Source, write: Callable[[bytes], object], observe: Observe | None = None) -> Answer:
        """Write the object again without its identity.

        Args:
            source: its size must be known.
            write: takes the new object in order; on any answer but `Rewritten` what it took is to be thrown away.
        """
        try:
            header = scan(source, self._wanted, limits=self._limits, to_the_end=False)
            return self._judge(header) or self._rewrite(source, header, write, observe)
        except UnreadableError as error:
            return Held(str(error))
        except TruncatedError as error:
            return Held(f"It is not whole. {error}")
        except PixelError as error:
            return Held(error.sentence)

    def new_series_uid(self, source: Source) -> str:
        """What the series of an object would be called; "" where nobody can say."""
        try:
            header = scan(source, IDENTITY, limits=self._limits, to_the_end=False)
        except UnreadableError:
            return ""
        return self._new_uids(header, self._subject(header)).get("series", ("", ""))[1]

    def _judge(self, header: Header) -> Answer | None:
        """Why it is not even tried."""
        if header.trouble is not None:
            return Held(f"It is not whole: {header.trouble}")
        if header.recognition.is_dicomdir:
            return Dropped("A DICOMDIR lists names; its images come by themselves.")
        sop_class = header.text("SOPClassUID") or ""
        if not header.text("SOPInstanceUID") or not sop_class:
            return Held("It has no SOP Class UID or no SOP Instance UID: nobody can say what it may hold.")
        if not is_valid_uid(header.recognition.transfer_syntax_uid):
            return Held("Its transfer syntax is no UID: nobody can say how it is to be read.")
        if sop_class.startswith(_DOCUMENTS):
            why = "It holds a document (PDF, CDA or a model), which nothing here can read."
            return Held(why) if self.profile.encapsulated_documents == "hold" else Dropped(why)
        if sop_class.startswith(_VOICES):
            return Held("It holds sound: a voice may say who somebody is, and nothing here can hear it.")
        if self._plan(sop_class) is None:
            return Held("Its SOP Class is in no table of PS3.3 that this version has: nobody can say what it may hold.")
        return None

    def _plan(self, sop_class_uid: str) -> IodPlan | None:
        if sop_class_uid not in self._plans:
            self._plans[sop_class_uid] = self._compiler.plan(sop_class_uid)
        return self._plans[sop_class_uid]

    def _subject(self, header: Header) -> Subject:
        """The one that is known already, so that what it remembers counts."""
        said = what_is_said(header)
        known = self._subjects.get(said)
        if known is None:
            if len(self._subjects) > _MEMORIES:
                self._subjects.clear()
            known = self._subjects[said] = subject_of(header, self.key, self.profile)
        return known

    def _rewrite(self, source: Source, header: Header, write: Callable[[bytes], object], observe: Observe | None) -> Answer:
        recognition, subject = header.recognition, self._subject(header)
        if header.read_leniently:
            return self._rewrite_straightened(source, write, observe)
        if recognition.transfer_syntax_uid == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
            return self._rewrite_straightened(source, write, observe)
        held = _Holding(write)
        try:
            return self._write(source, header, subject, recognition.transfer_syntax_uid, held, observe)
        except (OddError, struct.error):
            if held.has_written:
                return Held("Its structure is outside PS3.5 where it is no longer small.")
        return self._rewrite_straightened(source, write, observe)

    def _write(self, source: Source, header: Header, subject: Subject, syntax: str, held: "_Holding", observe: Observe | None) -> Answer:
        verdict = self._pixels.judge(header)
        if isinstance(verdict, Kept):
            return Held(verdict.why) if verdict.is_held else Dropped(verdict.why)
        sop_class, uids = header.text("SOPClassUID") or "", self._new_uids(header, subject)
        encoding = _encoding_of(source, header.recognition, syntax)
        is_cleaned = verdict != Passed()
        with treated(source, header, encoding, verdict, self._darken) as treatment:
            held.write(
                file_meta(
                    sop_class,
                    uids["instance"][1],
                    treatment.transfer_syntax_uid,
                    implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                    implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                )
            )
            done = rewrite(
                source,
                header.recognition.data_set_offset,
                encoding,
                self._plan_without(sop_class, treatment.left_out),
                subject,
                held.write,
                additions=sorted((*self._additions(subject, is_cleaned=is_cleaned), *treatment.additions), key=lambda one: one.tag),
                remembered=subject.remembered,
                observe=observe,
                limits=self._limits,
                pixels=treatment.value,
            )
        if not done.pixel_bytes and (is_cleaned or _is_image(sop_class)):
            raise TruncatedError("It is an image without Pixel Data.")
        held.release()
        instance, replaced = header.text("SOPInstanceUID") or "", subject.take_replaced_uids()
        return Rewritten(subject, instance, uids, tuple(done.touched), self._flags(header), replaced, treatment.report)

    def _plan_without(self, sop_class_uid: str, left_out: frozenset[int]) -> Plan:
        """The plan, but for attributes that a rule for pixels writes anew."""
        plan = self._plan(sop_class_uid)
        assert plan is not None  # noqa: S101 - judged before
        if not left_out:
            return plan
        return self._amended.setdefault((sop_class_uid, left_out), Amended(plan, left_out))

    def _rewrite_straightened(self, source: Source, write: Callable[[bytes], object], observe: Observe | None) -> Answer:
        """The slower way: pydicom reads the whole object and writes it as PS3.5 wants it, and that is rewritten."""
        if source.size is None or source.size > _MOST_STRAIGHTENED:
            return Held("Its structure is outside PS3.5, and it is too large to be read whole.")
        straight = straighten(source.read_at(0, source.size))
        if straight is None:
            return Held("Its structure is outside PS3.5, and pydicom does not understand it either.")
        again = Source.of_bytes(straight)
        header = scan(again, self._wanted, limits=self._limits, to_the_end=False)
        refused = self._judge(header)
        if refused is not None:
            return refused
        held = _Holding(write)
        try:
            return self._write(again, header, self._subject(header), header.recognition.transfer_syntax_uid, held, observe)
        except (OddError, struct.error):
            return Held("Its structure is outside PS3.5.")

    def _new_uids(self, header: Header, subject: Subject) -> dict[str, tuple[str, str]]:
        retains = Option.RETAIN_UIDS in self.profile.options
        named = {
            "study": "StudyInstanceUID",
            "series": "SeriesInstanceUID",
            "instance": "SOPInstanceUID",
            "frame of reference": "FrameOfReferenceUID",
        }
        found = {name: (header.text(keyword) or "").strip() for name, keyword in named.items()}
        return {name: (uid, uid if retains else subject.replace_uid(uid)) for name, uid in found.items() if uid}

    def _additions(self, subject: Subject, *, is_cleaned: bool) -> list[Addition]:
        """What every de-identified object says of itself (PS3.15 E.1), by increasing tag."""
        pseudonym = subject.patient_pseudonym.encode("ascii")
        method = f"{ENGINE}, profile {self.profile.name} version {self.profile.version}, {self.profile.digest}"[:64].encode("ascii")
        options = self.profile.options
        dates = (
            "UNMODIFIED" if Option.RETAIN_FULL_DATES in options else "MODIFIED" if Option.RETAIN_MODIFIED_DATES in options else "REMOVED"
        )
        return [
            Addition(0x00100010, "PN", pseudonym),
            Addition(0x00100020, "LO", pseudonym),
            Addition(0x00120062, "CS", b"YES"),
            Addition(0x00120063, "LO", method),
            Addition(0x00120064, "SQ", items=[_code(one) for one in methods_of(self.profile, is_cleaned=is_cleaned)]),
            Addition(0x00280303, "CS", dates.encode("ascii")),
        ]

    def _flags(self, header: Header) -> tuple[str, ...]:
        """PS3.15 E.3.2: a face can be made of a head's slices; that is for a person to judge."""
        wanted = Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES in self.profile.options
        part = (header.text("BodyPartExamined") or "").upper()
        if (wanted and part in {"HEAD", "BRAIN", "FACE", "SKULL", "HEADNECK", ""}) or header.text("RecognizableVisualFeatures") == "YES":
            return ("A face may be recognised in it.",)
        return ()


def methods_of(profile: Profile, *, is_cleaned: bool) -> list[Method]:
    """The codes of CID 7050 that are true: visual features are flagged, never cleaned, and pixels are where a rule was followed."""
    untrue = (
        {Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES} if is_cleaned else {Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES, Option.CLEAN_PIXEL_DATA}
    )
    return [BASIC_PROFILE, *(METHODS[option] for option in Option if option in profile.options - untrue)]


def _is_image(sop_class_uid: str) -> bool:
    return any(use.module == "image-pixel" and use.usage is Usage.MANDATORY for use in modules_of(sop_class_uid))


def _code(method: Method) -> list[Addition]:
    """PS3.3 8.8: a coded entry."""
    return [
        Addition(0x00080100, "SH", method.value.encode("ascii")),
        Addition(0x00080102, "SH", b"DCM"),
        Addition(0x00080104, "LO", method.meaning.encode("ascii")),
    ]


def _encoding_of(source: Source, recognition: Recognition, syntax: str) -> Encoding:
    """The encoding that the data set has; its first element tells better than the declared transfer syntax."""
    start = source.read_at(recognition.data_set_offset, 6)
    big_endian = syntax == EXPLICIT_VR_BIG_ENDIAN
    implicit = syntax == IMPLICIT_VR_LITTLE_ENDIAN
    looks_implicit = guess_syntax(start) == IMPLICIT_VR_LITTLE_ENDIAN
    if looks_implicit != implicit:
        raise OddError  # the declared syntax would be written, and be wrong
    return Encoding(implicit, big_endian)


class _Holding:
    """Keeps what is written until it is large or whole, so that an odd object can be tried again another way."""

    _MOST, _LONG = 4 << 20, 128 << 10

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write, self._kept, self._size = write, list[bytes](), 0
        self.has_written = False

    def write(self, chunk: bytes) -> None:
        if len(chunk) >= self._LONG:  # of pixels: the header is through
            self.release()
            self._write(chunk)
            return
        self._kept.append(chunk)
        self._size += len(chunk)
        if self._size > self._MOST:
            self.release()

    def release(self) -> None:
        """Hand on what is kept."""
        if self._kept:
            self._write(b"".join(self._kept))
        self._kept, self._size, self.has_written = [], 0, True


def straighten(content: bytes) -> bytes | None:
    """The object as pydicom understands it, in explicit VR little endian, or its own syntax where its pixels are compressed.

    None where pydicom does not understand it.
    """
    import warnings

    import pydicom
    from pydicom.uid import UID

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(io.BytesIO(content), force=True)
            syntax = UID(str(getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", "") or IMPLICIT_VR_LITTLE_ENDIAN))
            target = syntax if syntax.is_compressed and not syntax.is_deflated else UID(EXPLICIT_VR_LITTLE_ENDIAN)
            if syntax.is_implicit_VR or syntax == target or syntax.is_deflated:
                dataset.remove_private_tags()
                written = io.BytesIO()
                dataset.file_meta.TransferSyntaxUID = target
                pydicom.dcmwrite(written, dataset, implicit_vr=False, little_endian=True, force_encoding=True)
                return written.getvalue()
        # pydicom raises whatever hostile bytes provoke: struct.error, OSError, KeyError, TypeError, RecursionError, ...
        except Exception:  # noqa: BLE001
            return None
    return None
