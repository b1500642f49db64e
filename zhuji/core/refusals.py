"""What a server does not answer: the branch of the catalogue (`core/errors.py`) that clients meet over HTTP."""

from __future__ import annotations

from typing import Any, ClassVar

from zhuji.core.errors import ZhujiError


class ServingError(ZhujiError):
    """What a server tells a client. `param` names what in the request it is about; `status` is the
    HTTP status, `http` if none is given."""

    exit_code = 6
    http: ClassVar[int] = 500
    kind: ClassVar[str] = "invalid_request_error"

    def __init__(self, *, param: str | None = None, status: int | None = None, **facts: Any) -> None:
        self.param, self.status = param, status or self.http
        super().__init__(**facts)


class Refused(ServingError):
    en = ("{rule}", "{fix}")
    zh = ("{rule}", "{fix}")
    http = 400


class NotAnswerable(ServingError):
    en = ("an input must be one that the model can read ({why})", "mend or leave out that input")
    zh = ("输入必须是模型能读取的内容（{why}）", "请修正或去掉该输入")
    http = 422


class TooLarge(ServingError):
    en = ("{what} must be at most {limit}", "send less at once, or start the server with --set serve.{setting}=…")
    zh = ("{what}最多为 {limit}", "请减少单次发送的内容，或用 --set serve.{setting}=… 启动服务器")
    http = 413


class NoSuchModel(ServingError):
    en = ("there is no model named '{name}' here", "choose one of: {choices}")
    zh = ("这里没有名为「{name}」的模型", "可选：{choices}")
    http = 404


class NoKey(ServingError):
    en = ("a request must bring one of the server's keys", "send the header Authorization: Bearer KEY")
    zh = ("请求必须带有服务器认可的密钥", "请发送请求头 Authorization: Bearer 密钥")
    http = 401
    kind = "authentication_error"


class TooOften(ServingError):
    en = ("at most {rate} requests a second are answered", "wait {seconds} s")
    zh = ("每秒最多回答 {rate} 个请求", "请等待 {seconds} 秒")
    http = 429
    kind = "rate_limit_error"


class Busy(ServingError):
    en = ("the server must have room for a request, but {why}", "ask again in {seconds} s")
    zh = ("服务器须有余力接受请求，但{why}", "请在 {seconds} 秒后重试")
    http = 503
    kind = "overloaded_error"


class TooLate(ServingError):
    en = ("a request must be answered within {limit} s, but was not", "ask again in {seconds} s, or ask for less")
    zh = ("请求须在 {limit} 秒内得到回答，但未能做到", "请在 {seconds} 秒后重试，或减少请求内容")
    http = 503
    kind = "overloaded_error"


class CannotListen(ServingError):
    en = ("the server must be able to listen at {where} ({why})", "choose another --port, or stop what listens there")
    zh = ("服务器必须能在 {where} 监听（{why}）", "请用 --port 换一个端口，或停止占用它的程序")
