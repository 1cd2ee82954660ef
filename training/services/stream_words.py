"""What a report of the random stream means, in plain sentences with their figures, and what to do next."""

from dataclasses import dataclass
from typing import Any

from training.learning.stopping import GO_ON, PLANNED, REFUSED, STOP, UNSURE
from training.learning.stream_judgement import HELPS, OPEN, SAME, WORSE
from training.services.stream_plot import plot_of

TONES = {HELPS: "good", STOP: "good", WORSE: "bad"}
# Two ways of counting that differ by less say the same.
DIFFERENT = 0.01


@dataclass(frozen=True, slots=True)
class Said:
    """A question with its answer: a word in a tone (good, bad or ""), a sentence, and what to do next."""

    question: str
    word: str
    tone: str
    text: str
    next: str


def shown_of(content: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of a report: its figures, the questions in words, the plot."""
    figures, said = content["accuracy"], content["forecast"]
    pairs = [("balanced", "balanced_unweighted"), ("share", "share_unweighted")]
    return {
        "content": content,
        "pace": content["pace"],
        "questions": questions(content),
        "comparisons": [
            row | {"text": signed(row["difference"]), "n": row["difference"]["n"]} for row in content["queue"]["rows"]
        ],
        "weights_matter": bool(figures) and any(differs(figures[one], figures[other]) for one, other in pairs),
        "plot": plot_of(said) if said else None,
    }


def questions(content: dict[str, Any]) -> list[Said]:
    """The three questions of the page, in the order in which a lead asks."""
    return [stopping(content), queue(content), soft_labels(content)]


def queue(content: dict[str, Any]) -> Said:
    """Is the queue worth it?"""
    judged, tested = content["queue"], content["stream"]["tested"]
    word = {HELPS: "Yes", WORSE: "No, it does worse", SAME: "No difference seen", OPEN: "Cannot be judged yet"}
    question, verdict = "Is the queue worth it?", judged["verdict"]
    if not judged["rows"]:
        needed = judged["needed"]
        text = f"There are {judged['reason']}."
        if needed:
            text = f"Cannot be judged before about {needed} random checks with a class; there are {tested}."
        step = more_checks(content, needed) if needed else "Go on reading: the queue's answers come by themselves."
        return Said(question, word[OPEN], "", text, step)
    row = judged["rows"][-1]
    gap = row["difference"]
    text = (
        f"Learning from {row['size']} answers of the queue instead of {row['size']} random ones changes balanced "
        f"accuracy by {signed(gap)}, judged on {gap['n']} random checks."
    )
    step = more_checks(content, judged["needed"])
    if verdict == OPEN:
        text += f" The interval is too wide for a verdict: about {judged['needed']} random checks would do."
    elif verdict == WORSE:
        step = "Choose another strategy in the settings of the study, or random."
    return Said(question, word[verdict], TONES.get(verdict, ""), text, step)


def stopping(content: dict[str, Any]) -> Said:
    """Can I stop?"""
    question, said = "Can I stop?", content["forecast"]
    if said is None:
        text = f"Too few stream answers: {content['stream']['tested']} of about {PLANNED}."
        return Said(question, "Cannot be said yet", "", text, more_checks(content, PLANNED))
    if said["advice"] == REFUSED:
        text = f"{said['reason'].capitalize()}."
        if said["needed"]:
            text = f"{said['reason'].capitalize()}: {content['stream']['tested']} of about {said['needed']}."
        return Said(question, "Cannot be said yet", "", text, more_checks(content, said["needed"]))
    word = {STOP: "Yes", GO_ON: "Not yet", UNSURE: "Perhaps"}[said["advice"]]
    gain, half = said["gain"], points(said["half_width"])
    text = f"{said['more']} more labels would bring {signed(gain)} of balanced accuracy{_price(content)}."
    if said["advice"] == STOP:
        text += f" That is less than the present accuracy is uncertain by (±{half})."
        return Said(question, word, "good", text, "Stop, or ask a new question; train a model and read its report.")
    if said["advice"] == UNSURE:
        text += f" That is little, but the present accuracy itself is known to ±{half} only."
        return Said(question, word, "", text, more_checks(content, said["needed"]))
    return Said(question, word, "", text, "Go on reading.")


def soft_labels(content: dict[str, Any]) -> Said:
    """Should "not sure" teach?"""
    question, judged = "Should “not sure” teach, as half one class and half another?", content["soft_labels"]
    if judged is None or judged["difference"]["value"] is None:
        why = judged["reason"] if judged else "too few random checks with a class"
        return Said(
            question, "Cannot be judged yet", "", f"{why[0].upper()}{why[1:]}.", "Leave it off, as it is by default."
        )
    word = {HELPS: "Yes", WORSE: "No, it does worse", SAME: "No difference seen", OPEN: "Cannot be judged yet"}
    text = (
        f"Measured on your stream: teaching the {judged['unsure']} crops that somebody could not tell changes "
        f"balanced accuracy by {signed(judged['difference'])}, on {judged['difference']['n']} random checks."
    )
    step = "Turn it on in the settings of the study." if judged["verdict"] == HELPS else "Leave it off."
    return Said(question, word[judged["verdict"]], TONES.get(judged["verdict"], ""), text, step)


def more_checks(content: dict[str, Any], needed: int | None) -> str:
    """How many more random checks it takes, and how long reading them takes where the pace is known."""
    missing = max(0, (needed or 0) - content["stream"]["tested"])
    if not missing:
        return ""
    pace = content["pace"]
    if pace["seconds"] is None:
        return f"{missing} more random checks."
    return (
        f"{missing} more random checks, {duration(missing * pace['reads_per_check'] * pace['seconds'])} of reading."
    )


def duration(seconds: float) -> str:
    """Seconds as people say them: "about 20 minutes", "about 3 hours"."""
    if seconds < 90:
        return "about a minute"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {round(seconds / 3600)} hours"


def points(value: float) -> str:
    """A difference of shares in points of a hundred, with its word."""
    return f"{100 * value:.1f} points"


def signed(gap: dict[str, Any]) -> str:
    """A difference with its interval, in points of a hundred."""
    value = _sign(gap["value"])
    if gap["low"] is None:
        return f"{value} points (no interval: {gap['reason']})"
    return f"{value} points [{_sign(gap['low'])} to {_sign(gap['high'])}]"


def _sign(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def differs(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two estimates of one thing differ by a point or more."""
    values = (first["value"], second["value"])
    return None not in values and abs(values[0] - values[1]) >= DIFFERENT


def _price(content: dict[str, Any]) -> str:
    pace, more = content["pace"], content["forecast"]["more"]
    if pace["seconds"] is None:
        return ""
    return f", for {duration(more * pace['reads_per_label'] * pace['seconds'])} of reading"
