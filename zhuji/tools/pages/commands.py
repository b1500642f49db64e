"""What one does next with a finished run, as commands that can be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zhuji.core.log import in_language

EMBEDS = frozenset({"contrast", "triplet", "distill_self", "imitate", "masked_patches", "masked_frames"})
"""Tasks whose answer is a vector."""


def next_commands(run: Path, results: Mapping[str, Any] | None = None) -> list[str]:
    """Three commands with the true path of this run: of a model predict, evaluate, serve; of a foundation (`results` tells) what builds
    on it, or how it is talked with."""
    folder = shlex.quote(str(run))
    facts = results or {}
    task = (facts.get("model") or {}).get("task")
    text = shlex.quote(in_language("a text of yours", "你的一段文本"))
    search = f"zhuji index {folder} FILE.csv --to INDEX"
    if task == "masked_frames":
        return [f"zhuji train DATA --model recognise --from {folder}", f"zhuji probe {folder} DATA", f"zhuji evaluate {folder}"]
    if task == "enhance":
        return [f"zhuji enhance {folder} SOUNDS --out CLEAN", f"zhuji evaluate {folder}", f"zhuji benchmark {folder}"]
    if task == "speak":
        return [f"zhuji speak {folder} {text} --out SAID", f"zhuji evaluate {folder}", f"zhuji serve {folder}"]
    if task == "vocode":
        said = f"zhuji speak VOICE_RUN {text} --out SAID --vocoder {folder}"
        return [said, f"zhuji evaluate {folder}", f"zhuji benchmark {folder}"]
    if facts.get("kind") != "pretrain" and task in EMBEDS:
        # Only of its own rows does a run know what its teacher made of them.
        scored = folder if task == "imitate" else f"{folder} FILE.csv"
        return [search, f"zhuji probe {folder} FILE.csv", f"zhuji evaluate {scored}"]
    if facts.get("kind") != "pretrain":
        if task == "generate":
            return [
                f"zhuji draw {folder} --out PICTURES",
                f"zhuji realism {folder} --by CLASSIFIER_RUN",
                f"zhuji evaluate {folder}",
            ]
        file = {"image": "PICTURE.jpg", "speech": "SOUND.wav"}.get(str((facts.get("model") or {}).get("modality")))
        if file and task == "next_unit":
            return [f"zhuji generate {folder} {file} --out SOUNDS", f"zhuji evaluate {folder}", f"zhuji report {folder}"]
        return [
            f"zhuji predict {folder} {file or text}",
            f"zhuji evaluate {folder} {'FOLDER' if file else 'FILE.csv'}",
            f"zhuji serve {folder}",
        ]
    if (facts.get("model") or {}).get("chats"):
        return [f"zhuji chat {folder}", f"zhuji serve {folder}", f"zhuji train FILE.csv --from {folder}"]
    beginning = shlex.quote(in_language("the beginning of a text", "一段文本的开头"))
    use = f"zhuji generate {folder} {beginning}" if task == "next_unit" else search
    return [f"zhuji train FILE.csv --from {folder}", f"zhuji probe {folder} FILE.csv", use]


def in_python(bundle: str, results: Mapping[str, Any] | None = None) -> list[str]:
    """Lines of Python behind `import zhuji` by which a model is used: what builds on a foundation; what a model makes, else what it answers."""
    if (results or {}).get("kind") == "pretrain":
        return [f"result = zhuji.train('FILE.csv', start={bundle!r})", "print(result.test)"]
    about = (results or {}).get("model") or {}
    task, place = about.get("task"), repr(bundle)
    text = repr(in_language("your text", "你的文本"))
    file = {"image": "'picture.jpg'", "speech": "'sound.wav'", "waveform": "'sound.wav'"}.get(str(about.get("modality")))
    made = {
        "generate": f"print(zhuji.draw({place}, 'pictures', count=16, seed=0).sheet)",
        "enhance": f"zhuji.enhance({place}, 'noisy.wav', 'clean')",
        "speak": f"zhuji.speak({place}, [{text}], 'said')",
        "vocode": f"zhuji.speak('VOICE_RUN', [{text}], 'said', vocoder={place})",
        **({"next_unit": f"zhuji.sounds({place}, {file}, 'sounds')"} if file else {}),
    }
    if task in made:
        return [made[task]]
    return [
        f"model = zhuji.load({place})",
        f"for answer in model.predict([{file or text}]):",
        "    print(answer.answer, answer.score)",
    ]
