from dataclasses import replace

from tests import foundation
from zhuji.tools.pages.found import read
from zhuji.tools.pages.foundation import foundation_facts, foundation_pictures, is_foundation

WATCH = {name: {"value": 0.01, "low": None, "high": None} for name in ("spread", "effective_rank")}


def test_curves_speed_and_cost() -> None:
    found = read(foundation.result().run)
    assert is_foundation(found) and set(foundation_pictures(found)) == {"curves", "speed"}
    facts = foundation_facts(found)
    assert "held-out documents" in facts["verdict"] and not facts["watched"]
    assert {"units learned", "processor time", "energy", "model FLOPs utilisation (median)"} <= {
        name for name, _ in facts["cost"]
    }
    assert ("source", str(foundation.texts())) in facts["sources"]


def test_the_watch_on_collapse_is_shown() -> None:
    found = read(foundation.result().run)
    log = [*found.log, {"kind": "valid", "step": 1, "loss": 1.0, "spread": 0.01, "effective_rank": 1.1}]
    found = replace(found, log=log, results={**found.results, "valid": WATCH, "warnings": ["the embeddings collapse"]})
    assert "collapse" in foundation_pictures(found) and foundation_facts(found)["watched"]


def test_without_held_out_documents() -> None:
    found = read(foundation.result().run)
    bare = replace(found, results={**found.results, "valid": {}}, log=[])
    assert foundation_pictures(bare) == {} and "no document was held out" in foundation_facts(bare)["verdict"]
