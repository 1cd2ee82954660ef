"""The log has a line for a refusal and the whole story of an error."""

import io
import logging

import pytest
from django.conf import settings

from config.logs import OneLineRefusals


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_is_one_line_and_an_error_keeps_its_traceback(status: int) -> None:
    stream = io.StringIO()
    handler, logger = logging.StreamHandler(stream), logging.Logger("request")
    handler.addFilter(OneLineRefusals())
    logger.addHandler(handler)
    try:
        raise PermissionError("no lead")
    except PermissionError as error:
        logger.warning("Forbidden: %s", "/studies/1/", exc_info=error, extra={"status_code": status})
    assert stream.getvalue().startswith("Forbidden: /studies/1/\n")
    assert (len(stream.getvalue().splitlines()) == 1) == (status < 500)
    assert ("Traceback" in stream.getvalue()) == (status == 500)


def test_the_site_logs_through_it() -> None:
    assert settings.LOGGING["handlers"]["stderr"]["filters"] == ["refusals"]
