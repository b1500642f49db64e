from __future__ import annotations

from http import HTTPStatus

import pytest

from zhuji.core.errors import catalogue
from zhuji.core.refusals import Refused, ServingError

REFUSALS = [error for error in catalogue().values() if issubclass(error, ServingError)]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: error.__name__)
def test_each_has_a_status_of_http(error):
    assert HTTPStatus(error.http).value == error.http and error.exit_code == 6


def test_one_may_have_another_status_and_names_what_it_is_about():
    error = Refused(rule="a must be b", fix="write b", status=415, param="a")
    assert (error.status, Refused.http, error.param) == (415, 400, "a")
    assert error.message("en") == "a must be b. Fix: write b"
