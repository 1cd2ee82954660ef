"""What a study refuses its leads; a file of its own, so that each part of a study can raise it."""


class StudyRefused(ValueError):
    """The study cannot be made or changed so; the message says why and what to do."""


# Why a crop may have fewer reads than its page shows.
WHAT_COUNTS = "Answers of readers who are left out, or to a class that was split, count for nothing."
