import pytest
import torch

from tests.model.writers import parrot, writer
from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Backbone
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.lookup import find, names
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.model.generate import GenerateSettings, _Begun, generate, stream, units_of
from zhuji.tasks.classify import Classify

GREEDY = GenerateSettings(how="greedy", max_units=12)


def by_hand(model, prompt: str, count: int) -> list[int]:
    """The likeliest ids, each from a pass over everything so far."""
    spec = model.modality.spec
    ids = model.modality.encode([prompt])[0].ids.tolist()
    ids, written = (ids[:-1] if ids[-1] == spec.end else ids), []
    while len(written) < count:
        units = model.modality.collate(
            [model.modality.encode([prompt])[0].__class__(torch.tensor(ids).int().numpy())], (len(ids),)
        )
        with torch.no_grad():
            logits = model.head.logits(model.encoder(units).states[0, -1], model.encoder.table())
        logits[[id for id in spec.reserved if id != spec.end]] = -torch.inf
        unit = int(logits.argmax())
        if unit == spec.end:
            break
        ids.append(unit)
        written.append(unit)
    return written


CAUSAL = [
    kind.example() for name in names(Backbone) if (kind := find(Backbone, name)).can_be_causal and not kind.example().strides
]


@pytest.mark.parametrize("backbone", [*CAUSAL, Transformer(width=16, layers=2, heads=2, positions="learned", max_positions=64)],
                         ids=lambda b: b.name())  # fmt: skip
@pytest.mark.parametrize("wrap", ["none", "both"])
def test_a_batch_of_prompts_is_gone_on_with_as_each_alone(backbone, wrap):
    model = writer(backbone, wrap=wrap)
    prompts = ["the cat", "a", "筑基：从头 and a longer one"]
    found = generate(model, prompts, GREEDY)
    for prompt, one in zip(prompts, found, strict=True):
        (alone,) = generate(model, [prompt], GREEDY)
        assert alone.text == one.text
        assert alone.score == pytest.approx(one.score, abs=1e-4)
        written = by_hand(model, prompt, 12)
        assert one.units == len(written)
        assert one.text == model.modality.decode([*model.modality.encode([prompt])[0].ids.tolist(), *written])[len(prompt) :]


def test_learned_positions_slide():
    """Beyond the last position the newer half is read again, and the text goes on."""
    model = writer(Transformer(width=16, layers=2, heads=2, positions="learned", max_positions=8))
    (long,) = generate(model, ["the cat"], GenerateSettings(how="greedy", max_units=30, min_units=30))
    (short,) = generate(model, ["the cat"], GenerateSettings(how="greedy", max_units=3, min_units=3))
    assert long.units == 30 and long.text.startswith(short.text)


def test_a_wide_beam_is_at_least_as_good_as_greedy():
    model = writer(loud=3.0)
    one = GenerateSettings(how="beam", beams=6, max_units=5, min_units=5, length_penalty=0.0)
    two = GenerateSettings(how="greedy", max_units=5, min_units=5)
    (beam,), (greedy,) = generate(model, ["the"], one), generate(model, ["the"], two)
    assert beam.score >= greedy.score * 5 - 1e-4


def test_same_seed_same_text():
    model = writer()
    settings = GenerateSettings(max_units=10)
    first = generate(model, ["a", "b"], settings)
    torch.manual_seed(9)
    assert generate(model, ["a", "b"], settings) == first
    assert generate(model, ["a", "b"], settings.model_copy(update={"seed": 1})) != first


def test_reserved_ids_are_never_written():
    model = writer()
    begun = _Begun(model, ["a", "b c"], GREEDY)
    logits, _ = begun.rows.step(begun.rows.start, begun.rows.context)
    spec = model.modality.spec
    assert len(spec.reserved) == 5 and spec.end in spec.reserved
    assert logits.isneginf().nonzero().tolist() == [[row, id] for row in (0, 1) for id in spec.reserved if id != spec.end]


def test_stop_strings_end_the_text_even_inside_units():
    (one,) = generate(parrot("one. two. three"), ["x"], GREEDY.model_copy(update={"stop": ("nothing", ". t"), "max_units": 99}))
    assert (one.text, one.ended) == ("one", True)
    (whole,) = generate(parrot("one. two"), ["x"], GREEDY.model_copy(update={"max_units": 99}))
    assert (whole.text, whole.ended, whole.units) == ("one. two", True, 8)
    (limited,) = generate(parrot("one. two"), ["x"], GREEDY.model_copy(update={"max_units": 3}))
    assert (limited.text, limited.ended) == ("one", False)


@pytest.mark.parametrize("says", ["naïve 😀 筑基", "ends 😀", "stop sto stopp", "no su", "sto"])
@pytest.mark.parametrize("stop", [(), ("stopp",), ("sub", "uuu")])
def test_a_stream_never_takes_back(says, stop):
    settings = GenerateSettings(how="greedy", max_units=99, stop=stop)
    pieces = list(stream(parrot(says), "x", settings))
    (expected,) = generate(parrot(says), ["x"], settings)
    assert "".join(pieces) == expected.text
    assert all(pieces) and "\ufffd" not in "".join(pieces)
    if not stop:
        assert len(pieces) == len(says)  # a character comes as soon as its last byte does


def test_bytes_that_are_no_character_come_at_last():
    model = writer(tokenizer="bytes")
    settings = GenerateSettings(max_units=40, seed=3)
    assert "".join(stream(model, "x", settings)) == generate(model, ["x"], settings)[0].text


@pytest.mark.parametrize("how", ["greedy", "sample"])
@pytest.mark.parametrize("stop", [(), ("e",)])
def test_a_stream_says_at_its_end_what_generate_says(how, stop):
    model, settings = writer(), GenerateSettings(how=how, max_units=9, stop=stop, seed=5)

    def told():
        said.append((yield from stream(model, "the cat", settings)))

    said = []
    text = "".join(told())
    assert said == generate(model, ["the cat"], settings)
    assert text == said[0].text


def test_the_units_of_a_prompt_are_those_that_the_model_reads():
    model = writer(wrap="both")
    (row,) = model.modality.encode(["the cat"])
    # The end that every text is put before is not read: the text goes on.
    assert units_of(model, "the cat") == row.length - 1
    assert units_of(model, "") == 1


def test_an_empty_prompt_begins_with_the_start():
    model = writer(wrap="both")
    (one,) = generate(model, [""], GREEDY)
    (spelled,) = generate(writer(wrap="none"), [""], GREEDY)
    assert one == spelled


def test_training_mode_is_left_as_it_was():
    model = writer().train()
    for _ in stream(model, "a", GREEDY):
        assert model.training
    generate(model, ["a"], GREEDY)
    assert model.training and torch.is_grad_enabled()


def test_what_cannot_be_is_refused():
    with pytest.raises(BadSetting, match="at most 40 units"):
        generate(writer(), ["a b " * 50])
    with pytest.raises(BadSetting, match="stream"):
        next(stream(writer(), "a", GenerateSettings(how="beam")))
    with pytest.raises(BadSetting, match="exclude"):
        GenerateSettings.parse({"json_schema": "{}", "regex": "a"})
    with pytest.raises(BadSetting, match="empty"):
        GenerateSettings.parse({"stop": [""]})
    modality, _ = Text.example()
    silent = assemble(modality, Transformer.example(), Classify.example().task)
    with pytest.raises(ImpossiblePair, match="next unit"):
        generate(silent, ["a"])
