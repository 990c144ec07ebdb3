"""SQLAlchemy over psycopg2, psycopg and asyncpg's dialects of it; reflection; pandas."""

import sys
from typing import Any

import pandas
import sqlalchemy
from sqlalchemy import MetaData, Table, func, select
from sqlalchemy.exc import DBAPIError, NoSuchTableError

import answers
from sqlalchemy_engine import engine


def guarded(run: Any) -> Any:
    def attempt() -> Any:
        try:
            return run()
        except DBAPIError as error:
            code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
            raise answers.Failed(code or str(error.orig)) from error
        except NoSuchTableError as error:
            raise answers.Failed(f"no such table {error}") from error
    return attempt


def reflected(on: sqlalchemy.Engine) -> list:
    inspector = sqlalchemy.inspect(on)
    columns = [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns("samples", "every_type")]
    return [
        "every_type" in inspector.get_schema_names(),
        inspector.get_table_names("every_type") + inspector.get_view_names("every_type"),
        columns,
        inspector.get_pk_constraint("samples", "every_type")["constrained_columns"],
        inspector.get_foreign_keys("samples", "every_type"),
        inspector.get_indexes("samples", "every_type"),
    ]


def by_expressions(on: sqlalchemy.Engine) -> list:
    """Statements that SQLAlchemy writes from a reflected table."""
    samples = Table("samples", MetaData(), autoload_with=on, schema="every_type")
    with on.connect() as connection:
        few = select(samples.c.id, samples.c.label).where(samples.c.big >= 7).order_by(samples.c.id.desc()).limit(2)
        ids = select(samples.c.id).where(samples.c.id.in_([1, 3, 99])).order_by(samples.c.id)
        flags = select(samples.c.flag, func.count().label("n"), func.max(samples.c.price)).group_by(samples.c.flag)
        days = select(samples.c.id).where(samples.c.day.between("2000-01-01", "2030-01-01"))
        return [connection.execute(few).all(), connection.execute(ids).all(),
                sorted(map(str, connection.execute(flags).all())), connection.execute(days).all()]


def streamed(on: sqlalchemy.Engine) -> int:
    """By a cursor on the server, in parts."""
    with on.connect().execution_options(stream_results=True, max_row_buffer=100) as connection:
        rows = connection.exec_driver_sql("select n from generate_series(1, 1000) as g(n)")
        return sum(row[0] for part in rows.partitions(64) for row in part)


def frames(on: sqlalchemy.Engine) -> list:
    frame = pandas.read_sql("select id, flag, number, double, label, day, moment, instant from every_type.samples order by id", on)
    parts = list(pandas.read_sql("select n from generate_series(1, 10) as g(n)", on, chunksize=4))
    named = pandas.read_sql_table("samples", on, schema="every_type", columns=["id", "price"])
    return [frame.dtypes.astype(str).to_dict(), frame.to_dict("list"), [len(part) for part in parts],
            sorted(map(str, named.to_dict("records")))]


def main() -> None:
    sys.stdin.read()
    for driver in ("psycopg2", "psycopg"):
        on = engine(driver)
        for run in (reflected, by_expressions, streamed, frames):
            answers.attempt(run.__name__, guarded(lambda: run(on)), driver)
        on.dispose()


main()
