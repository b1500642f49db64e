"""The shelf: proof at opening, a memory budget, new versions."""

from __future__ import annotations

import asyncio
import json
import shutil
import time

import pytest
import torch

from tests.serving import house
from zhuji import formats
from zhuji.core.errors import AnswersDiffer, BadSetting, DamagedBundle, NoWeights
from zhuji.core.refusals import Busy, NoSuchModel
from zhuji.model import parity
from zhuji.model import predictor as predictor_room
from zhuji.model.bundle import open_bundle
from zhuji.serving.failures import failure
from zhuji.serving.service import Service
from zhuji.serving.shelf import load, looks, memory_of, version_of


def exchange(folder, new):
    shutil.rmtree(folder)
    new.rename(folder)


async def seen(service, wanted, seconds=10.0):
    """Look again and again until the first model's version is `wanted`."""
    end = time.monotonic() + seconds
    while service.find(None).version != wanted:
        assert time.monotonic() < end
        await service._shelf.look()
        await asyncio.sleep(0.01)


def test_a_model_is_known_by_its_hashes_and_says_what_it_is():
    service = Service(house.settings())
    (one,) = service.models()
    assert one.version == version_of(house.bundle()) and len(one.version) == 12
    assert one.memory == memory_of(house.bundle()) > 1000
    assert (one.facts.task, one.facts.modality, one.facts.answers) == ("classify", "text", "class")
    assert one.examples[0] == one.facts.example == house.predictor().golden[0]["input"]
    assert one.facts.labels == house.predictor().model.task.classes
    assert service.find(None) is one is service.find("model")
    with pytest.raises(NoSuchModel):
        service.find("nobody")
    asyncio.run(service.close())


def test_a_bundle_whose_golden_rows_are_answered_otherwise_is_not_served(tmp_path):
    with pytest.raises(AnswersDiffer, match="must answer its golden rows"):
        Service(house.settings(house.write(tmp_path / "b", spoil=True)))


def test_a_changed_byte_is_not_served(tmp_path):
    folder = house.write(tmp_path / "b")
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(DamagedBundle, match="SHA-256"):
        Service(house.settings(folder))


def test_the_least_recently_used_is_put_away_and_opened_again():
    folders = [house.bundle(seed) for seed in range(3)]
    memory = sum(map(memory_of, folders[:2])) + 100

    async def whole():
        service = Service(house.settings(*folders, memory=memory))
        is_open = lambda: [one.lane is not None for one in service.models()]  # noqa: E731
        assert is_open() == [False, True, True]
        expected = list(house.predictor().predict(["the cat"]))
        first, again = await asyncio.gather(*(service.answer("model", ["the cat"]) for _ in range(2)))
        for found in (first, again):
            assert found.predictions[0].scores == pytest.approx(expected[0].scores, abs=1e-5)
        assert is_open() == [True, False, True]
        await service.answer("model2", ["x"])
        await service.answer("model1", ["x"])
        assert is_open() == [False, True, True]
        assert service.find("model").facts.labels and service.find("model").examples
        await service.close()

    asyncio.run(whole())


def test_a_model_beyond_the_budget_is_refused():
    with pytest.raises(BadSetting, match="must hold the largest model"):
        Service(house.settings(memory=100))


def test_a_model_that_cannot_be_opened_again_is_busy(tmp_path):
    folder = house.write(tmp_path / "b")

    async def whole():
        service = Service(house.settings(folder, house.bundle(), memory=memory_of(folder) + 100))
        shutil.rmtree(folder)
        with pytest.raises(Busy):
            await service.answer("model", ["x"])
        house.write(folder)
        assert len((await service.answer("model", ["x"])).predictions) == 1
        await service.close()

    asyncio.run(whole())


def test_a_new_version_takes_the_place_of_the_old_one_and_nothing_is_dropped(tmp_path):
    folder, new = house.write(tmp_path / "b"), house.write(tmp_path / "new", seed=5)
    wanted = version_of(new)

    async def whole():
        service = Service(house.settings(folder))
        old, answers = service.find(None).version, []

        async def client():
            while service.find(None).version == old:
                answers.append(await service.answer(None, ["the cat"] * 3))

        clients = [asyncio.create_task(client()) for _ in range(8)]
        await asyncio.sleep(0.1)
        exchange(folder, new)
        await seen(service, wanted)
        await asyncio.gather(*clients)
        answers.append(await service.answer(None, ["the cat"] * 3))
        await service.close()
        return old, answers

    old, answers = asyncio.run(whole())
    for version in (old, wanted):
        of = [one for one in answers if one.served.version == version]
        assert of
        for prediction in (p for one in of for p in one.predictions):
            assert prediction.scores == pytest.approx(of[0].predictions[0].scores, abs=1e-5)
    assert answers[0].predictions[0].scores != pytest.approx(answers[-1].predictions[0].scores, abs=1e-3)


@pytest.mark.parametrize("fault", ["golden", "byte", "missing"])
def test_a_bad_new_version_is_refused_and_told_and_the_old_one_stays(tmp_path, capsys, fault):
    folder, new = house.write(tmp_path / "b"), house.write(tmp_path / "new", seed=5, spoil=fault == "golden")
    if fault == "byte":
        (new / "config.json").write_bytes((new / "config.json").read_bytes().replace(b"mean", b"nean"))
    if fault == "missing":
        (new / "model.safetensors").unlink()

    async def whole():
        service = Service(house.settings(folder))
        old = service.find(None).version
        exchange(folder, new)
        for _ in range(4):
            await service._shelf.look()
        (now,), (then,) = (await service.answer(None, ["the cat"])).predictions, house.predictor().predict(["the cat"])
        assert now.scores == pytest.approx(then.scores, abs=1e-5)
        assert service.find(None).version == old
        shutil.rmtree(folder)
        house.write(folder, seed=6)
        await seen(service, version_of(folder))
        await service.close()
        return old

    old = asyncio.run(whole())
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    (refused,) = [line for line in told if line["event"] == "version_refused"]
    assert refused["kept"] == old and refused["level"] == "error" and refused["reason"]


def test_a_folder_that_is_still_written_is_left_for_the_next_look(tmp_path):
    folder, new = house.write(tmp_path / "b"), house.write(tmp_path / "new", seed=5)

    async def whole():
        service = Service(house.settings(folder))
        old = service.find(None).version
        await service._shelf.look()
        exchange(folder, new)
        await service._shelf.look()
        assert service.find(None).version == old
        await service.reload()
        assert service.find(None).version != old
        await service.close()

    asyncio.run(whole())


def test_looks_change_with_the_folder(tmp_path):
    before = looks(house.write(tmp_path / "b"))
    assert before == looks(tmp_path / "b") != ""
    (tmp_path / "b" / "README.md").write_text("x")
    assert looks(tmp_path / "b") != before
    assert looks(tmp_path / "nothing") == version_of(tmp_path / "nothing") == ""
    assert memory_of(tmp_path / "nothing") == 0


def test_a_network_in_another_format_is_served_and_says_what_it_cannot(tmp_path):
    predictor = house.predictor()
    formats.find("onnx").write(predictor, tmp_path / "onnx")
    service = Service(house.settings(tmp_path / "onnx"))
    texts = [row["input"] for row in predictor.golden]

    async def asked():
        found = await service.answer(None, texts)
        with pytest.raises(NoWeights) as refused:
            await service.embed(None, texts)
        await service.close()
        return found.predictions, refused.value

    (one,) = service.models()
    assert not one.facts.explains and not one.facts.nearest
    found, refused = asyncio.run(asked())
    for mine, theirs in zip(found, predictor.predict(texts), strict=True):
        assert mine.answer == theirs.answer and mine.scores == pytest.approx(theirs.scores, abs=1e-5)
    assert failure(refused).status_code == 400


@pytest.mark.parametrize("backbone", ["bag", "transformer"])
def test_weights_lie_as_a_processor_reads_them_and_answers_stay(backbone):
    path = house.bundle(seed=1, backbone=backbone)
    loaded = load(path)
    layers = [part for part in loaded.predictor.model.modules() if isinstance(part, torch.nn.Linear)]
    assert all(layer.weight.t().is_contiguous() for layer in layers)
    for served, opened in zip(loaded.predictor.predict(house.TEXTS), open_bundle(path).predict(house.TEXTS), strict=True):
        assert served.scores == pytest.approx(opened.scores, abs=1e-5)


def test_coarser_numbers_are_proven_on_the_golden_rows(tmp_path, monkeypatch):
    path = house.bundle(seed=1, backbone="transformer")
    assert load(path, precision="bf16").predictor.precision == "bf16"
    monkeypatch.setattr(predictor_room, "COARSE_UNITS", 1)
    monkeypatch.setattr(parity, "QUANTISED", 1e-9)
    with pytest.raises(AnswersDiffer, match="bf16"):
        load(path, precision="bf16")
