"""Zhuji (筑基): one toolkit for the whole life of a foundation model on one's own data."""

from typing import TYPE_CHECKING, Any

from zhuji.core.threads import polite
from zhuji.version import __version__

if TYPE_CHECKING:
    from zhuji.api import (
        Foundation,
        Handle,
        Result,
        benchmark,
        chat,
        check,
        compare,
        convert,
        corpus,
        distil,
        doctor,
        draw,
        embed,
        enhance,
        evaluate,
        explain,
        export,
        generate,
        index,
        load,
        nearest,
        perplexity,
        predict,
        pretrain,
        probe,
        realism,
        report,
        resume,
        retrieval,
        serve,
        sounds,
        speak,
        stream,
        stylise,
        tokenizer,
        train,
        transcribe,
    )

__all__ = [
    "Foundation",
    "Handle",
    "Result",
    "__version__",
    "benchmark",
    "chat",
    "check",
    "compare",
    "convert",
    "corpus",
    "distil",
    "doctor",
    "draw",
    "embed",
    "enhance",
    "evaluate",
    "explain",
    "export",
    "generate",
    "index",
    "load",
    "nearest",
    "perplexity",
    "predict",
    "pretrain",
    "probe",
    "realism",
    "report",
    "resume",
    "retrieval",
    "serve",
    "sounds",
    "speak",
    "stream",
    "stylise",
    "tokenizer",
    "train",
    "transcribe",
]

polite()  # OpenMP reads its environment once, when torch is loaded: so before any of our modules can load it


def __getattr__(name: str) -> Any:
    if name.startswith("__") or name not in __all__:
        raise AttributeError(f"module 'zhuji' has no attribute '{name}'")
    from zhuji import api

    return getattr(api, name)
