"""A student learns more from a teacher and few labels than from few labels alone."""

import csv
import shutil

import pytest

from zhuji.core.errors import BadSetting
from zhuji.model.bundle import open_bundle
from zhuji.tools.distil import distil
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
