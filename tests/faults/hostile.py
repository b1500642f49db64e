"""A stranger who has our code writes hashes that fit what he did to a bundle."""

import hashlib
import json

FILES = ("config.json", "model.safetensors", "labels.json", "golden.jsonl", "README.md", "hashes.json", "tokenizer.json")


def sealed(folder):
    """Write hashes.json anew, as a stranger with our code would."""
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "hashes.json" and p.is_file()}
    return write_hashes(folder, {n: {"bytes": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in files.items()})


def write_hashes(folder, hashes):
    (folder / "hashes.json").write_text(json.dumps(hashes, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    return folder
