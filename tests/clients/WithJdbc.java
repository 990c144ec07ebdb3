import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;

/**
 * PostgreSQL's JDBC driver: values in text, and in binary once a statement was prepared; rows at once and by fetch size;
 * the lists of tables and columns that applications ask for.
 */
public class WithJdbc {
    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    interface Attempt {
        Object run() throws SQLException;
    }

    static Connection connect(String... options) throws SQLException {
        Properties given = new Properties();
        given.setProperty("user", System.getenv("PGUSER"));
        given.setProperty("sslmode", System.getenv("PGSSLMODE"));
        if (System.getenv("PGPASSWORD") != null) {
            given.setProperty("password", System.getenv("PGPASSWORD"));
        }
        if (!System.getenv("PGSSLROOTCERT").isEmpty()) {
            given.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
        }
        for (int at = 0; at < options.length; at += 2) {
            given.setProperty(options[at], options[at + 1]);
        }
        String address = System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        return DriverManager.getConnection("jdbc:postgresql://" + address, given);
    }

    static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    static void attempt(String way, String statement, Attempt attempt) {
        String outcome;
        try {
            outcome = String.valueOf(attempt.run());
        } catch (SQLException error) {
            outcome = "error " + error.getSQLState();
        }
        OUT.println("[" + quoted(way) + ", " + quoted(statement) + ", " + quoted(outcome) + "]");
    }

    static String shown(Object value) throws SQLException {
        if (value == null) {
            return "null";
        }
        String text = value.toString();
        if (value instanceof byte[]) {
            text = Arrays.toString((byte[]) value);
        } else if (value instanceof Array) {
            Object elements = ((Array) value).getArray();
            text = elements instanceof Object[] ? Arrays.deepToString((Object[]) elements) : value.toString();
        }
        return value.getClass().getSimpleName() + " " + text;
    }

    /** The columns as the driver describes them, and the rows. */
    static List<String> read(ResultSet rows) throws SQLException {
        ResultSetMetaData columns = rows.getMetaData();
        List<String> came = new ArrayList<>();
        for (int at = 1; at <= columns.getColumnCount(); at++) {
            came.add(columns.getColumnLabel(at) + " " + columns.getColumnTypeName(at) + " " + columns.getColumnType(at)
                + " " + columns.getPrecision(at) + " " + columns.getScale(at) + " " + columns.getColumnDisplaySize(at));
        }
        while (rows.next()) {
            List<String> row = new ArrayList<>();
            for (int at = 1; at <= columns.getColumnCount(); at++) {
                row.add(shown(rows.getObject(at)));
            }
            came.add(row.toString());
        }
        return came;
    }

    static List<String> query(Connection connection, String sql) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            return read(statement.executeQuery());
        }
    }

    /** Reads a value and sends it back as a parameter so many times: what is prepared comes in binary the second time. */
    static List<String> sentBack(Connection connection, String read, String write, int times) throws SQLException {
        List<String> came = new ArrayList<>();
        try (PreparedStatement reading = connection.prepareStatement(read);
             PreparedStatement writing = connection.prepareStatement(write)) {
            ResultSet rows = reading.executeQuery();
            rows.next();
            Object value = rows.getObject(1);
            for (int time = 0; time < times; time++) {
                if (value == null) {
                    writing.setNull(1, Types.NULL);
                } else {
                    writing.setObject(1, value);
                }
                came.addAll(read(writing.executeQuery()));
            }
        }
        return came;
    }

    static void ask(Connection connection, List<String[]> questions, String way) {
        int times = way.equals("text") ? 1 : 2;
        for (String[] question : questions) {
            String subject = question[1];
            String text = question[2];
            if (question[0].equals("statement")) {
                attempt(way, text, () -> query(connection, text));
                continue;
            }
            boolean isValue = question[0].equals("value");
            String read = isValue ? "select " + text + " as v" : "select " + text + " as v from " + subject + " order by id";
            String write = isValue ? "select $1::" + subject + " as v"
                : "select id from " + subject + " where " + text + " = $1 order by id";
            attempt(way, read, () -> query(connection, read));
            attempt(way, write + (isValue ? " -- " + text : ""),
                () -> sentBack(connection, read, write.replace("$1", "?"), times));
        }
    }

    /** Rows by a portal of 10 at a time, and no more than 25. */
    static Object byFetchSize(Connection connection) throws SQLException {
        List<String> came = new ArrayList<>();
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement("select n from generate_series(1, 100) as g(n) order by n")) {
            statement.setFetchSize(10);
            came.addAll(read(statement.executeQuery()));
            statement.setMaxRows(25);
            came.addAll(read(statement.executeQuery()));
        }
        connection.commit();
        connection.setAutoCommit(true);
        return came;
    }

    static Object inTransaction(Connection connection) throws SQLException {
        List<String> came = new ArrayList<>();
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        connection.setReadOnly(true);
        connection.setAutoCommit(false);
        came.addAll(query(connection, "select 1 as a"));
        var before = connection.setSavepoint();
        for (String sql : List.of("select 1/0 as a", "select 2 as a")) {
            try {
                came.addAll(query(connection, sql));
            } catch (SQLException error) {
                came.add(error.getSQLState());
            }
        }
        connection.rollback(before);
        came.addAll(query(connection, "select 3 as a"));
        came.addAll(query(connection, "show transaction isolation level"));
        connection.commit();
        connection.setAutoCommit(true);
        connection.setReadOnly(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        return came;
    }

    static Object catalogue(Connection connection) throws SQLException {
        DatabaseMetaData about = connection.getMetaData();
        List<String> came = new ArrayList<>();
        try (ResultSet tables = about.getTables(null, "every_type", "%", new String[] {"TABLE", "VIEW", "FOREIGN TABLE"})) {
            while (tables.next()) {
                came.add(tables.getString("TABLE_SCHEM") + "." + tables.getString("TABLE_NAME"));
            }
        }
        try (ResultSet columns = about.getColumns(null, "every_type", "samples", "%")) {
            while (columns.next()) {
                came.add(columns.getString("COLUMN_NAME") + " " + columns.getString("TYPE_NAME") + " " + columns.getInt("DATA_TYPE")
                    + " " + columns.getInt("COLUMN_SIZE") + " " + columns.getInt("DECIMAL_DIGITS") + " " + columns.getInt("NULLABLE"));
            }
        }
        return came;
    }

    /** Several statements added to a batch of one prepared one, and a message of several statements. */
    static Object several(Connection connection) throws SQLException {
        List<String> came = new ArrayList<>();
        try (Statement statement = connection.createStatement()) {
            boolean rows = statement.execute("select 1 as a; select 2 as b");
            while (rows) {
                came.addAll(read(statement.getResultSet()));
                rows = statement.getMoreResults();
            }
        }
        came.add(String.valueOf(connection.isValid(5)));
        return came;
    }

    public static void main(String[] arguments) throws Exception {
        List<String[]> questions = new ArrayList<>();
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            in.lines().forEach(line -> questions.add(line.split("\t")));
        }
        // Never prepared: text. Prepared at the first execution: binary from the second on.
        for (String threshold : List.of("0", "1")) {
            String way = threshold.equals("0") ? "text" : "prepared";
            try (Connection connection = connect("prepareThreshold", threshold)) {
                ask(connection, questions, way);
                attempt(way, "by fetch size", () -> byFetchSize(connection));
                attempt(way, "a failed transaction", () -> inTransaction(connection));
                attempt(way, "tables and columns", () -> catalogue(connection));
                attempt(way, "several statements", () -> several(connection));
            }
        }
        try (Connection connection = connect("preferQueryMode", "simple")) {
            attempt("simple", "all columns", () -> query(connection, "select * from every_type.samples order by id"));
        }
    }
}
