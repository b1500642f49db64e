import torch

from zhuji.nn.sounds.companding import companded, expanded


def test_ids_come_back_and_samples_nearly() -> None:
    ids = torch.arange(256)
    assert companded(expanded(ids)).equal(ids)
    samples = torch.linspace(-1, 1, 10_001)
    # Half a step is widest at full scale, where 256 levels are ln(256) / 255 apart.
    assert (expanded(companded(samples)) - samples).abs().max() < 0.0225
    quiet = samples[samples.abs() < 0.01]
    assert (expanded(companded(quiet)) - quiet).abs().max() < 4e-4


def test_silence_lies_in_the_middle_and_louder_than_full_is_full() -> None:
    assert companded(torch.tensor([0.0, 1.0, -1.0, 5.0, -5.0])).tolist() == [128, 255, 0, 255, 0]
