"""SQLTablePrivileges and SQLColumnPrivileges, which pyodbc does not have: called in the driver manager itself."""

import ctypes
import ctypes.util

# Of sql.h and sqlext.h.
ENVIRONMENT, CONNECTION, STATEMENT = 1, 2, 3
ODBC_VERSION, ODBC_3 = 200, 3
NULL_TERMINATED, NULL_DATA = -3, -1
CHARACTERS, NO_PROMPT = 1, 0
NO_DATA = 100
TEXT_BYTES_MAX = 1024


class Failed(Exception):
    """What SQLGetDiagRec said: the SQLSTATE."""


class Privileges:
    """A connection of its own, by the driver manager's functions."""

    def __init__(self, connection_string: str):
        self.odbc = ctypes.CDLL(ctypes.util.find_library("odbc"))
        self.environment = self.allocated(ENVIRONMENT, None)
        self.checked(self.odbc.SQLSetEnvAttr(self.environment, ODBC_VERSION, ctypes.c_void_p(ODBC_3), 0), ENVIRONMENT, self.environment)
        self.connection = self.allocated(CONNECTION, self.environment)
        came = self.odbc.SQLDriverConnect(
            self.connection, None, connection_string.encode(), NULL_TERMINATED, None, 0, None, NO_PROMPT)
        self.checked(came, CONNECTION, self.connection)

    def allocated(self, kind: int, parent: ctypes.c_void_p | None) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        assert self.odbc.SQLAllocHandle(kind, parent, ctypes.byref(handle)) == 0
        return handle

    def checked(self, came: int, kind: int, handle: ctypes.c_void_p) -> int:
        # A short, signed: 0 and 1 are success.
        if ctypes.c_short(came).value not in (0, 1, NO_DATA):
            state = ctypes.create_string_buffer(6)
            self.odbc.SQLGetDiagRec(kind, handle, 1, state, None, None, 0, None)
            raise Failed(state.value.decode())
        return came

    def listed(self, function: str, *names: str | None) -> list[tuple[str | None, ...]]:
        """The rows of a catalog function: a name of None is not given."""
        statement = self.allocated(STATEMENT, self.connection)
        try:
            given = [word for name in names for word in (name.encode() if name is not None else None, NULL_TERMINATED)]
            self.checked(getattr(self.odbc, function)(statement, *given), STATEMENT, statement)
            return self.rows(statement)
        finally:
            self.odbc.SQLFreeHandle(STATEMENT, statement)

    def rows(self, statement: ctypes.c_void_p) -> list[tuple[str | None, ...]]:
        n_columns = ctypes.c_short()
        self.checked(self.odbc.SQLNumResultCols(statement, ctypes.byref(n_columns)), STATEMENT, statement)
        came = []
        while self.checked(self.odbc.SQLFetch(statement), STATEMENT, statement) != NO_DATA:
            came.append(tuple(self.text(statement, at) for at in range(1, n_columns.value + 1)))
        return came

    def text(self, statement: ctypes.c_void_p, column: int) -> str | None:
        buffer, length = ctypes.create_string_buffer(TEXT_BYTES_MAX), ctypes.c_ssize_t()
        came = self.odbc.SQLGetData(statement, column, CHARACTERS, buffer, TEXT_BYTES_MAX, ctypes.byref(length))
        self.checked(came, STATEMENT, statement)
        return None if length.value == NULL_DATA else buffer.value.decode()

    def close(self) -> None:
        self.odbc.SQLDisconnect(self.connection)
        self.odbc.SQLFreeHandle(CONNECTION, self.connection)
        self.odbc.SQLFreeHandle(ENVIRONMENT, self.environment)
