"""What the log says of refusals: one line each, since nothing went wrong in the site."""

import logging


class OneLineRefusals(logging.Filter):
    """Takes the traceback off what Django logs of a request that was refused (a status below 500)."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: every record is kept."""
        if getattr(record, "status_code", 500) < 500:
            record.exc_info = record.exc_text = None
        return True
