"""Agreement coefficients by their definitions, in plain loops: a second opinion for the vectorised ones."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations, permutations

Units = list[list[int]]
NAN = float("nan")
Weight = Callable[[int, int], float]


def units_of(codes: Sequence[Sequence[int]]) -> Units:
    """The reads of each item that has any."""
    units = [[int(code) for code in row if code >= 0] for row in codes]
    return [unit for unit in units if unit]


def same(a: int, b: int) -> float:
    return float(a == b)


def percent(units: Units, weight: Weight = same) -> float:
    shares = [
        sum(weight(a, b) for a, b in permutations(unit, 2)) / (len(unit) * (len(unit) - 1))
        for unit in units
        if len(unit) > 1
    ]
    return sum(shares) / len(shares) if shares else NAN


def mean_shares(units: Units) -> dict[int, float]:
    labels = sorted({label for unit in units for label in unit})
    return {k: sum(unit.count(k) / len(unit) for unit in units) / len(units) for k in labels}


def corrected(observed: float, chance: float) -> float:
    return (observed - chance) / (1 - chance) if abs(1 - chance) > 1e-12 else NAN


def fleiss(units: Units, weight: Weight = same) -> float:
    shares = mean_shares(units)
    chance = sum(weight(k, m) * shares[k] * shares[m] for k in shares for m in shares)
    return corrected(percent(units, weight), chance) if units else NAN


def gwet(units: Units, weight: Weight = same) -> float:
    shares = mean_shares(units)
    if len(shares) < 2:
        return NAN
    total = sum(weight(k, m) for k in shares for m in shares)
    chance = total * sum(p * (1 - p) for p in shares.values()) / (len(shares) * (len(shares) - 1))
    return corrected(percent(units, weight), chance)


def brennan_prediger(units: Units, weight: Weight = same) -> float:
    labels = list(mean_shares(units))
    if len(labels) < 2:
        return NAN
    chance = sum(weight(k, m) for k in labels for m in labels) / len(labels) ** 2
    return corrected(percent(units, weight), chance)


def conger(codes: Sequence[Sequence[int]], weight: Weight = same) -> float:
    """Chance: two different annotators, each drawing from their own use of the labels."""
    readers = [[int(code) for code in column if code >= 0] for column in zip(*codes)]
    readers = [reads for reads in readers if reads]
    if len(readers) < 2:
        return NAN
    uses = [{k: n / len(reads) for k, n in Counter(reads).items()} for reads in readers]
    pairs = list(combinations(uses, 2))
    chance = sum(weight(k, m) * p * q for a, b in pairs for k, p in a.items() for m, q in b.items()) / len(pairs)
    return corrected(percent(units_of(codes), weight), chance)


def alpha(units: Units, distance: Callable[[int, int, Counter[int]], float]) -> float:
    """1 - mean distance within items / mean distance of any two reads (Krippendorff 2011)."""
    shared = [unit for unit in units if len(unit) > 1]
    reads = [label for unit in shared for label in unit]
    uses = Counter(reads)
    within = sum(sum(distance(a, b, uses) for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in shared)
    anywhere = sum(distance(a, b, uses) for a, b in permutations(reads, 2))
    return 1 - (len(reads) - 1) * within / anywhere if anywhere else NAN


def nominal(a: int, b: int, uses: Counter[int]) -> float:
    return float(a != b)


def ordinal(a: int, b: int, uses: Counter[int]) -> float:
    low, high = min(a, b), max(a, b)
    between = sum(uses[g] for g in range(low, high + 1))
    return (between - (uses[a] + uses[b]) / 2) ** 2


def interval(a: int, b: int, uses: Counter[int]) -> float:
    return float((a - b) ** 2)


def ratio(a: int, b: int, uses: Counter[int]) -> float:
    """Codes stand for 1, 2, ..."""
    return ((a - b) / (a + b + 2)) ** 2


def cohen(a: Sequence[int], b: Sequence[int]) -> float:
    pairs = [(x, y) for x, y in zip(a, b) if x >= 0 and y >= 0]
    if not pairs:
        return NAN
    chance = sum(x == y for x, _ in pairs for _, y in pairs) / len(pairs) ** 2
    return corrected(sum(x == y for x, y in pairs) / len(pairs), chance)


def scott(a: Sequence[int], b: Sequence[int]) -> float:
    pairs = [(x, y) for x, y in zip(a, b) if x >= 0 and y >= 0]
    reads = [label for pair in pairs for label in pair]
    if not pairs:
        return NAN
    chance = sum((n / len(reads)) ** 2 for n in Counter(reads).values())
    return corrected(sum(x == y for x, y in pairs) / len(pairs), chance)
