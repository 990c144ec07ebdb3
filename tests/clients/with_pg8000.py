"""pg8000, a driver in Python alone: parameters in text with types by its own choice, prepared statements."""

import ssl
from typing import Any

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

import answers


def failed(error: DatabaseError) -> answers.Failed:
    said = error.args[0]
    return answers.Failed(said["C"] if isinstance(said, dict) else said)


def connect() -> pg8000.native.Connection:
    server = answers.server()
    context = None
    if server["sslmode"] != "disable":
        context = ssl.create_default_context(cafile=server["sslrootcert"])
    return pg8000.native.Connection(
        server["user"], host=server["host"], port=int(server["port"]), database=server["dbname"],
        password=server["password"] or None, ssl_context=context)


def executor(connection: pg8000.native.Connection) -> answers.Execute:
    def execute(sql: str, values: tuple) -> tuple[Any, list]:
        nonlocal connection
        try:
            rows = connection.run(sql, **{f"p{at}": value for at, value in enumerate(values)})
        except DatabaseError as error:
            raise failed(error) from error
        except InterfaceError as error:
            # The driver itself has no way to send this value.
            raise answers.Failed(f"of the driver: {error}") from error
        except (ValueError, OverflowError, TypeError):
            # The driver gave up in the middle of a message, and cannot read on behind it.
            connection = connect()
            raise
        columns = [(column["name"], column["type_oid"], column["type_modifier"]) for column in connection.columns]
        return columns, rows
    return execute


def prepared(connection: pg8000.native.Connection) -> list:
    statement = connection.prepare("select :a ::int4 + n as v from generate_series(1, 3) as g(n) where n <> :b order by n")
    try:
        return [statement.run(a=n, b=2) for n in range(8)]
    except DatabaseError as error:
        raise failed(error) from error
    finally:
        statement.close()


def main() -> None:
    questions = answers.read_questions()
    # The blank ends the name in front of a cast, for `:` marks the names of parameters.
    answers.ask(questions, executor(connect()), ":p0 ")
    connection = connect()
    answers.attempt("a prepared statement, eight times", lambda: prepared(connection))
    statuses = [connection.parameter_statuses[name] for name in ("TimeZone", "client_encoding", "DateStyle")]
    answers.attempt("parameter statuses", lambda: statuses)
    connection.close()


main()
