"""A student learns more from a teacher and few labels than from few labels alone."""

import csv
import json
import shutil

import pytest
from safetensors.torch import load_file

from tests import foundation
from zhuji import api
from zhuji.cli.app import main
from zhuji.core.errors import BadSetting
from zhuji.model.bundle import open_bundle
from zhuji.tools.distil import distil
from zhuji.tools.evaluate import evaluate
from zhuji.training.fit import fit, resume
from zhuji.training.run import compose

TOPICS = {
    "sea": "ship sail harbour tide anchor wave captain dock reef mast",
    "air": "wing pilot cloud plane runway flight glider hangar propeller sky",
    "rail": "train track signal wagon platform station locomotive sleeper tunnel points",
}
STUDENT = {
    "backbone": {"name": "bag", "width": 12}, "train": {"epochs": 30, "precision": "fp32", "threads": 1, "rehearse": False,
    "optim": {"lr": 0.03}}, "evaluate": {"bootstrap": 0, "baselines": False, "golden_rows": 2},
}  # fmt: skip


def rows(path, number, start=0, label=True, splits=True):
    """Each text has two of its topic's words, and words of no topic."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", *(["label"] if label else []), *(["split"] if splits else [])])
        for i in range(start, start + number):
            name = list(TOPICS)[i % 3]
            words = TOPICS[name].split()
            text = f"{words[i // 3 % 10]} and {words[(i // 30 + i // 3 + 1) % 10]} with n{i % 17} n{i % 23} x{i}"
            split = "train" if i < start + number * 0.6 else ("valid" if i % 2 else "test")
            writer.writerow([text, *([name] if label else []), *([split] if splits else [])])
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distil")
    many, few = rows(folder / "many.csv", 360), rows(folder / "few.csv", 18, start=2001)
    teacher = compose(
        {"data": {"path": str(many), "near": 0}, **STUDENT}, sets=["modality.tokenizer=words", "backbone.width=24"]
    )
    fit(teacher, folder / "teacher", progress=False)
    return folder / "teacher", few, rows(folder / "texts.csv", 300, start=5000, label=False, splits=False)


def test_a_student_learns_more_with_a_teacher_and_texts_than_from_few_labels_alone(files, tmp_path):
    teacher, few, texts = files
    sets = ["data.near=0", "modality.tokenizer=characters", "modality.ngrams=3"]
    alone = fit(compose({"data": {"path": str(few)}, **STUDENT}, sets=sets), tmp_path / "alone", progress=False)
    taught = distil(teacher, few, tmp_path / "taught", recipe=STUDENT, unlabelled=texts, sets=sets, progress=False)
    fresh = rows(tmp_path / "fresh.csv", 150, start=9000)
    right = {}
    for name, run in (("alone", alone), ("taught", taught)):
        asked = [line.rsplit(",", 2)[:2] for line in fresh.read_text().splitlines()[1:]]
        answers = open_bundle(run.bundle).predict(text for text, _ in asked)
        right[name] = sum(a.answer == label for a, (_, label) in zip(answers, asked, strict=True)) / len(asked)
    assert right["taught"] > right["alone"] + 0.1


def test_a_taught_run_goes_on_without_its_teacher_and_refuses_another(files, tmp_path):
    teacher, few, texts = files
    gone, sets = tmp_path / "teacher", ["data.near=0", "train.epochs=2"]
    shutil.copytree(teacher, gone)
    run = distil(gone, few, tmp_path / "run", recipe=STUDENT, unlabelled=texts, sets=sets, progress=False)
    assert open_bundle(run.bundle).run["teacher"]["hash"]
    before = (run.bundle / "model.safetensors").read_bytes()
    (run.run / "results.json").unlink()
    shutil.rmtree(gone)
    assert (resume(run.run, progress=False).bundle / "model.safetensors").read_bytes() == before
    with pytest.raises(BadSetting, match=r"teacher\.path"):
        numbers = tmp_path / "numbers.csv"
        numbers.write_text("text,label\n" + "\n".join(f"a text {i},{i}.5" for i in range(60)))
        distil(teacher, numbers, tmp_path / "other", recipe=STUDENT, progress=False)


# ------------------------------------------------------------------------------------------- vectors, tags and units


@pytest.mark.slow
def test_an_embedder_learns_from_texts_without_labels_and_goes_on_without_its_teacher(files, tmp_path):
    teacher, _, texts = files
    gone = tmp_path / "teacher"
    shutil.copytree(teacher, gone)
    sets = ["modality.tokenizer=characters", "modality.ngrams=3", "train.batch_rows=64", "train.epochs=30"]
    run = distil(gone, texts, tmp_path / "run", recipe=STUDENT, sets=[*sets, "task.name=imitate"], progress=False)
    fresh = fit(
        compose(
            {"data": {"path": str(texts)}, **STUDENT, "task": {"name": "imitate"}, "teacher": {"path": str(gone)}},
            sets=[*sets, "train.optim.lr=1e-9"],
        ),
        tmp_path / "fresh",
        progress=False,
    )
    kept, before = (of.test["likeness_kept"]["value"] for of in (run, fresh))
    assert kept > 0.7 > 0.4 > before
    assert evaluate(run.run).as_dict()["scores"] == run.test, "with the vectors that the run has kept"
    weights = (run.bundle / "model.safetensors").read_bytes()
    (run.run / "results.json").unlink()
    shutil.rmtree(gone)
    assert (resume(run.run, progress=False).bundle / "model.safetensors").read_bytes() == weights


def test_a_weight_has_no_meaning_where_vectors_are_learned(files, tmp_path):
    teacher, _, texts = files
    with pytest.raises(BadSetting, match=r"teacher\.weight"):
        distil(teacher, texts, tmp_path / "run", recipe=STUDENT, sets=["task.name=imitate"], weight=0.5, progress=False)


def test_a_tagger_learns_from_few_tags_and_many_untagged_texts(tmp_path):
    def rows(path, start, number, tagged=True):
        lines = []
        for i in range(start, start + number):
            name = f"{'AEIOU'[i % 5]}{'nrtl'[i % 4]}{'aeo'[i % 3]}"
            words = [("so", "O"), (name, "B-who"), (f"w{i % 7}", "O"), ("met", "O"), (f"{name}s", "B-who"), (f"x{i}", "O")][
                : 6 - i % 3
            ]
            lines.append("\n".join(f"{word} {tag}" for word, tag in words) if tagged else " ".join(word for word, _ in words))
        path.write_text(("\n\n" if tagged else "\n").join(lines) + "\n")
        return path

    sets = ["data.near=0", "train.epochs=12", "modality.max_units=64"]
    many = {"data": {"path": str(rows(tmp_path / "many.conll", 0, 120))}, **STUDENT}
    teacher = fit(
        compose(many, sets=[*sets, "modality.tokenizer=bpe", "modality.vocab_size=300"]), tmp_path / "teacher", progress=False
    )
    texts = rows(tmp_path / "texts.txt", 500, 60, tagged=False)
    few = rows(tmp_path / "few.conll", 1000, 24)
    sets = [*sets, "modality.tokenizer=words"]
    run = distil(teacher.run, few, tmp_path / "run", recipe=STUDENT, unlabelled=texts, sets=sets, progress=False)
    kept = load_file(run.run / "lessons" / "lessons.safetensors")
    assert len(kept["ends"]) == 60 + sum(1 for line in (run.run / "splits.jsonl").read_text().splitlines() if '"train"' in line)
    assert kept["lesson"].shape == (kept["ends"][-1], 2) and run.test["span_f1"]["value"] is not None


def test_a_language_model_learns_from_one_of_the_same_tokenizer_on_the_command_line_and_from_python(tmp_path, capsys):
    teacher = foundation.result().run
    sets = [pair for pair in foundation.SMALL if not pair.startswith("modality.vocab_size")]
    asked = [part for pair in [*sets, "modality.max_units=32"] for part in ("--set", pair)]
    code = main(["distil", str(teacher), str(foundation.texts()), "--model", "gpt-mini", "--epochs", "1", "--json",
                 "--temperature", "1", "--run-dir", str(tmp_path / "cli"), *asked])  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert code in (0, None) and told["valid"]["next_loss"]["value"] > 0
    again = api.distil(
        teacher,
        foundation.texts(),
        model="gpt-mini",
        epochs=1,
        temperature=1,
        run_dir=tmp_path / "python",
        sets=[*sets, "modality.max_units=32"],
    )
    assert isinstance(again, api.Foundation) and again.valid == told["valid"]
    bundles = [open_bundle(tmp_path / name / "bundle") for name in ("cli", "python")]
    assert bundles[0].model.modality.files() == open_bundle(teacher).model.modality.files()
    with pytest.raises(BadSetting, match=r"data\.label"):
        api.distil(teacher, foundation.texts(), model="gpt-mini", run_dir=tmp_path / "bad", label="label")
