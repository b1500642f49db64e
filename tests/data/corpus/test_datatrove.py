import gzip
import json
import sys

import pytest

from zhuji.core.errors import MissingExtra
from zhuji.core.seed import stream
from zhuji.data.corpus import datatrove
from zhuji.data.corpus.settings import QualitySettings, TextsSettings
from zhuji.data.corpus.texts import Texts

WORDS = [a + b + c for a in "bdgklm" for b in "aeiou" for c in "nrst"]
TEXTS = [" ".join(WORDS[i] for i in stream(n, "text").integers(0, len(WORDS), 60)) for n in range(40)]


@pytest.fixture
def folder(tmp_path):
    near = TEXTS[3] + " other"
    (tmp_path / "texts.txt").write_text("\n".join([*TEXTS, near, "too short"]) + "\n")
    return tmp_path


def test_without_datatrove_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datatrove.data", None)
    monkeypatch.setitem(sys.modules, "datatrove", None)
    with pytest.raises(MissingExtra, match="cluster"):
        datatrove.reader(TextsSettings(path="x"))


@pytest.mark.filterwarnings("ignore")
def test_a_pipeline_with_deduplication_by_minhash_feeds_the_builder(folder):
    pytest.importorskip("datatrove", reason="datatrove is not installed")
    pytest.importorskip("orjson", reason="datatrove writes JSONL through orjson, which is not installed")
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.hashing import HashConfig

    texts, config = TextsSettings(path=str(folder / "texts.txt")), MinhashConfig(hash_config=HashConfig(hash_fc="sha1"))
    read, sig, found, doubled, out = (str(folder / name) for name in ("read", "signatures", "buckets", "doubled", "out"))
    signature = MinhashDedupSignature(sig, config=config, language=datatrove.words())
    first = [datatrove.reader(texts), datatrove.quality(QualitySettings()), JsonlWriter(read), signature]
    steps = [
        (first, 2), ([MinhashDedupBuckets(sig, found, config=config)], config.num_buckets),
        ([MinhashDedupCluster(found, doubled, config=config)], 1),
        ([JsonlReader(read), MinhashDedupFilter(doubled), JsonlWriter(out)], 2),
    ]  # fmt: skip
    for number, (pipeline, tasks) in enumerate(steps):
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=str(folder / f"log-{number}")).run()
    kept = {
        json.loads(line)["text"]
        for file in (folder / "out").glob("*.gz")
        for line in gzip.decompress(file.read_bytes()).splitlines()
    }
    assert len(kept) == 40  # the short one and one of the two alike are gone
    assert kept >= set(TEXTS) - {TEXTS[3]}
    source = Texts(TextsSettings(path=out, columns=("text",)))
    assert {raw.text for raw in source} == kept
