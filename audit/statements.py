"""Queries whose SQL is composed once: composing one takes ten times as long as asking it.

For the few that run with every answer or many times a second; everywhere else plain queries read better. It stands
in the lowest app so that every app may use it, and knows no table.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection, models
from django.db.models import QuerySet

# Lists are filled up to one of these lengths, so that few statements are composed; longer ones double on.
SHORTEST_LIST = 16

Rows = list[tuple[Any, ...]]
Table = TypeVar("Table", bound=models.Model)


@dataclass(frozen=True, slots=True)
class _Composed:
    """SQL, what stands at each of its places (a fixed value, or the name of a slot), and how to read its rows."""

    sql: str
    places: tuple[tuple[str, Any], ...]
    read: Callable[[Sequence[Sequence[Any]]], Iterable[Sequence[Any]]]


class Statement:
    """A query of values with named slots, asked again and again: `Statement(build, study=int, now=datetime)`.

    `build` gets a value for each slot by name and returns a QuerySet with `values_list`; it must do so for any
    values alike. Slots are of type int, str, datetime, UUID, or list (of int). `ask(study=5, now=...)` returns the
    rows as tuples; an empty list matches nothing, as in a QuerySet.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], **slots: type) -> None:
        self._build = build
        self._slots = slots
        self._composed: dict[tuple[Any, ...], _Composed] = {}

    def ask(self, **given: Any) -> Rows:
        """The rows for these values; one query, none where a list is empty."""
        lists = {name: _filled(given[name]) for name, kind in self._slots.items() if kind is list}
        if not all(lists.values()):
            return []
        key = (connection.vendor, *(len(values) for values in lists.values()))
        if key not in self._composed:
            self._composed[key] = self._compose({name: len(values) for name, values in lists.items()})
        composed, values = self._composed[key], self._adapted(given | lists)
        with connection.cursor() as cursor:
            cursor.execute(composed.sql, [values[name] if name else fixed for name, fixed in composed.places])
            return [tuple(row) for row in composed.read(cursor.fetchall())]

    def _compose(self, lengths: Mapping[str, int]) -> _Composed:
        marks = {name: _marks(kind, lengths.get(name, 1)) for name, kind in self._slots.items()}
        rows = self._build(**{name: made if self._slots[name] is list else made[0] for name, made in marks.items()})
        compiler = rows.query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        named = {
            adapted: f"{name}[{number}]"
            for name, made in marks.items()
            for number, adapted in enumerate(_adapt(mark) for mark in made)
        }
        converters = compiler.get_converters([column for column, _, _ in compiler.select])

        def read(found: Sequence[Sequence[Any]]) -> Iterable[Sequence[Any]]:
            return compiler.apply_converters(found, converters) if converters else found

        return _Composed(sql, tuple((named.get(value, ""), value) for value in params), read)

    def _adapted(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            f"{name}[{number}]": _adapt(value)
            for name, kind in self._slots.items()
            for number, value in enumerate(given[name] if kind is list else (given[name],))
        }


class Insertion(Generic[Table]):
    """`Insertion(Table).add(row)`: stores new rows of a table by SQL that is composed once."""

    def __init__(self, table: type[Table]) -> None:
        self._fields = [field for field in table._meta.concrete_fields if not isinstance(field, models.AutoField)]
        names = ", ".join(f'"{field.column}"' for field in self._fields)
        places = ", ".join(["%s"] * len(self._fields))
        key = table._meta.pk.column
        self._sql = f'INSERT INTO "{table._meta.db_table}" ({names}) VALUES ({places}) RETURNING "{key}"'

    def add(self, row: Table) -> Table:
        """The row, stored, with its key. Unlike `save` it calls no signals."""
        cells = [
            field.get_db_prep_save(field.pre_save(row, add=True), connection=connection) for field in self._fields
        ]
        with connection.cursor() as cursor:
            cursor.execute(self._sql, cells)
            row.pk = cursor.fetchone()[0]
        row._state.adding, row._state.db = False, connection.alias
        return row


def columns(table: type[models.Model]) -> list[str]:
    """Names of all columns of a table, for a statement whose rows `records` reads."""
    return [field.attname for field in table._meta.concrete_fields]


def records(table: type[Table], rows: Rows, names: Sequence[str] | None = None) -> list[Table]:
    """Objects of the table from rows of all its `columns`, or of those named; others are read when they are used."""
    names = columns(table) if names is None else names
    return [table.from_db(connection.alias, names, row) for row in rows]


def _filled(values: Iterable[int]) -> list[int]:
    """The values, filled up by the first of them: the statement of one length serves many."""
    found = list(values)
    length = SHORTEST_LIST
    while length < len(found):
        length *= 2
    return found + found[:1] * (length - len(found)) if found else []


def _marks(kind: type, count: int) -> list[Any]:
    """Values that nobody else uses, by which a slot is found again among the parameters of a statement."""
    # Within the range of any integer column, or the query would be known to match nothing.
    first = 2**30 + secrets.randbelow(2**29)
    numbers = range(first, first + count)
    if kind is datetime:
        return [datetime(1901, 1, 1, tzinfo=UTC) + timedelta(microseconds=number) for number in numbers]
    if kind is UUID:
        return [UUID(int=number) for number in numbers]
    return [str(number) if kind is str else number for number in numbers]


def _adapt(value: Any) -> Any:
    """The value as the database's driver takes it."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return value
