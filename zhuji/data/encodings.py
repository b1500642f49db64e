"""Which encoding a file is in, from a bounded look at its bytes, and its lines as text.

No byte is replaced in silence: what cannot be decoded, and a line beyond `LINE_LIMIT`, leave a mark in the line. The marks are lone
surrogates, which no decoder can produce, so whoever meets one knows that the row is lost, and why.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language

LINE_LIMIT = 1 << 24
"""Characters of the longest line, and of the longest row, that is read: 16 Mi."""
SAMPLE = 1 << 18
"""Bytes of one look."""
SCAN = 1 << 26
"""Bytes searched for the first one that is not ASCII."""

_ASCII_RUN = re.compile(rb"[\x01-\x7f]{32}")
"""Stands in no UTF-16 text: it would be 16 ideographs in a row, each of two such bytes."""

_NOT_OF_FILES = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape")
"""Text encodings for Python, but no file is in them."""

UNDECODABLE = "\udc00"
TOO_LONG = "\udc01"

_BOMS = {  # UTF-32 first: its little-endian mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_COMMON_HANZI = frozenset(
    "的一是不了在有人我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好都然没"
    "日于起还发成事只作当想看文无开手用主行方又如前所本见经头面公同三已老从动两长知样现分将外但身些与高意进把法此实回二理美点"
    "月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关"
    "并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何"
    "更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论"
    "百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深"
    "区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委"
    "早房音火际则首单据导影失拿网香似斯专石若兵弟谁校读志飞观争究包组造落视济喜离虽坏屏宾酒店质价格宜舒错卖评"
)
_FALLBACKS = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp874", "koi8_r",
    "big5", "gb18030", "shift_jis", "euc_jp", "euc_kr",
)  # fmt: skip


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error("zhuji.mark", _mark)


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked when they begin as gzip does, whatever the name says."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")


def look(path: Path) -> tuple[bytes, bytes, bool]:
    """(head, telling, whole): the first bytes, the first bytes with one that is not ASCII (the head if there is none), and
    whether the head is all there is."""
    with open_bytes(path) as file:
        head = telling = file.read(SAMPLE)
        whole = not (after := file.read(1))
        chunk, seen = after + file.read(SAMPLE - 1), SAMPLE
        while telling.isascii() and chunk and seen < SCAN:
            telling, seen = chunk, seen + len(chunk)
            chunk = file.read(SAMPLE)
    return head, head if telling.isascii() else telling, whole


def decode(data: bytes, encoding: str) -> str:
    """The text of the beginning of a file; a character cut off at its end is left out."""
    return codecs.getincrementaldecoder(encoding)("zhuji.mark").decode(data)


def checked(encoding: str) -> str:
    """The name of a text encoding that a person gave.

    Raises:
        BadSetting: there is no such encoding.
    """
    try:
        name = codecs.lookup(encoding).name
        if name not in _NOT_OF_FILES and "a,b\n".encode(name).decode(name) == "a,b\n":
            return name
    except (LookupError, TypeError, ValueError):
        name = encoding
    rule = in_language(
        "must be the name of a text encoding, such as utf-8, gb18030 or utf-16",
        "必须是文本编码的名称，如 utf-8、gb18030 或 utf-16",
    )
    raise BadSetting(key="data.encoding", rule=rule, value=name)


def detect(head: bytes, telling: bytes) -> tuple[str, str]:
    """(encoding, why). In order: byte order mark, UTF-16 by its zero bytes, UTF-8, GB18030 by its commonest characters, and
    what charset-normalizer holds most likely."""
    for bom, encoding in _BOMS.items():
        if head.startswith(bom):
            return encoding, in_language("byte order mark", "字节顺序标记")
    if b"\0" in head and not _ASCII_RUN.search(head) and (wide := _utf16(head)):
        return wide, in_language("every other byte fits no other encoding", "隔位的字节不合其他编码")
    if telling.isascii():
        return "utf-8", in_language("plain ASCII", "纯 ASCII")
    lines = [line for line in telling.splitlines() if not line.isascii()]
    share = sum(UNDECODABLE not in decode(line + b"\n", "utf-8") for line in lines[:-1]) / max(len(lines) - 1, 1)
    if UNDECODABLE not in decode(telling, "utf-8") or share >= 0.5:
        if share in (0, 1):
            return "utf-8", in_language("its bytes are valid UTF-8", "其字节是有效的 UTF-8")
        return "utf-8", in_language(f"{share:.1%} of the lines are valid UTF-8", f"{share:.1%} 的行是有效的 UTF-8")
    if _looks_chinese(telling):
        return "gb18030", in_language(
            "not UTF-8; read as GB18030 it holds the commonest Chinese characters", "不是 UTF-8；按 GB18030 读取多为最常用汉字"
        )
    return _most_likely(telling)


def _utf16(head: bytes) -> str | None:
    def oddness(encoding: str) -> float:
        text = decode(head, encoding)[:20_000]
        odd = sum(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") and c not in "\t\r\n" for c in text)
        return odd / max(len(text), 1) - 1e-4 * sum(c in "\n ,\t" for c in text) / max(len(text), 1)

    found = min(("utf-16-le", "utf-16-be"), key=oddness)
    return found if oddness(found) < 0.02 else None


def _looks_chinese(data: bytes) -> bool:
    text = decode(data, "gb18030")
    wide = [c for c in text if not c.isascii()]
    bad, hanzi = text.count(UNDECODABLE), [c for c in wide if "\u4e00" <= c <= "\u9fff"]
    common = sum(c in _COMMON_HANZI for c in hanzi)
    return bad <= 0.05 * len(wide) and len(hanzi) >= 0.4 * len(wide) and common >= 0.35 * len(hanzi)


def _looks_western(data: bytes) -> bool:
    text = decode(data, "cp1252")
    wide = [c for c in text if not c.isascii()]
    return len(wide) < 0.3 * len(text) and sum("À" <= c <= "ÿ" for c in wide) >= 0.9 * len(wide)


def _most_likely(data: bytes) -> tuple[str, str]:
    from charset_normalizer import from_bytes

    sample = b"\n".join(line for line in data.splitlines() if not line.isascii())[: 1 << 16]
    found = from_bytes(sample, cp_isolation=list(_FALLBACKS))
    if (best := found.best()) is None:
        if _looks_western(sample):
            return "cp1252", in_language(
                "not UTF-8; read as Windows-1252 it holds accented Latin letters",
                "不是 UTF-8；按 Windows-1252 读取多为带重音的拉丁字母",
            )
        return "utf-8", in_language(
            "no encoding fits; rows that are not UTF-8 are left out", "没有合适的编码；略去非 UTF-8 的行"
        )
    western = next((match for match in found if match.encoding == "cp1252"), None)
    if western and western.coherence >= best.coherence:  # the commonest of those that fit equally well
        best = western
    return best.encoding, in_language(
        "not UTF-8; the likeliest encoding by charset-normalizer", "不是 UTF-8；据 charset-normalizer 最可能是此编码"
    )


def lines(path: Path, encoding: str) -> Iterator[str]:
    """Lines of a text file with their ends as they are; marked where bytes are undecodable or the line goes past `LINE_LIMIT`.
    Holds one line in memory."""
    with open_bytes(path) as file:
        text = io.TextIOWrapper(file, encoding, errors="zhuji.mark", newline="")
        while line := text.readline(LINE_LIMIT):
            if len(line) == LINE_LIMIT and line[-1] not in "\r\n":
                while (rest := text.readline(LINE_LIMIT)) and rest[-1] not in "\r\n":
                    pass
                yield TOO_LONG + "\n"
            else:
                yield line


def fault(text: str) -> str:
    """Why a text taken from `lines` cannot be trusted: a cause for the ledger, or nothing."""
    if text.isascii():
        return ""
    if TOO_LONG in text:
        return "row too long"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "undecodable bytes"
    return ""
