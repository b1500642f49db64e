from __future__ import annotations

from tests.serving import house


def test_models_say_what_they_are(tmp_path):
    tagging = house.write(tmp_path / "tags", task="tag")

    async def ask(client, _):
        return (await client.get("/models")).json()["models"]

    first, second, third = house.talk(house.settings(house.bundle(), tagging, house.writing_bundle()), ask)
    assert set(first) == {
        "name",
        "version",
        "task",
        "modality",
        "reads",
        "answers",
        "labels",
        "example",
        "explains",
        "generates",
        "chats",
        "draws",
        "speaks",
        "voices",
        "nearest",
    }
    assert (first["name"], first["answers"], first["generates"]) == ("model", "class", False)
    assert (second["answers"], third["answers"], third["generates"]) == ("tags", "number", True)
