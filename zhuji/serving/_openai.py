"""What all requests of OpenAI's clients have in common."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from zhuji.core.log import in_language
from zhuji.core.refusals import Refused

HARMLESS = frozenset(
    ("metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier", "store",
     "user")
)  # fmt: skip
"""Parameters that change no answer: nothing is done about them."""


def _only_texts(given: Any) -> Any:
    """One message for what a union would complain of twice."""
    if isinstance(given, str) or (isinstance(given, list) and given and all(isinstance(text, str) for text in given)):
        return given
    raise ValueError(in_language("must be a text or a list of texts; ids are not read here", "须为文本或文本列表；不接受编号"))


Texts = Annotated[str | Annotated[list[str], Field(min_length=1)], BeforeValidator(_only_texts)]
"""One text or several."""


class OpenAIRequest(BaseModel):
    """Parameters that a request does not name are in `model_extra`."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    idle: ClassVar[dict[str, tuple[Any, ...]]] = {}
    """Parameters that are not understood, each with the values that ask for nothing, besides null."""

    def refuse_unknown(self) -> None:
        """Raises Refused for a parameter that would change the answer and is not understood."""
        for name, value in (self.model_extra or {}).items():
            if name in HARMLESS or (name in self.idle and (value is None or value in self.idle[name])):
                continue
            rule = in_language(f"the parameter '{name[:60]}' is not known here", f"这里不支持参数「{name[:60]}」")
            fix = in_language("leave it out: the answer would be another one than you expect", "请去掉它：否则回答会与预期不同")
            raise Refused(rule=rule, fix=fix, param=name[:60])
