"""Every part by itself, found by walking the folders."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.contracts import doubles
from zhuji.core import lookup
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import CannotExplain, UnknownKey
from zhuji.core.units import Features
from zhuji.modalities.image import Image

SHELVES = {kind: [lookup.find(kind, name) for name in lookup.names(kind)] for kind in (Modality, Backbone, Task)}
MODALITIES = [*SHELVES[Modality], doubles.Picture, doubles.Cells]
BACKBONES = [*SHELVES[Backbone], doubles.Everywhere]
RESIZED = [Image]
"""All rows of these have one grid, and they cannot be told in words."""


def example_of(kind):
    example = kind.example()
    if issubclass(kind, Modality):
        return example[0]
    return example.task if issubclass(kind, Task) else example


@pytest.mark.parametrize("shelf, kind", [(shelf, kind) for shelf, kinds in SHELVES.items() for kind in kinds])
class TestDescription:
    def test_round_trip_through_json(self, shelf, kind):
        part = example_of(kind)
        described = json.loads(json.dumps(part.described()))
        rebuilt = lookup.build(shelf, described)
        assert type(rebuilt) is kind
        assert rebuilt.described() == part.described()

    def test_frozen(self, shelf, kind):
        part = example_of(kind)
        field = next(iter(kind.model_fields))
        with pytest.raises(ValidationError):
            setattr(part, field, getattr(part, field))

    def test_unknown_settings_are_refused(self, shelf, kind):
        with pytest.raises(UnknownKey):
            lookup.build(shelf, {**example_of(kind).described(), "no_such_setting": 1})


@pytest.mark.parametrize("kind", MODALITIES)
class TestModality:
    def test_encoding_is_in_order_and_row_by_row(self, kind):
        modality, inputs = kind.example()
        together = modality.encode(inputs)
        alone = [row for value in inputs for row in modality.encode([value])]
        assert len(together) == len(inputs) > 1
        for one, other in zip(together, alone, strict=True):
            assert one.cut == other.cut
            for a, b in ((one.ids, other.ids), (one.values, other.values)):
                assert (a is None) == (b is None)
                assert a is None or np.array_equal(a, b)

    def test_units_are_what_the_spec_says(self, kind):
        modality, inputs = kind.example()
        spec = modality.spec
        for row in modality.encode(inputs):
            assert row.length >= 1
            assert len(row.grid) == spec.grid_ndim
            assert (row.ids is None) == (spec.num_ids == 0)
            assert row.ids is None or (row.ids.dtype == np.int32 and row.ids.max() < spec.num_ids)
            assert row.values is None or (
                row.values.dtype in (np.float32, np.uint8) and row.values.shape[-1] == spec.num_values
            )

    def test_lengths_differ_and_the_mask_counts_them(self, kind):
        modality, inputs = kind.example()
        rows = modality.encode(inputs)
        assert len({row.grid for row in rows}) > 1 or kind in RESIZED
        units = modality.collate(rows, tuple(side + 2 for side in np.array([row.grid for row in rows]).max(0)))
        assert units.mask.flatten(1).sum(1).tolist() == [row.length for row in rows]

    def test_the_stem_leaves_padding_at_zero_and_knows_no_row_but_its_own(self, kind):
        modality, inputs = kind.example()
        rows = modality.encode(inputs)
        units = modality.collate(rows, tuple(side + 2 for side in np.array([row.grid for row in rows]).max(0)))
        stem = modality.stem(5)
        features = stem(units)
        assert features.states.shape == (*units.mask.shape, 5)
        assert not features.states[~units.mask].any()
        assert features.states[units.mask].any()
        fields = ("mask", "ids", "values", "ids_mask", "values_mask", "parts")
        turned = {name: None if (t := getattr(units, name)) is None else t.flip(0) for name in fields}
        torch.testing.assert_close(stem(replace(units, **turned)).states, features.states.flip(0))

    def test_what_it_learned_travels_as_files(self, kind):
        modality, inputs = kind.example()
        files = dict(modality.files())
        assert all(isinstance(content, bytes) and "/" not in name for name, content in files.items())
        again = kind.parse(modality.plain()).with_files(files)
        assert dict(again.files()) == files
        for one, other in zip(modality.encode(inputs), again.encode(inputs), strict=True):
            assert np.array_equal(one.ids, other.ids) if one.ids is not None else np.array_equal(one.values, other.values)

    def test_it_shows_where_its_units_stand(self, kind):
        """Doubles may leave it out; what stands on the shelf may not."""
        modality, inputs = kind.example()
        if kind not in SHELVES[Modality] or kind in RESIZED:
            with pytest.raises(CannotExplain):
                modality.shown(inputs[0])
            return
        for raw, row in zip(inputs, modality.encode(inputs), strict=True):
            shown = modality.shown(raw)
            assert shown.units.shape == (row.length, 2)
            assert (shown.units[:, 0] <= shown.units[:, 1]).all() and (shown.units <= len(shown.parts)).all()
            assert not isinstance(raw, str) or shown.text == raw
            ends = [place for part in shown.parts for place in part]
            assert ends == sorted(ends) and all(0 <= place <= len(shown.text) for place in ends)
            if any(shown.text):
                covered = {part for first, past in shown.units.tolist() for part in range(first, past)}
                assert row.cut or covered == set(range(len(shown.parts)))

    def test_it_says_where_in_a_picture_its_grid_lies(self, kind):
        modality, inputs = kind.example()
        encoded = modality.encode(inputs)
        if modality.reads != "pictures":
            with pytest.raises(CannotExplain):
                modality.covers(encoded[0])
            return
        for row in encoded:
            left, top, right, bottom = modality.covers(row)
            assert left < right and top < bottom

    def test_fitting_twice_gives_the_same(self, kind):
        modality, inputs = kind.example()
        first, second = modality.fit(inputs, seed=0), modality.fit(iter(inputs), seed=0)
        assert dict(first.files()) == dict(second.files())


def rows_with_gaps(width: int, grid: tuple[int, ...]) -> Features:
    torch.manual_seed(0)
    mask = torch.rand(4, *grid) < 0.6
    mask[0], mask[1] = True, False
    return Features(torch.randn(4, *grid, width) * mask.unsqueeze(-1), mask)


GRIDS = {1: (6,), 2: (2, 3)}
"""A small grid of so many axes."""


@pytest.mark.parametrize("kind", BACKBONES)
class TestBackbone:
    def test_padding_may_stand_anywhere(self, kind):
        """A row without any real unit, and gaps between real units, give finite states and gradients."""
        backbone = kind.example()
        for axes in backbone.grids:
            features = rows_with_gaps(backbone.stem_width, GRIDS[axes])
            states = features.states.requires_grad_()
            out = backbone.body(False).eval()(replace(features, states=states))
            assert out.states.shape == (*out.mask.shape, backbone.out_width)
            kept = features.mask if axes > 1 else features.mask[:, :: backbone.stride or 1]
            assert (axes > 1 and backbone.strides) or not backbone.stride or torch.equal(out.mask, kept)
            assert out.mask[0].all() and not out.mask[1].any()
            assert out.states.isfinite().all()
            assert not out.states[~out.mask].any()
            (gradient,) = torch.autograd.grad(out.states.square().sum(), states)
            assert gradient.isfinite().all()

    def test_rows_do_not_see_each_other(self, kind):
        backbone = kind.example()
        features = rows_with_gaps(backbone.stem_width, GRIDS[backbone.grids[0]])
        body = backbone.body(False).eval()
        alone = torch.cat([body(Features(features.states[n : n + 1], features.mask[n : n + 1])).states for n in range(4)])
        torch.testing.assert_close(alone, body(features).states, rtol=1e-5, atol=1e-6)

    def test_it_says_whether_two_passes_differ_while_training(self, kind):
        example = kind.example()
        rates = [name for name in kind.model_fields if name.endswith("dropout")]
        plain = example.model_copy(update=dict.fromkeys(rates, 0.0))
        features = rows_with_gaps(example.stem_width, GRIDS[example.grids[0]])
        for backbone in (plain, *(plain.model_copy(update={rate: 0.5}) for rate in rates)):
            body = backbone.body(False).train()
            assert torch.equal(body(features).states, body(features).states) is not backbone.drops


@pytest.mark.parametrize("kind", SHELVES[Task])
class TestTask:
    def test_targets_have_a_fixed_shape_but_for_the_first_axis(self, kind):
        example = kind.example()
        shapes = {tuple((k, t.ndim, t.shape[1:], t.dtype) for k, t in example.task.targets(r).items()) for r in example.records}
        assert len(shapes) == 1

    def test_fitting_again_changes_nothing(self, kind):
        example = kind.example()
        assert example.task.fit(example.records).described() == example.task.described()

    def test_metrics_have_distinct_names_and_read_evidence(self, kind):
        metrics = kind.example().task.metrics()
        assert metrics
        assert all(metric.columns for metric in metrics.values())


@pytest.mark.parametrize("kind", [kind for kind in BACKBONES if kind.grids == (1, 2)])
def test_a_second_axis_is_the_first_unrolled(kind):
    backbone = kind.example()
    features = rows_with_gaps(backbone.stem_width, (2, 3))
    body = backbone.body(False).eval()
    flat = body(Features(*features.flat()))
    torch.testing.assert_close(body(features).states.flatten(1, 2), flat.states)
