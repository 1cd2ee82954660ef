"""The agreement report of a study as it is kept and shown: what every key of its JSON holds.

Every figure is an Interval: value with its 95 % interval, the number behind it, and a reason where there is no value
or where the interval should not be relied on. Nothing is NaN. Names of readers, classes and experiments are text.
"""

from typing import Literal, NotRequired, TypedDict

# How the crops of a row came to be read. "random" are those that nobody's judgement chose; see docs/agreement.md.
Basis = Literal["random", "shared", "queue", "routed", "adjudicated", "dependent", "imported", "blind", "all"]


class Interval(TypedDict):
    """A figure: value, low and high are None where `reason` says so; n is items unless told otherwise."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str


class Group(Interval):
    """Nominal alpha of one group: over the headline's reads, and beside it over `all` blind reads (basis "blind").

    In `by_why` both are over all blind reads. `key` is stable (number of the experiment, reason, verdict, class),
    `name` is for people.
    """

    key: str
    name: str
    all: Interval


class Rate(Interval):
    """A share in [0, 1] with Wilson's interval over n reads."""

    key: str
    name: str


class NotSureWays(TypedDict):
    """Nominal alpha with "not sure" as a class of its own, as a missing read, and against all classes."""

    as_class: Interval
    as_missing: Interval
    sure_unsure: Interval


class Row(TypedDict):
    """Agreement over the reads of one basis; `crops` with a read, `reads`, `readers`, and `text` on what they are."""

    basis: Basis
    name: str
    text: str
    crops: int
    reads: int
    readers: int
    alpha: Interval
    percent: Interval
    ac1: Interval
    word: str


class Headline(Row):
    """The row that leads: "random" where it has a figure, else the next best (`is_random` False, `note` says why).

    `is_census`: the whole pool has been read, so that crops whose second reader was drawn by lot stand for it too.
    `over_experiments`: the same alpha with an interval over experiments (n of them): what other ones would change.
    `over_readers`: with an interval over readers and crops, from five readers on: what others like them would change.
    """

    is_random: bool
    is_census: bool
    note: str
    fleiss_kappa: Interval
    over_experiments: Interval
    over_readers: Interval


class NotSure(TypedDict):
    """Not sure, three ways: over the headline's reads and over all blind ones. The rates are over all blind reads."""

    headline: NotSureWays
    all: NotSureWays
    rate: Interval
    by_reader: list[Rate]
    by_class: list[Rate]
    by_experiment: list[Rate]


class PerClass(Group):
    """Alpha of one class against all others; `reads` of it on the headline's shared crops."""

    reads: int


class Pair(TypedDict):
    """Two readers over all blind reads: n crops both read, share of equal answers, and Cohen's kappa."""

    a: str
    b: str
    n: int
    agreement: Interval
    kappa: Interval


class PairConfusion(TypedDict):
    """counts[i][j]: crops that reader a called labels[i] and reader b labels[j]; labels stand in `labels`."""

    a: str
    b: str
    n: int
    counts: list[list[int]]


class Confusions(TypedDict):
    """`labels` are keys of classes, the last may be "(not sure)"; `left_out`: pairs beyond the 300 sharing most."""

    labels: list[str]
    pairs: list[PairConfusion]
    left_out: int


class Intra(TypedDict):
    """A reader against their own blind re-reads: n crops read again, share of equal answers, alpha."""

    reader: str
    n: int
    percent: Interval
    alpha: Interval


class Window(Interval):
    """Alpha in one window of 50 shared crops in the order of their second read; `start` and `end` are ISO 8601."""

    basis: Literal["random", "all"]
    start: str
    end: str
    crops: int


class SuspectRow(TypedDict):
    """What stands out in a reader's answers; see `suspects.Suspect`."""

    annotator: str
    kind: str
    n: int
    rate: float
    others: float
    z: float
    text: str
    classes: list[str] | None


class Reader(TypedDict):
    """One reader over all blind reads: `n` answers on classes or not sure.

    `reliability`: share of answers that name what more than half of the crop's other readers named (n crops);
    `confusion[i][j]`: how often the others said labels[i] and this reader labels[j] (see `confusions.labels`).
    `competence`: chance that the answer rests on the crop and not on habit, by the model MACE (n crops), where the
    consensus model is identifiable.
    """

    id: int
    name: str
    simulated: bool
    n: int
    not_sure: Interval
    reliability: Interval
    competence: Interval
    confusion: list[list[int]]
    suspects: list[SuspectRow]


class DisputedCrop(TypedDict):
    """A crop whose readers named different classes, none of which more than half of them named."""

    crop: int
    key: str
    experiment: str
    votes: dict[str, int]
    reads: int


class ConsensusPart(TypedDict):
    """counts: crops by `agreed` (all named one class), `majority`, `disputed`, `not_sure`, `single` (one read), and
    `with_posterior`. disputed: the newest 200."""

    counts: dict[str, int]
    disputed: list[DisputedCrop]


class DawidSkenePart(TypedDict):
    """The consensus model; `reason` says why there is none or what limits it, `left_out` which readers it does not
    know well enough (fewer than 30 shared crops)."""

    reason: str
    readers: list[str]
    left_out: list[str]
    labels: list[str]
    prevalence: dict[str, float]
    confusion: dict[str, list[list[float | None]]]
    log_likelihood: float | None
    best_log_likelihood: float | None
    would_change: list[dict[str, str]]
    would_change_count: int


class State(TypedDict):
    """What the report knows: the number of the newest answer, a digest of the classes and of the settings that say
    which crops are read twice, how many answers there were, and the name of the basis that led before the present
    one, where there was another."""

    newest: int
    setup: str
    answers: int
    rested_on: NotRequired[str]


class AgreementData(TypedDict):
    """The whole report; `labels` maps keys of classes to their names, `left_out` counts dependent answers."""

    headline: Headline
    rows: list[Row]
    not_sure: NotSure
    per_class: list[PerClass]
    pairs: list[Pair]
    confusions: Confusions
    intra: list[Intra]
    by_experiment: list[Group]
    by_why: list[Group]
    by_quality: list[Group]
    over_time: list[Window]
    readers: list[Reader]
    consensus: ConsensusPart
    dawid_skene: DawidSkenePart
    suspects: list[SuspectRow]
    labels: dict[str, str]
    left_out: int
    simulated: bool
    state: State
