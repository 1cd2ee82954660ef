"""Queries whose SQL is composed once: composing one takes ten times as long as asking it.

For the few that run with every answer or many times a second; everywhere else plain queries read better. It stands
in the lowest app so that every app may use it, and knows no table.
"""

import json
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import connection, models
from django.db.models import QuerySet

Rows = list[tuple[Any, ...]]
# What stands at each place of a statement: the name of a slot, or "" and a value that is always the same.
Places = tuple[tuple[str, Any], ...]
Table = TypeVar("Table", bound=models.Model)
# The largest number of a row; a larger one is in no column, and a database's driver may choke on it.
LARGEST_NUMBER = 2**63 - 1
# Values that stand for a list while its statement is composed.
LIST_MARKS = 2
AMONG = {"postgresql": "= ANY(%s)", "sqlite": "IN (SELECT value FROM json_each(%s))"}
# For each connection: what executes the plan of each statement.
_PLANS: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Bound:
    """SQL with its values; `read` makes of its rows what the caller wants."""

    sql: str
    values: Sequence[Any] = ()
    read: Callable[[Sequence[Sequence[Any]]], Iterable[Sequence[Any]]] = list


def ask_all(*asked: Bound) -> list[Rows]:
    """The rows of each, in order, as if asked one after the other: each sees what those before it wrote.

    PostgreSQL gets all in one message, as the names of plans that were made once: what a short query costs there is
    the way to the server and back, and the plan.
    """
    if not asked:
        return []
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            return [_executed(cursor, one) for one in asked]
        cursor.execute("; ".join(cursor.mogrify(_planned(cursor, one), one.values) for one in asked))
        found = [_fetched(cursor, asked[0])]
        for one in asked[1:]:
            cursor.nextset()
            found.append(_fetched(cursor, one))
        return found


def _planned(cursor: Any, one: Bound) -> str:
    """SQL that executes the plan of a statement, which is made where this connection has none yet."""
    # Behind a pooler that shares connections a plan would be looked for on another one.
    if connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        return one.sql
    plans = _PLANS.setdefault(connection.connection, {})
    if one.sql not in plans:
        name, (text, *texts) = f"parfocal_{len(plans)}", one.sql.split("%s")
        numbered = (f"${number}{rest}" for number, rest in enumerate(texts, 1))
        cursor.execute(f"PREPARE {name} AS {''.join([text, *numbered])}")
        plans[one.sql] = f"EXECUTE {name}" + (f"({', '.join(['%s'] * len(texts))})" if texts else "")
    return plans[one.sql]


def _executed(cursor: Any, one: Bound) -> Rows:
    cursor.execute(one.sql, one.values)
    return _fetched(cursor, one)


def _fetched(cursor: Any, one: Bound) -> Rows:
    return [tuple(row) for row in one.read(cursor.fetchall())] if cursor.description else []


@dataclass(frozen=True, slots=True)
class _Composed:
    """SQL, what stands at each of its places, and how to read its rows."""

    sql: str
    places: Places
    read: Callable[[Sequence[Sequence[Any]]], Iterable[Sequence[Any]]]


class Statement:
    """A query of values with named slots, asked again and again: `Statement(build, study=int, now=datetime)`.

    `build` gets a value for each slot by name and returns a QuerySet with `values_list`; it must do so for any
    values alike. Slots are of type int, str, datetime, UUID, or list (of int), which stands after `in` only.
    `ask(study=5, now=...)` returns the rows as tuples; `of(...)` is the same, to be asked with others by `ask_all`.
    An empty list matches nothing, as in a QuerySet.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], **slots: type) -> None:
        self._build = build
        self._slots = slots
        self._composed: dict[str, _Composed] = {}

    def ask(self, **given: Any) -> Rows:
        """The rows for these values, by one query."""
        return ask_all(self.of(**given))[0]

    def of(self, **given: Any) -> Bound:
        """The statement with these values."""
        if connection.vendor not in self._composed:
            self._composed[connection.vendor] = self._compose()
        composed = self._composed[connection.vendor]
        values = {name: _adapt(given[name]) for name in self._slots}
        places = [values[name] if name else fixed for name, fixed in composed.places]
        return Bound(composed.sql, places, composed.read)

    def _compose(self) -> _Composed:
        marks = {name: _marks(kind) for name, kind in self._slots.items()}
        rows = self._build(**{name: made if self._slots[name] is list else made[0] for name, made in marks.items()})
        compiler = rows.query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        named = {_adapt(mark): name for name, made in marks.items() for mark in made}
        places = tuple((named.get(value, ""), value) for value in params)
        converters = compiler.get_converters([column for column, _, _ in compiler.select])

        def read(found: Sequence[Sequence[Any]]) -> Iterable[Sequence[Any]]:
            return compiler.apply_converters(found, converters) if converters else found

        return _Composed(*self._with_lists(sql, places), read)

    def _with_lists(self, sql: str, places: Places) -> tuple[str, Places]:
        """The same with one place for each list, whatever its length."""
        text, *texts = sql.split("%s")
        kept, at = [], 0
        while at < len(places):
            kept.append(places[at])
            is_list = self._slots.get(places[at][0]) is list
            # Its marks stand side by side: IN (%s, %s).
            at += LIST_MARKS if is_list else 1
            text = text.removesuffix("IN (") + AMONG[connection.vendor] if is_list else text + "%s"
            text += texts[at - 1].removeprefix(")") if is_list else texts[at - 1]
        return text, tuple(kept)


class Insertion(Generic[Table]):
    """`Insertion(Table).add(row)`: stores new rows of a table by SQL that is composed once."""

    def __init__(self, table: type[Table]) -> None:
        self._fields = [field for field in table._meta.concrete_fields if not isinstance(field, models.AutoField)]
        names = ", ".join(f'"{field.column}"' for field in self._fields)
        places = ", ".join(["%s"] * len(self._fields))
        key = table._meta.pk.column
        self._sql = f'INSERT INTO "{table._meta.db_table}" ({names}) VALUES ({places}) RETURNING "{key}"'

    def of(self, row: Table) -> Bound:
        """The row to be stored with `ask_all`; unlike `save` it calls no signals. `stored` gives it its key then."""
        cells = [
            field.get_db_prep_save(field.pre_save(row, add=True), connection=connection) for field in self._fields
        ]
        return Bound(self._sql, cells)

    def add(self, row: Table) -> Table:
        """The row, stored, with its key."""
        return stored(row, ask_all(self.of(row))[0])


def stored(row: Table, keys: Rows) -> Table:
    """The row with the key that its insertion gave back."""
    row.pk = keys[0][0]
    row._state.adding, row._state.db = False, connection.alias
    return row


def columns(table: type[models.Model]) -> list[str]:
    """Names of all columns of a table, for a statement whose rows `records` reads."""
    return [field.attname for field in table._meta.concrete_fields]


def records(table: type[Table], rows: Rows, names: Sequence[str] | None = None) -> list[Table]:
    """Objects of the table from rows of all its `columns`, or of those named; others are read when they are used."""
    names = columns(table) if names is None else names
    return [table.from_db(connection.alias, names, row) for row in rows]


def _marks(kind: type) -> list[Any]:
    """Values that nobody else uses, by which a slot is found again among the parameters of a statement."""
    # Within the range of any integer column, or the query would be known to match nothing.
    first = 2**30 + secrets.randbelow(2**29)
    numbers = range(first, first + (LIST_MARKS if kind is list else 1))
    if kind is datetime:
        return [datetime(1901, 1, 1, tzinfo=UTC) + timedelta(microseconds=number) for number in numbers]
    if kind is UUID:
        return [UUID(int=number) for number in numbers]
    return [str(number) if kind is str else number for number in numbers]


def _adapt(value: Any) -> Any:
    """The value as the database's driver takes it."""
    if isinstance(value, Collection) and not isinstance(value, str):
        return list(value) if connection.vendor == "postgresql" else json.dumps(list(value))
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return value
