import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.contracts import doubles
from zhuji.backbones.conformer import Conformer
from zhuji.backbones.transformer import Transformer
from zhuji.core.answers import Prediction, Timed
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.records import Record, Sound
from zhuji.data.sounds import as_wav
from zhuji.modalities.speech import Speech
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble, collate
from zhuji.tasks.transcribe import Transcribe

SPELLED = [
    ("one two three four five six", "Ab a."),
    ("three one two one six", "B, b"),
    ("six five four three two one one", "a ab"),
    ("two two one six two", "ba!"),
]
RECORDS = [Record(str(i), a, target=b) for i, (a, b) in enumerate(SPELLED)]
TEXT = Text().fit([a for a, _ in SPELLED])
TRANSFORMER = Transformer(width=16, layers=1, heads=2, dropout=0.0)
CONFORMER = Conformer(width=16, layers=1, heads=2, window=3, subsample=1, dropout=0.0)


def model(backbone=TRANSFORMER, **options):
    return assemble(TEXT, backbone, Transcribe(**{"dropout": 0.0, "heads": 2, **options}).fit(RECORDS)).eval()


def batch(one, records=RECORDS):
    encoded = TEXT.encode([r.input for r in records])
    return collate(one, encoded, records, max(row.length for row in encoded))


def test_the_alphabet_is_that_of_the_transcripts_as_they_are_scored():
    task = Transcribe().fit(RECORDS)
    assert task.letters == (" ", "a", "b") and task.alphabet.spaced
    assert task.targets(RECORDS[1])["letters"].tolist() == [3, 1, 3]
    assert Transcribe(case="keep", punctuation="keep").fit(RECORDS).letters == (" ", "!", ",", ".", "A", "B", "a", "b")
    assert task.targets(Record("x", "", target="c a"))["letters"].tolist() == [1, 2]
    pieces = Transcribe(units="bpe", vocab_size=5).fit(RECORDS)
    assert len(pieces.letters) == 5 and Transcribe.parse(pieces.plain()).alphabet == pieces.alphabet


@pytest.mark.parametrize(("backbone", "options"), [
    (TRANSFORMER, {"attention": 0.3}), (CONFORMER, {}), (TRANSFORMER, {"units": "bpe", "vocab_size": 6}),
])  # fmt: skip
def test_it_learns_to_spell_by_heart(backbone, options):
    torch.manual_seed(0)
    one = model(backbone, **options).train()
    data, optimiser = batch(one), torch.optim.Adam(one.parameters(), 0.02)
    for _ in range(40):
        optimiser.zero_grad()
        one.loss(data).mean().backward()
        optimiser.step()
    outputs = one.eval().outputs(data)
    said = [one.task.written(text) for _, text in SPELLED]
    for beams in (1, 8):
        answers = one.task.model_copy(update={"beams": beams}).decode(outputs)
        assert [answer.answer for answer in answers] == said
        assert all(0.5 < answer.score <= 1 for answer in answers)
    scores = {name: metric(one.task.evidence(outputs, data)) for name, metric in one.task.metrics().items()}
    assert scores == {"greedy_wer": 0, "greedy_cer": 0, "unfit": 0, "unspelled": 0}


def test_the_loss_of_both_heads_is_theirs_by_weight():
    one = model(attention=0.25).requires_grad_(False)
    data = batch(one)
    out, letters = one.outputs(data), data.targets["letters"]
    sizes = (letters >= 0).sum(1)
    log_p = out["logits"].log_softmax(-1).transpose(0, 1)
    framed = F.ctc_loss(log_p, letters.clamp_min(0), out["real"].sum(1), sizes, reduction="sum")
    wanted = torch.full((4, letters.shape[1] + 1), -1)
    for row, size in enumerate(sizes.tolist()):
        wanted[row, :size], wanted[row, size] = letters[row, :size], 0
    written = F.cross_entropy(out["told"].flatten(0, 1), wanted.flatten(), ignore_index=-1, reduction="sum")
    loss = one.loss(data)
    assert float(loss.total) == pytest.approx(float(0.75 * framed + 0.25 * written), rel=1e-5)
    assert float(loss.count) == pytest.approx(int(sizes.sum()) + 4)


def test_the_decoder_writes_each_letter_after_those_before_alone():
    one = model(attention=0.3).requires_grad_(False)
    data = batch(one)
    features, letters = one.encoder(data.units), data.targets["letters"]
    other = torch.where((letters >= 0) & (torch.arange(letters.shape[1]) >= 1), letters % 3 + 1, letters)
    told, changed = (one.head.written(features, these) for these in (letters, other))
    torch.testing.assert_close(told[:, :2], changed[:, :2])
    assert (told[:, 2] - changed[:, 2]).abs().amax(1).min() > 1e-4
    forgetful = model(attention=0.3, dropout=0.5).requires_grad_(False)
    forgetful.head.train()
    assert not torch.equal(*(forgetful.head.written(features, letters) for _ in range(2)))


def test_the_decoder_is_not_needed_for_an_answer():
    one = model(attention=0.3)
    units = batch(one).units
    assert set(one.answers(units)) == {"logits", "real"}


def heard(path, letters=4):
    """Outputs in which the frames say `path`, and nothing else."""
    logits = torch.full((1, len(path), letters), -9.0)
    logits[0, range(len(path)), path] = 9.0
    return {"logits": logits, "real": torch.ones(1, len(path), dtype=torch.bool)}


def test_words_stand_where_their_letters_do():
    task = Transcribe().fit(RECORDS)
    [answer] = task.decode(heard([0, 2, 2, 3, 0, 0, 1, 1, 0, 3]))
    assert answer.answer == "ab b" and answer.score == pytest.approx(1.0, abs=1e-6)
    assert [(one.word, one.begin, one.end) for one in answer.times] == [("ab", 0.1, 0.4), ("b", 0.9, 1.0)]
    [silent] = task.decode(heard([0, 0, 0]))
    assert silent == Prediction("")


def test_a_score_is_the_geometric_mean_of_letters_where_they_are_surest():
    frames = torch.tensor([[0.1, 0.0, 0.9, 0.0], [0.4, 0.0, 0.6, 0.0], [0.5, 0.0, 0.0, 0.5]]) + 1e-9
    frames[2, 3] += 1e-3
    [answer] = Transcribe().fit(RECORDS).decode({"logits": frames.log()[None], "real": torch.ones(1, 3, dtype=torch.bool)})
    assert answer.answer == "ab" and answer.score == pytest.approx((0.9 * 0.5) ** 0.5, abs=2e-3)


def test_a_language_model_and_beams_change_what_is_heard():
    """Frames doubt between a and b; whoever is asked besides decides."""
    task = Transcribe().fit(RECORDS)
    logits = torch.tensor([[[0.0, -9, 2.0, 1.9], [5.0, -9, -9, -9], [0.0, -9, 2.0, 1.9]]])
    outputs = {"logits": logits, "real": torch.ones(1, 3, dtype=torch.bool)}
    assert task.decode(outputs)[0].answer == "aa"

    def language(texts):
        return np.log(np.tile([0.2, 0.1, 0.1, 0.6], (len(texts), 1)))

    told = task.with_language(language).model_copy(update={"beams": 8})
    assert told.decode(outputs)[0].answer == task.with_language(language).decode(outputs)[0].answer == "bb"
    quiet = task.model_copy(update={"beams": 8, "language_weight": 0.0}).with_language(language)
    assert quiet.decode(outputs)[0].answer == "aa"
    assert (
        "beams 8, language model 0.5" in told.notes()["wer"]
        and told.described() == task.model_copy(update={"beams": 8}).described()
    )


def test_a_search_knows_what_no_frame_is_surest_of():
    """Two frames in which nothing is likeliest, but one a of any length has 0.33 in all, and nothing 0.16."""
    outputs = {"logits": torch.tensor([[[0.4, 1e-9, 0.3, 0.3]] * 2]).log(), "real": torch.ones(1, 2, dtype=torch.bool)}
    task = Transcribe().fit(RECORDS)
    assert task.decode(outputs)[0].answer == "" != task.model_copy(update={"beams": 8}).decode(outputs)[0].answer


def test_a_word_bonus_parts_words():
    task = Transcribe(beams=16).fit(RECORDS)
    logits = torch.tensor([[[-9.0, -9, 9, -9], [1.0, 0.5, -9, -9], [-9.0, -9, -9, 9]]])
    outputs = {"logits": logits, "real": torch.ones(1, 3, dtype=torch.bool)}
    assert task.decode(outputs)[0].answer == "ab"
    assert task.model_copy(update={"word_bonus": 2.0}).decode(outputs)[0].answer == "a b"


def test_what_does_not_fit_is_told():
    one = model(Conformer(width=8, layers=1, heads=2, window=3, subsample=8, dropout=0.0))
    data = batch(one)
    columns = one.task.evidence(one.outputs(data), data)
    assert columns["unfit"].all() and one.loss(data).total.item() == 0
    assert "100%" in one.task.warnings({"unfit": 1.0})[0] and not one.task.warnings({"unfit": 0.01, "greedy_wer": 1.0})


def test_what_does_not_fit_counts_in_no_loss():
    one = model(attention=0.0).requires_grad_(False)
    longer = [RECORDS[0], Record("x", "one", target="ab ab ab")]
    together, alone = one.loss(batch(one, longer)), one.loss(batch(one, RECORDS[:1]))
    assert float(together.total) == pytest.approx(float(alone.total), rel=1e-5) and int(together.count) == int(alone.count) == 5


def test_letters_that_training_never_met_are_told():
    """A syllable that is one letter cannot be answered unless training met it; spelled by characters it can."""
    pytest.importorskip("pypinyin")
    known = [Record("0", "", target="ba1"), Record("1", "", target="ma1 ma2")]
    for units, unspelled in (("pinyin", 1), ("characters", 0), ("bpe", 0)):
        task = Transcribe(units=units, vocab_size=8).fit(known)
        found = [int(task.targets(Record("2", "", target=text))["unspelled"]) for text in ("ba2", "ma1", "xa1")]
        assert found == [unspelled, 0, 1], units
    assert "never met" in task.warnings({"unspelled": 0.5, "unfit": 0.0})[0] and not task.warnings({"unspelled": 0.01})


def test_answers_are_judged_as_texts_are_learned():
    task = Transcribe().fit(RECORDS)
    columns = task.judge([Prediction("ab a"), Prediction("b"), Prediction(""), Prediction("ba")], RECORDS)
    assert columns["word_edits"].tolist() == [0, 1, 2, 0] and columns["words"].tolist() == [2, 2, 2, 1]
    rates = {name: metric(columns) for name, metric in task.answer_metrics().items()}
    assert (
        rates == {"wer": 3 / 7, "cer": columns["letter_edits"].sum() / columns["letters"].sum()}
        and rates["cer"] != rates["wer"]
    )
    assert list(rates) == ["wer", "cer"] and "punctuation drop" in task.notes()["cer"]
    chinese = Transcribe().fit([Record("0", "", target="筑基。")])
    assert list(chinese.answer_metrics()) == ["cer"] and next(iter(chinese.metrics())) == "greedy_cer"


def test_signs_and_blanks_make_no_words_of_chinese():
    chinese = Transcribe().fit([Record("0", "", target="筑基，从 头。"), Record("1", "", target="开始")])
    assert chinese.letters == tuple("从基头始开筑") and list(chinese.answer_metrics()) == ["cer"]
    assert chinese.written("Ｚｈｕｊｉ，筑 基") == "zhuji 筑基"
    mixed = Transcribe().fit([Record("0", "", target="用 zhuji 训练")])
    columns = mixed.judge([Prediction("用 zhuji 训")], [Record("0", "", target="用 zhuji，训 练")])
    assert columns["word_edits"].tolist() == [1] and columns["words"].tolist() == [4]
    assert "a word" in mixed.notes()["wer"] and "a word" not in mixed.notes()["cer"]


def test_zhuyin_has_its_tones_and_syllables_between_blanks():
    zhuyin = Transcribe().fit([Record("0", "", target="ㄅㄚ˙"), Record("1", "", target="ㄅㄚˊ")])
    assert zhuyin.letters == ("ˊ", "˙", "ㄅ", "ㄚ") and list(zhuyin.answer_metrics()) == ["wer", "cer"]
    columns = zhuyin.judge(
        [Prediction("ㄅㄚ"), Prediction("ㄅㄚˊ")], [Record("0", "", target="ㄅㄚ˙"), Record("1", "", target="ㄅㄚˊ")]
    )
    assert columns["word_edits"].tolist() == [1, 0] and columns["words"].tolist() == [1, 1]
    assert columns["letters"].tolist() == [3, 3]


def test_the_reading_is_enough_for_a_stranger():
    task = Transcribe().fit(RECORDS)
    told = json.loads(json.dumps(task.reading()))
    assert told == {"kind": "letters", "letters": ["", " ", "a", "b"], "spaced": True}
    assert task.model_copy(update={"beams": 8}).reading() == {"kind": "tensors"}


def test_what_cannot_be_is_refused():
    with pytest.raises(ImpossiblePair, match="time"):
        assemble(doubles.Picture(), TRANSFORMER, Transcribe().fit(RECORDS))
    with pytest.raises(BadSetting, match="heads"):
        model(attention=0.5, heads=3)
    with pytest.raises(BadSetting, match="even"):
        model(attention=0.5, heads=16)


def test_an_answer_is_that_of_its_real_frames():
    task, outputs = Transcribe().fit(RECORDS), heard([2, 3, 3])
    outputs["real"][0, 1:] = False
    assert task.decode(outputs)[0].answer == "a"


def test_times_become_seconds_where_units_are_pieces_of_time():
    speech, sounds = Speech.example()
    [encoded] = speech.encode([Sound(data=as_wav(np.zeros(16_000), 8_000))])
    told = Prediction("a b", times=(Timed("a", 0.25, 0.5), Timed("b", 0.5, 1.0)))
    begun = [(one.word, one.begin, one.end) for one in speech.unplaced(told, encoded).times]
    assert begun == [
        ("a", pytest.approx(0.5, abs=0.02), pytest.approx(1.0, abs=0.02)),
        ("b", pytest.approx(1.0, abs=0.02), pytest.approx(2.0, abs=0.02)),
    ]
    assert TEXT.unplaced(told, TEXT.encode(["one two"])[0]) is told and len(sounds) > 1


def test_chinese_is_spelled_by_syllables_where_asked():
    pytest.importorskip("pypinyin")
    records = [Record("0", "", target="筑基，语音。"), Record("1", "", target="基")]
    task = Transcribe(units="pinyin").fit(records)
    assert task.letters == ("▁ji1", "▁yin1", "▁yu3", "▁zhu4") and task.alphabet.spaced
    assert Transcribe.parse(task.plain()).targets(records[0])["letters"].tolist() == [4, 1, 3, 2]
    columns = task.judge([Prediction("zhu4 ji1 yu3 yin4"), Prediction("ji1")], records)
    assert columns["word_edits"].tolist() == [1, 0] and columns["words"].tolist() == [4, 1]
    assert "pinyin" in task.notes()["wer"]
    [answer] = task.decode(heard([4, 0, 1, 1], letters=5))
    assert answer.answer == "zhu4 ji1" and [one.word for one in answer.times] == ["zhu4", "ji1"]
