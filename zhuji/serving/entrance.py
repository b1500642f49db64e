"""The second door: who may come in, by which name, how often, and how many at once."""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import time
from collections import OrderedDict
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language
from zhuji.core.refusals import Busy, NoKey, Refused, ServingError, TooOften
from zhuji.serving.failures import failure
from zhuji.serving.settings import LOCAL, ServeSettings

OPEN = ("/", "/favicon.ico")
OPEN_BELOW = ("/health/", "/page/", "/v2/health/")
"""Probes, and the page, which asks for a key itself."""
PAGE = "/page/"
PROBES = ("/health/", "/v2/health/", "/metrics")
"""Answered however full the house is."""
REMEMBERED = 10_000
"""Clients whose rate is remembered."""
KEYS = "ZHUJI_API_KEYS"


class Entrance:
    """Lets a request in, or tells why not."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self.app, self.settings = app, settings
        self.inside = 0
        self._keys = [hashlib.sha256(key.encode()).digest() for key in keys_of(settings)]
        self._rate = _Rate(settings.rate / settings.workers) if settings.rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            self._admit(scope)
        except ServingError as error:
            await failure(error, scope["path"])(scope, receive, send)
            return
        self.inside += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.inside -= 1

    def _admit(self, scope: Scope) -> None:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        path = scope["path"]
        if path.startswith(PROBES[:2]):
            return  # whoever probes asks by an address, and hears nothing that is worth a page's trick
        self._refuse_strange_host(headers)
        who = (scope.get("client") or ("", 0))[0]
        if self._keys and path not in OPEN and not path.startswith(OPEN_BELOW):
            who = self._key(headers)
        if path.startswith(PROBES):
            return
        if self.inside >= self.settings.requests:
            raise Busy(why=in_language(f"{self.inside} are inside", f"已有 {self.inside} 个请求在处理"), seconds=1)
        # One look at the page is some twenty small files from memory: they are no requests to a model.
        if self._rate is not None and not path.startswith(PAGE) and (wait := self._rate.wait(who)):
            raise TooOften(rate=f"{self.settings.rate:g}", seconds=wait)

    def _key(self, headers: dict[str, str]) -> str:
        """A name of the key that was brought. Every key is compared, in constant time: how long it takes tells nothing. Raises NoKey."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        digest, found = hashlib.sha256(given.encode("latin-1")).digest(), -1
        for number, key in enumerate(self._keys):
            if hmac.compare_digest(digest, key):
                found = number
        if found < 0:
            raise NoKey
        return f"key {found}"

    def _refuse_strange_host(self, headers: dict[str, str]) -> None:
        """A page of a stranger must not reach a server on this machine through a browser: neither by a name that it made to lead here,
        nor by sending a form across."""
        allowed = {name.lower() for name in (*LOCAL, self.settings.host, *self.settings.hosts)}
        host = headers.get("host", "")
        if (self.settings.local or self.settings.hosts) and _parts(f"//{host}").hostname not in allowed:
            raise _strange("Host", 421)
        origin = headers.get("origin")
        if origin is not None and _parts(origin).netloc != host:
            raise _strange("Origin", 403)


def _parts(address: str) -> SplitResult:
    """Of what is no address, such as `http://[`, none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def keys_of(settings: ServeSettings) -> list[str]:
    """The keys in the environment and in the file. Raises BadSetting for a file that cannot be read or holds none."""
    found = [key.strip() for key in os.environ.get(KEYS, "").split(",")]
    if settings.keys_file is not None:
        try:
            lines = Path(settings.keys_file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            lines = []
        if not any(map(str.strip, lines)):
            rule = in_language("must be a file with one key a line", "须为每行一个密钥的文件")
            raise BadSetting(key="serve.keys_file", rule=rule, value=settings.keys_file)
        found += [line.strip() for line in lines]
    return [key for key in found if key]


class _Rate:
    """A bucket of tokens for each client: `rate` flow in a second, twice as many fit."""

    def __init__(self, rate: float) -> None:
        self.rate, self.burst = rate, max(1.0, 2 * rate)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str) -> int:
        """0 and a token less, or the whole seconds until there is one."""
        now = time.monotonic()
        tokens, then = self._buckets.pop(who, (self.burst, now))
        tokens = min(self.burst, tokens + (now - then) * self.rate)
        self._buckets[who] = (tokens - 1, now) if tokens >= 1 else (tokens, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return 0 if tokens >= 1 else max(1, math.ceil((1 - tokens) / self.rate))


def _strange(header: str, status: int) -> Refused:
    rule = in_language(f"the header {header} must name this server", f"请求头 {header} 须指向本服务器")
    fix = in_language(
        "ask by its own name, or start it with --set serve.hosts=[NAME]",
        "请用其自身名称访问，或用 --set serve.hosts=[名称] 启动",
    )
    return Refused(rule=rule, fix=fix, param=header, status=status)
