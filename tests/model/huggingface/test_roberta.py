"""RoBERTa's positions begin after the id of padding."""

import safetensors.torch
import torch

from tests.model.huggingface.made import folder, model
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.roberta import Roberta


def test_the_first_rows_of_the_table_are_nobodys(tmp_path):
    made = model("roberta")
    tensors = safetensors.torch.load((folder(tmp_path / "there", "roberta") / "model.safetensors").read_bytes())
    table = tensors["embeddings.position_embeddings.weight"]
    first = made.modality.special.pad + 1
    assert not table[:first].any()
    torch.testing.assert_close(table[first:], made.state_dict()["encoder.body.learned.table"], rtol=0, atol=0)


def test_so_there_are_fewer_positions_than_rows(tmp_path):
    assert Roberta().positions(Options({"max_position_embeddings": 514, "pad_token_id": 1}, tmp_path)) == 512
    assert Roberta().read(Options({"max_position_embeddings": 514}, tmp_path)).max_positions == 512
