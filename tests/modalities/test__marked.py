"""That ids are those of a tokenizer which looks for special tokens in the whole is tried in tests/parity/test_huggingface_chat.py."""

from zhuji.modalities.text import Text

NAMES = ["<|a|>", "<|b|>", "</s>", "nowhere"]


def text(special=NAMES[:2], **flags) -> Text:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(
        models.BPE(vocab={name: n for n, name in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, merges=[])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken("</s>", special=False)])
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False, **flags) for name in special])
    return Text.read(
        tokenizer.to_str(),
        vocab_size=300,
        max_units=50,
        special={"pad": None, "unknown": None, "start": 256, "end": 256, "mask": None},
    )


def names(modality: Text, ids: list[int]) -> list[str]:
    return [modality.marked(()).name(id) for id in ids]


def test_only_special_tokens_that_no_text_leads_to_are_marks():
    """`</s>` is an id of its own for any text that holds it: somebody could say it."""
    assert text().marked(NAMES).marks == {"<|a|>": 257, "<|b|>": 258}


def test_what_is_said_is_text_whatever_it_says():
    modality = text()
    reader = modality.marked(NAMES)
    ids = reader.ids([("<|a|>x", False), ("y<|b|>", True), ("<|b|><|a|>", False)])
    assert names(modality, ids) == ["<|a|>", "x", "y", *"<|b|>", "<|b|>", "<|a|>"]
    assert reader.ids([("<|a", False), ("|>", True)]) == modality.encode(["<|a|>"])[0].ids.tolist()
    assert reader.ids([("", True), ("", False)]) == []


def test_names_that_are_not_asked_for_are_text():
    modality = text()
    assert names(modality, modality.marked(["<|b|>"]).ids([("<|a|><|b|>", False)])) == [*"<|a|>", "<|b|>"]


def test_some_tokens_take_the_blanks_beside_them():
    modality = text(lstrip=True, rstrip=True)
    ids = modality.marked(NAMES).ids([("a ", True), ("<|a|>", False), ("\n b ", True)])
    assert names(modality, ids) == ["a", "<|a|>", "b", "Ġ"]


def test_half_a_surrogate_pair_is_replaced():
    modality = text()
    assert modality.marked(()).ids([("\ud800", True)]) == modality.encode(["\ufffd"])[0].ids.tolist()


def test_whole_texts_are_wrapped_as_all_are():
    modality = text().model_copy(update={"wrap": "both", "max_units": 8})
    for begun, first in ((False, [256]), (True, [])):
        (row,) = modality.encode_marked(["<|a|>b<|c|>d<|b|>"], NAMES, begun=begun)
        assert row.ids.tolist() == [*first, 257, *modality.encode(["b<|c|"])[0].ids.tolist()[1:-1], 256]
        assert row.cut == 3
