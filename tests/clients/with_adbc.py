"""ADBC's PostgreSQL driver: the types of the server at connect, then every result by COPY in binary, as Arrow."""

from typing import Any

import adbc_driver_postgresql.dbapi as adbc
from adbc_driver_manager import Error

import answers


def executor(connection: Any) -> answers.Execute:
    def execute(sql: str, values: tuple) -> tuple[Any, list]:
        with connection.cursor() as cursor:
            try:
                cursor.execute(sql, values or None)
                table = cursor.fetch_arrow_table()
            except Error as error:
                connection.rollback()
                raise answers.Failed(error.sqlstate or f"of the driver: {error}") from error
            columns = [(field.name, str(field.type), field.metadata) for field in table.schema]
            return columns, [list(row.values()) for row in table.to_pylist()]
    return execute


def batches(connection: Any) -> list:
    """A result read batch by batch, through several COPY messages."""
    with connection.cursor() as cursor:
        try:
            cursor.execute("select n, 'row ' || n::text as label from generate_series(1, 20000) as g(n)")
            reader = cursor.fetch_record_batch()
            return [sum(batch.num_rows for batch in reader), str(reader.schema)]
        except Error as error:
            connection.rollback()
            raise answers.Failed(error.sqlstate) from error


def main() -> None:
    questions = answers.read_questions()
    server = answers.server()
    # libpq reads the rest from the variables that compare.py sets.
    connection = adbc.connect(f"postgresql://{server['host']}:{server['port']}/", autocommit=True)
    answers.ask(questions, executor(connection), "$1")
    answers.attempt("batches", lambda: batches(connection))
    connection.close()


main()
