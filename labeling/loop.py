"""What is due in the labeling app, as (task name, number of the row)."""

from labeling.services.agreement import reports_due

AGREEMENT = "labeling.tasks.agreement_task"


def what_is_due() -> list[tuple[str, int]]:
    """Agreement reports that answers, classes or settings have made old; doing it twice is harmless."""
    return [(AGREEMENT, pk) for pk in reports_due()]
