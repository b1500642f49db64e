"""Rows and answers as the tensors of the Open Inference Protocol v2: in JSON, or as bytes behind it.

Sources: kserve/open-inference-protocol, specification/protocol/inference_rest.md; for bytes behind the JSON Triton's binary tensor data
extension (docs/protocol/extension_binary_data.md): little-endian, row by row, before each text its length in 4 bytes.
Shapes: N rows, C classes, W width of a vector; -1 in metadata: any number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from zhuji.core.contracts import Prediction
from zhuji.core.log import in_language
from zhuji.core.refusals import Refused

TEXT = "text"
"""Name of the one input: BYTES [N]."""
_NUMBERS = {"FP32": np.dtype("<f4"), "FP64": np.dtype("<f8")}
_LENGTH = 4
_IDLE = {"priority", "timeout", "binary_data_output"}
"""Parameters of a request that change no answer, or are understood."""


@dataclass(frozen=True)
class Tensor:
    """`values`: an array of `shape`, or of BYTES a list of N texts."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: np.ndarray | list[str]

    @property
    def raw(self) -> bytes:
        if isinstance(self.values, np.ndarray):
            return self.values.astype(_NUMBERS[self.datatype]).tobytes()
        texts = [text.encode() for text in self.values]
        return b"".join(len(text).to_bytes(_LENGTH, "little") + text for text in texts)

    @property
    def flat(self) -> list[Any]:
        return self.values.ravel().tolist() if isinstance(self.values, np.ndarray) else self.values


@dataclass(frozen=True)
class Asked:
    """A request as it was understood. `wanted`: names of outputs in order, each with whether it goes as bytes; empty: all of them, as
    `binary` says."""

    texts: list[str]
    id: str | None = None
    wanted: Mapping[str, bool] = field(default_factory=dict)
    binary: bool = False


def read(body: bytes, header: str | None, limit: int) -> Asked:
    """A request from its body; `header`: what Inference-Header-Content-Length says, None where it is not there; at most `limit` rows.
    Raises Refused."""
    length = _header_length(header, len(body))
    try:
        plain = orjson.loads(body[:length])
    except orjson.JSONDecodeError as error:
        raise _wrong(None, f"the request must be JSON: {error}", f"请求必须是 JSON：{error}") from None
    if not isinstance(plain, dict):
        raise _wrong(None, "the request must be a JSON object", "请求必须是 JSON 对象")
    given = _parameters(plain, "parameters")
    for name in sorted(set(given) - _IDLE):
        raise _wrong(
            f"parameters.{name}", f"the parameter '{name}' is not known to this server", f"此服务器不支持参数「{name}」"
        )
    id = plain.get("id")
    if id is not None and not isinstance(id, str):
        raise _wrong("id", "id must be a string", "id 必须是字符串")
    binary = _flag(given, "binary_data_output", False)
    return Asked(_texts(plain.get("inputs"), body[length:], limit), id, _wanted(plain.get("outputs"), binary), binary)


def _header_length(header: str | None, size: int) -> int:
    if header is None:
        return size
    if not (header.isascii() and header.isdigit() and len(header) < 20 and 0 < int(header) <= size):
        name = "Inference-Header-Content-Length"
        raise _wrong(
            name,
            f"{name} must be the length of the JSON before the tensors, 1 to {size}, but is {header[:20]!r}",
            f"{name} 必须是张量之前 JSON 的长度（1 至 {size}），实际为 {header[:20]!r}",
        )
    return int(header)


def _texts(inputs: Any, behind: bytes, limit: int) -> list[str]:
    """The rows of the one input."""
    if not (isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict) and inputs[0].get("name") == TEXT):
        raise _wrong("inputs", f"there must be one input, named '{TEXT}'", f"必须有且仅有一个名为「{TEXT}」的输入")
    (given,) = inputs
    if given.get("datatype") != "BYTES":
        raise _wrong("inputs.datatype", f"'{TEXT}' must be of datatype BYTES", f"「{TEXT}」的 datatype 必须是 BYTES")
    shape = given.get("shape")
    if not (isinstance(shape, list) and len(shape) == 1 and type(shape[0]) is int and 1 <= shape[0] <= limit):
        raise _wrong(
            "inputs.shape", f"the shape of '{TEXT}' must be [N] with 1 to {limit} rows",
            f"「{TEXT}」的 shape 必须是 [N]，行数为 1 至 {limit}",
        )  # fmt: skip
    parameters = _parameters(given, "inputs.parameters")
    for name in sorted(set(parameters) - {"binary_data_size"}):
        raise _wrong(
            f"inputs.parameters.{name}", f"the parameter '{name}' is not known to this server", f"此服务器不支持参数「{name}」"
        )
    if "binary_data_size" in parameters:
        return _binary_texts(parameters["binary_data_size"], behind, shape[0])
    if behind:
        raise _wrong(
            "inputs.parameters.binary_data_size", "bytes follow the JSON that no input speaks for",
            "JSON 之后有不属于任何输入的字节",
        )  # fmt: skip
    data = given.get("data")
    if not (isinstance(data, list) and len(data) == shape[0] and all(isinstance(text, str) for text in data)):
        raise _wrong(
            "inputs.data",
            f"data must be a list of {shape[0]} strings, as the shape says",
            f"data 必须是 {shape[0]} 个字符串的列表",
        )
    return data


def _binary_texts(size: Any, behind: bytes, rows: int) -> list[str]:
    if type(size) is not int or size != len(behind):
        raise _wrong(
            "inputs.parameters.binary_data_size",
            f"binary_data_size must be the {len(behind)} bytes that follow the JSON, but is {str(size)[:20]}",
            f"binary_data_size 必须等于 JSON 之后的 {len(behind)} 字节，实际为 {str(size)[:20]}",
        )
    texts, place = list[str](), 0
    while place < size and len(texts) < rows:
        start = place + _LENGTH
        place = start + int.from_bytes(behind[place:start], "little")
        if place > size:
            break
        try:
            texts.append(behind[start:place].decode())
        except UnicodeDecodeError:
            raise _wrong(
                "inputs.data", f"text {len(texts) + 1} must be UTF-8", f"第 {len(texts) + 1} 个文本必须是 UTF-8"
            ) from None
    if place != size or len(texts) != rows:
        raise _wrong(
            "inputs.data", f"the bytes must be {rows} texts, each behind its length in 4 bytes",
            f"字节须为 {rows} 个文本，每个之前有 4 字节的长度",
        )  # fmt: skip
    return texts


def _wanted(outputs: Any, binary: bool) -> dict[str, bool]:
    if outputs is None:
        return {}
    if not (isinstance(outputs, list) and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in outputs)):
        raise _wrong("outputs", "outputs must be a list of objects with a name", "outputs 必须是带有 name 的对象列表")
    wanted = dict[str, bool]()
    for one in outputs:
        parameters = _parameters(one, "outputs.parameters")
        for name in sorted(set(parameters) - {"binary_data"}):
            raise _wrong(
                f"outputs.parameters.{name}",
                f"the parameter '{name}' is not known to this server",
                f"此服务器不支持参数「{name}」",
            )
        if one["name"] in wanted:
            raise _wrong("outputs", f"the output '{one['name']}' stands twice", f"输出「{one['name']}」重复")
        wanted[one["name"]] = _flag(parameters, "binary_data", binary)
    return wanted


def _parameters(plain: Mapping[str, Any], place: str) -> dict[str, Any]:
    given = plain.get("parameters") or {}
    if not isinstance(given, dict):
        raise _wrong(place, f"{place} must be an object", f"{place} 必须是对象")
    return given


def _flag(parameters: Mapping[str, Any], name: str, otherwise: bool) -> bool:
    value = parameters.get(name, otherwise)
    if not isinstance(value, bool):
        raise _wrong(f"parameters.{name}", f"{name} must be true or false", f"{name} 必须是 true 或 false")
    return value


def _wrong(param: str | None, en: str, zh: str) -> Refused:
    return Refused(rule=in_language(en, zh), fix="", param=param)


# ------------------------------------------------------------------------------------------------------ answers


def described(answers: str, classes: Sequence[str], width: int) -> list[dict[str, Any]]:
    """Names, datatypes and shapes of the outputs of a model whose answers are of this kind."""
    scores = {"name": "scores", "datatype": "FP32", "shape": [-1, len(classes)]}
    score = {"name": "score", "datatype": "FP32", "shape": [-1]}
    return {
        "class": [_bytes("label"), score, scores],
        "classes": [_bytes("labels"), score, scores],
        "number": [{"name": "number", "datatype": "FP64", "shape": [-1]}],
        "tags": [_bytes("tags"), _bytes("words"), score],
        "vector": [{"name": "vector", "datatype": "FP32", "shape": [-1, width]}],
        "text": [_bytes("answer"), score],
        "units": [_bytes("answer")],
        "boxes": [_bytes("boxes"), scores],
        "sound": [_bytes("answer")],
    }[answers]


def _bytes(name: str) -> dict[str, Any]:
    return {"name": name, "datatype": "BYTES", "shape": [-1]}


def tensors(
    described: Sequence[Mapping[str, Any]], classes: Sequence[str], predictions: Sequence[Prediction], words: Sequence[Any]
) -> list[Tensor]:
    """The answers of N rows as the tensors that `described` names. What is a list is written as JSON, one text a row; `words`: of a model
    of tags, what its tags stand for."""
    columns = {
        "scores": lambda: np.array([[one.scores[name] for name in classes] for one in predictions if one.scores], np.float32),
        "score": lambda: np.array([np.nan if one.score is None else one.score for one in predictions], np.float32),
        "number": lambda: np.array([one.answer for one in predictions], np.float64),
        "vector": lambda: np.array([one.answer for one in predictions], np.float32),
        "words": lambda: [_written(list(row)) for row in words],
    }
    found = list[Tensor]()
    for one in described:
        values = columns.get(one["name"], lambda: [_written(each.answer) for each in predictions])()
        shape = values.shape if isinstance(values, np.ndarray) else (len(values),)
        found.append(Tensor(one["name"], one["datatype"], shape, values))
    return found


def _written(answer: Any) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def write(head: Mapping[str, Any], asked: Asked, outputs: Sequence[Tensor]) -> tuple[bytes, int | None]:
    """The body of an answer, and the length of its JSON where bytes follow. Raises Refused for an output that there is not."""
    by_name = {tensor.name: tensor for tensor in outputs}
    wanted = asked.wanted or dict.fromkeys(by_name, asked.binary)
    for name in wanted:
        if name not in by_name:
            there = ", ".join(by_name)
            raise _wrong("outputs", f"there is no output '{name[:60]}', only {there}", f"没有输出「{name[:60]}」，只有 {there}")
    listed, behind = list[dict[str, Any]](), list[bytes]()
    for name, binary in wanted.items():
        tensor = by_name[name]
        entry = {"name": name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        if binary:
            behind.append(tensor.raw)
            entry["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            entry["data"] = tensor.flat
        listed.append(entry)
    start = orjson.dumps({**head, **({} if asked.id is None else {"id": asked.id}), "outputs": listed})
    return b"".join((start, *behind)), len(start) if behind else None
