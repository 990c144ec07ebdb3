"""psycopg2: simple queries with the values written into the text; named cursors; COPY."""

import io
from typing import Any

import psycopg2

import answers


def executor(connection: Any) -> answers.Execute:
    def execute(sql: str, values: tuple) -> tuple[Any, list]:
        with connection.cursor() as cursor:
            try:
                # Without values a `%` is no placeholder.
                cursor.execute(sql, values or None)
            except psycopg2.Error as error:
                raise answers.Failed(error.pgcode) from error
            columns = [tuple(column) for column in cursor.description]
            return columns, [[readable(value) for value in row] for row in cursor.fetchall()]
    return execute


def readable(value: Any) -> Any:
    """Bytes come as a view of memory, which repr() does not show."""
    if isinstance(value, list):
        return [readable(element) for element in value]
    return bytes(value) if isinstance(value, memoryview) else value


def in_transactions(connection: Any) -> list:
    """Statements in a transaction that fails, and after it: values or codes, and the transaction's state."""
    came = []
    connection.autocommit = False
    for text in ("select 1", "savepoint a", "select 1/0", "select 2", "rollback to savepoint a", "select 3"):
        with connection.cursor() as cursor:
            try:
                cursor.execute(text)
                came.append(cursor.fetchall() if cursor.description else cursor.statusmessage)
            except psycopg2.Error as error:
                came.append(error.pgcode)
        came.append(connection.get_transaction_status())
    connection.commit()
    return came


def by_named_cursor(connection: Any) -> list:
    """Rows by DECLARE and FETCH, 2000 is what psycopg2 fetches at once."""
    try:
        with connection.cursor("by name") as cursor:
            cursor.itersize = 100
            cursor.execute("select n, 'row ' || n::text as label from generate_series(1, 250) as g(n) order by n")
            rows = list(cursor)
        connection.commit()
        with connection.cursor("scrolled", scrollable=True) as cursor:
            cursor.execute("select n from generate_series(1, 50) as g(n) order by n")
            cursor.scroll(10)
            rows += cursor.fetchmany(3)
            cursor.scroll(-5)
            rows += cursor.fetchmany(3)
        connection.commit()
    except psycopg2.Error as error:
        connection.rollback()
        raise answers.Failed(error.pgcode) from error
    return rows


def copied(connection: Any, sql: str) -> bytes:
    out = io.BytesIO()
    with connection.cursor() as cursor:
        try:
            cursor.copy_expert(sql, out)
        except psycopg2.Error as error:
            raise answers.Failed(error.pgcode) from error
    return out.getvalue()


def main() -> None:
    questions = answers.read_questions()
    # libpq reads the variables that compare.py sets.
    connection = psycopg2.connect("")
    connection.autocommit = True
    answers.ask(questions, executor(connection), "%s")
    answers.attempt("a failed transaction", lambda: in_transactions(connection))
    answers.attempt("a named cursor", lambda: by_named_cursor(connection))
    connection.autocommit = True
    sql = "copy (select * from every_type.samples order by id) to stdout (format csv, header)"
    answers.attempt(sql, lambda: copied(connection, sql))
    answers.attempt("encoding and isolation", lambda: (connection.encoding, connection.info.parameter_status("TimeZone"),
                                                       connection.info.parameter_status("DateStyle")))


main()
