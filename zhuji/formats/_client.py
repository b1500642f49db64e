"""`client.py`: a program that answers with an exported folder and knows nothing of this code. What it must do exactly as we do, it does with a
copy of our own functions, taken when it is written.
"""

from __future__ import annotations

import inspect
from importlib import resources

from zhuji.data import clean, conll, phonemes
from zhuji.modalities import _ngrams, _words, image, spelled

_PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}
_PATTERNS = {clean: ("_BREAKS", "_GAPS", "_SUSPECT", "_SIGNS", "_EMPTY_LINES"), spelled: ("_WORD",)}
_VALUES = {spelled: ("_SHAPED",), _words: ("WITHOUT_BLANKS",)}
_FUNCTIONS = (
    clean.without_controls, clean.with_single_blanks, _ngrams.runs, _ngrams.places, _ngrams._mixed,
    phonemes.speaker, phonemes.said, _words.spaced, _words._part, _words._blankless, spelled._written, spelled.shape, image._layout, image._resized,
)  # fmt: skip


def program(client: str) -> str:
    """The text of client.py, which runs the network by `clients/CLIENT.txt`."""
    constants = [
        f"{name} = re.compile({getattr(module, name).pattern!r})" for module, names in _PATTERNS.items() for name in names
    ]
    constants += [f"{name} = {getattr(module, name)!r}" for module, names in _VALUES.items() for name in names]
    constants.append("_ONE_AT_A_TIME = threading.Lock()")
    constants.append(f"_CUT = re.compile({conll._WORD.pattern!r})")
    # Names of types stand in our functions' signatures; there they are texts that nobody evaluates.
    copied = [inspect.getsource(function).strip() for function in _FUNCTIONS]
    head = _text("head").replace("{package}", _PACKAGES[client])
    future = "from __future__ import annotations\n\nimport json"
    parts = [head.replace("import json", future, 1), "\n".join(constants), *copied, _text(client), _text("body")]
    return "\n\n\n".join(parts) + "\n"


def _text(name: str) -> str:
    return (resources.files("zhuji.formats") / "clients" / f"{name}.txt").read_text(encoding="utf-8").strip()
