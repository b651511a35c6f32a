"""Specific Character Set (PS3.3 C.12.1.1.2) by Python's own codecs."""

from hilum.self_check.reading import Value

CODECS: dict[str, str] = {
    "": "latin-1",  # ISO_IR 6 is ASCII; what is not is still to be seen
    "ISO_IR 6": "latin-1",
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 166": "tis-620",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "ISO 2022 IR 87": "iso2022_jp_2",
    "ISO 2022 IR 159": "iso2022_jp_2",
    "ISO 2022 IR 149": "euc_kr",
    "ISO 2022 IR 58": "gb2312",
}
_ESCAPE = b"\x1b"
_KOREAN, _CHINESE = b"\x1b$)C", b"\x1b$)A"  # PS3.3 Table C.12-4: into G1, which Python's EUC codecs read without the escape


def codecs_of(charset: str) -> list[str]:
    """The codecs of a Specific Character Set, those that may refuse bytes first. `ISO 2022 IR 100` is read as `ISO_IR 100`."""
    found = []
    for term in charset.split("\\"):
        name = term.strip()
        codec = CODECS.get(name) or CODECS.get(name.replace("ISO 2022 IR", "ISO_IR"))
        if codec is not None and codec not in found:
            found.append(codec)
    # Latin-1 reads anything, so it comes last: an object that extends ASCII names it first all the same.
    return sorted(found, key=lambda codec: codec == "latin-1") or ["latin-1"]


def readings(value: Value) -> list[str]:
    """A value by every character set that can be meant: what it declares, UTF-8 and Latin-1, for a declaration may be wrong."""
    content = bytes(value.content)
    if content.isascii():
        return [decode(value)]
    found = [decode(value)]
    for codec in ("utf-8", "latin-1"):
        try:
            found.append(content.decode(codec))
        except UnicodeDecodeError:
            continue
    return list(dict.fromkeys(found))


def decode(value: Value) -> str:
    """A value as text, by its character set; whatever that cannot read is read as Latin-1, so that nothing is out of sight."""
    content = bytes(value.content)
    if content.isascii() and _ESCAPE not in content:
        return content.decode("ascii")
    content = content.replace(_KOREAN, b"").replace(_CHINESE, b"")
    for codec in codecs_of(value.charset):
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")
