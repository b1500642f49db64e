"""The deployment files parse, agree with each other and with the command line, and open no more than they must."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from zhuji.cli.app import app
from zhuji.serving.settings import ServeSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def dockerfile() -> list[tuple[str, str]]:
    """Instructions with their arguments, in order; continued lines joined, comments left out."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def last(instruction: str) -> str:
    return [rest for word, rest in dockerfile() if word == instruction][-1]


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["server"]


def kubernetes() -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))}


def pod() -> dict[str, Any]:
    return kubernetes()["Deployment"]["spec"]["template"]["spec"]


def container() -> dict[str, Any]:
    (one,) = pod()["containers"]
    return one


def unit() -> dict[str, list[str]]:
    """Settings of [Service], each with all the values that are given for it."""

    class Repeated(dict):  # type: ignore[type-arg]
        def __setitem__(self, key: str, value: Any) -> None:
            if isinstance(value, list) and key in self and isinstance(self[key], list):
                value = [*self[key], *value]
            super().__setitem__(key, value)

    parser = configparser.RawConfigParser(dict_type=Repeated, strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "zhuji.service", encoding="utf-8")
    return {key: str(value).split("\n") for key, value in parser["Service"].items()}


def commands() -> dict[str, list[str]]:
    image = [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))]
    entry = json.loads(last("ENTRYPOINT"))
    return {
        "image": image,
        "compose": [*entry, *compose()["command"]],
        "kubernetes": [*entry, *container()["args"]],
        "systemd": ["zhuji", *shlex.split(unit()["ExecStart"][0])[1:]],
    }


@pytest.mark.parametrize("where", ["image", "compose", "kubernetes", "systemd"])
def test_the_command_line_is_one_that_serve_takes(where: str) -> None:
    program, verb, *words = commands()[where]
    assert (program, verb) == ("zhuji", "serve")
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    parsed = command.make_context("serve", list(words)).params
    assert parsed["port"] == 8000
    # Only what stands in a network of its own listens to it.
    assert parsed["host"] == ("127.0.0.1" if where == "systemd" else "0.0.0.0")


def test_one_port_everywhere() -> None:
    assert last("EXPOSE") == "8000"
    assert ":8000/health/live" in last("HEALTHCHECK")
    assert compose()["ports"] == ["127.0.0.1:8000:8000"]
    (port,) = container()["ports"]
    assert (port["name"], port["containerPort"]) == ("http", 8000)
    (service,) = kubernetes()["Service"]["spec"]["ports"]
    assert service["targetPort"] == "http"


def test_probes_ask_what_the_server_answers() -> None:
    paths = {name: container()[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {name: (one["path"], one["port"]) for name, one in paths.items()} == {
        "startupProbe": ("/health/ready", "http"), "readinessProbe": ("/health/ready", "http"),
        "livenessProbe": ("/health/live", "http"),
    }  # fmt: skip


def test_nobody_is_root_and_the_root_file_system_is_read_only() -> None:
    assert last("USER") == compose()["user"] == "10001:10001"
    assert compose()["read_only"] and compose()["cap_drop"] == ["ALL"]
    security = {**pod()["securityContext"], **container()["securityContext"]}
    assert security["runAsNonRoot"] and security["runAsUser"] == 10001 and security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"] and security["capabilities"] == {"drop": ["ALL"]}
    assert pod()["automountServiceAccountToken"] is False
    service = unit()
    assert service["DynamicUser"] == service["NoNewPrivileges"] == ["yes"]
    assert service["ProtectSystem"] == ["strict"] and service["CapabilityBoundingSet"] == [""]


def test_the_bundle_is_mounted_read_only_where_serve_looks_for_it() -> None:
    (bind,) = compose()["volumes"]
    assert bind["target"] in compose()["command"] and bind["read_only"]
    mounts = {one["name"]: one for one in container()["volumeMounts"]}
    assert mounts["bundle"]["mountPath"] in container()["args"] and mounts["bundle"]["readOnly"]
    assert set(mounts) == {one["name"] for one in pod()["volumes"]}


def test_whoever_stops_the_server_waits_until_it_has_answered() -> None:
    drain = ServeSettings.model_fields["drain"].default
    assert last("STOPSIGNAL") == "SIGTERM" and unit()["KillSignal"] == ["SIGTERM"]
    assert int(compose()["stop_grace_period"].removesuffix("s")) > drain
    assert int(unit()["TimeoutStopSec"][0]) > drain
    pause = int(container()["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod()["terminationGracePeriodSeconds"] > pause + drain


def test_the_image_holds_only_what_is_pinned() -> None:
    installs = [rest for word, rest in dockerfile() if word == "RUN" and "pip install" in rest]
    assert installs and all("-c scripts/constraints.txt" in rest for rest in installs)
    copied = {source for word, rest in dockerfile() if word == "COPY" and "--from" not in rest for source in rest.split()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert {line[1:].removesuffix("/**") for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


def test_the_selectors_find_the_pods() -> None:
    labels = kubernetes()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert kubernetes()["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert kubernetes()["Service"]["spec"]["selector"].items() <= labels.items()


def test_the_linters_that_are_there_have_nothing_to_say() -> None:
    done = subprocess.run([ROOT / "scripts" / "lint-deploy"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^0 failed, \d+ skipped$", done.stdout, re.MULTILINE)
