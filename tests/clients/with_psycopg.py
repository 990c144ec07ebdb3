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


def notified(connection: psycopg.Connection) -> list:
    """What a session hears of another's transactions, and of its own."""
    came = []
    with psycopg.connect("", autocommit=True) as other:
        connection.execute("listen one")
        with connection.transaction(force_rollback=True):
            connection.execute("listen two")
        with other.transaction():
            other.execute("notify one, 'first'")
            other.execute("notify one, 'first'")
            other.execute("notify two, 'nobody listens'")
            try:
                with other.transaction():
                    other.execute("notify one, 'taken back'")
                    raise psycopg.Rollback
            except psycopg.Rollback:
                pass
            other.execute("notify one")
        came += [(heard.channel, heard.payload, heard.pid == other.info.backend_pid)
                 for heard in connection.notifies(timeout=5, stop_after=2)]
        connection.execute("notify one, 'own'")
        came += [(heard.channel, heard.payload, heard.pid == connection.info.backend_pid)
                 for heard in connection.notifies(timeout=5, stop_after=1)]
        connection.execute("unlisten *")
        other.execute("notify one, 'too late'")
        connection.execute("select 1")
        came += list(connection.notifies(timeout=0))
        for wrong in (f"notify one, '{'x' * 8000}'", 'notify "", 1'):
            try:
                other.execute(wrong)
            except psycopg.Error as error:
                came.append((error.sqlstate, error.diag.message_primary))
    return came


def held(connection: psycopg.Connection) -> list:
    """What a session sees of its prepared statements, its cursors, and sessions."""
    came = []
    with psycopg.connect("", prepare_threshold=0) as own:
        own.execute("prepare by_sql (int4, text) as select $1 + 1 as a, $2 as b")
        own.execute("declare c scroll cursor with hold for select 1")
        own.execute("declare d no scroll cursor for values (1)")
        own.execute("select %s::date as d", ["2026-01-02"], prepare=True)
        came += own.execute("select name like '_pg3%' or name = 'by_sql', parameter_types::text, result_types::text, from_sql"
                            " from pg_prepared_statements where statement not like '%pg_%' order by prepare_time").fetchall()
        came += own.execute("select name, statement, is_holdable, is_binary, is_scrollable, creation_time <= now()"
                            " from pg_cursors where name <> '' order by name").fetchall()
        came += own.execute("select pid = pg_backend_pid(), usename, state, query, backend_type, client_port > 0, query_start is not null"
                            " from pg_stat_activity where pid = pg_backend_pid()").fetchall()
        own.rollback()
        came += own.execute("select name from pg_cursors where name <> ''").fetchall()
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
        for run in (in_transactions, pipelined, by_server_cursor, copied, notified, held):
            answers.attempt(run.__name__, lambda: guarded(run, connection))


main()
