"""The API is fuzzed from its own description at length."""

from __future__ import annotations

import pytest

from tests.serving import house
from tests.serving.test_schemas import fuzzed


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_nothing_that_the_description_leads_to_is_a_500():
    fuzzed(house.settings(house.bundle(), house.writing_bundle(), written_units=16), 200)
