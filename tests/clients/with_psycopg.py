"""psycopg 3: values in text and in binary, prepared; pipelines, cursors on the server, COPY by rows and by blocks."""

from typing import Any

import psycopg

import answers


def executor(connection: psycopg.Connection, binary: bool) -> answers.Execute:
    def execute(sql: str, values: tuple) -> tuple[Any, list]:
        with connection.cursor(binary=binary) as cursor:
            # Without values a `%` is no placeholder. What has some is prepared at once.
            cursor.execute(sql, values or None, prepare=bool(values))
            columns = [(column.name, column.type_code, column.internal_size, column.precision, column.scale)
                       for column in cursor.description]
            return (columns, cursor.statusmessage), [list(row) for row in cursor.fetchall()]

    def guarded(sql: str, values: tuple) -> tuple[Any, list]:
        try:
            return execute(sql, values)
        except psycopg.DataError as error:
            # psycopg's own, for what Python has no value for, has no code.
            raise answers.Failed(error.sqlstate or "of the driver: DataError") from error
        except psycopg.Error as error:
            raise answers.Failed(error.sqlstate) from error
    return guarded


def in_transactions(connection: psycopg.Connection) -> list:
    came = []
    with connection.transaction():
        came.append(connection.execute("select 1").fetchone())
        try:
            with connection.transaction():
                connection.execute("select 1/0")
        except psycopg.errors.DivisionByZero as error:
            came += [error.sqlstate, connection.info.transaction_status.name]
        came.append(connection.execute("select 2").fetchone())
    came.append(connection.info.transaction_status.name)
    return came


def pipelined(connection: psycopg.Connection) -> list:
    with connection.pipeline():
        cursors = [connection.execute("select %s::int4 * 2 as a", (n,)) for n in range(50)]
        return [cursor.fetchone() for cursor in cursors]


def by_server_cursor(connection: psycopg.Connection) -> list:
    came = []
    with connection.transaction(), connection.cursor("by name", scrollable=True) as cursor:
        cursor.itersize = 7
        cursor.execute("select n, n::text as t from generate_series(1, 20) as g(n) order by n")
        came.append(cursor.fetchmany(3))
        cursor.scroll(5)
        came.append(cursor.fetchone())
        cursor.scroll(0, mode="absolute")
        came.append(list(cursor))
    return came


def copied(connection: psycopg.Connection) -> list:
    sql = "copy (select id, label, price, instant, words from every_type.samples order by id) to stdout"
    came = []
    with connection.cursor() as cursor:
        with cursor.copy(sql) as copy:
            came.append([bytes(block) for block in copy])
        came.append(cursor.statusmessage)
        with cursor.copy(f"{sql} (format binary)") as copy:
            copy.set_types(["int4", "text", "numeric", "timestamptz", "text[]"])
            came.append(list(copy.rows()))
    return came


def guarded(run: Any, connection: psycopg.Connection) -> Any:
    try:
        return run(connection)
    except psycopg.Error as error:
        raise answers.Failed(error.sqlstate) from error


def main() -> None:
    questions = answers.read_questions()
    # libpq reads the variables that compare.py sets.
    with psycopg.connect("", autocommit=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for way, binary, mark in (("text", False, "%t"), ("binary", True, "%b")):
            answers.ask(questions, executor(connection, binary), mark, way)
        for run in (in_transactions, pipelined, by_server_cursor, copied):
            answers.attempt(run.__name__, lambda: guarded(run, connection))


main()
