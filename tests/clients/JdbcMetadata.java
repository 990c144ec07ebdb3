import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.RowIdLifetime;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/**
 * Every method of JDBC's DatabaseMetaData, found by reflection, so that none is left out: what has no arguments is called
 * without, and what has some is called with each of those listed for it. The lists that come are read row by row.
 */
public class JdbcMetadata {
    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    /** Lakegate's own schema, which PostgreSQL does not have. */
    static final String OWN_SCHEMA = "lakegate";
    static final String DATABASE = System.getenv("PGDATABASE");

    static final List<Object[]> RELATIONS = List.of(
        in("shop", "buyers"), in("shop", "purchases"), in("shop", "purchase_totals"), in("public", "Orders"), in("shop", "%"),
        in(null, "users"), in("public", "%"), in("shop", "no_such_table"), in("pg_catalog", "pg_class"));

    static Object[] in(Object... given) {
        return given;
    }

    /** Each relation with further arguments behind it. */
    static List<Object[]> ofRelations(Object... further) {
        List<Object[]> all = new ArrayList<>();
        for (Object[] relation : RELATIONS) {
            List<Object> arguments = new ArrayList<>();
            arguments.add(null);
            arguments.addAll(Arrays.asList(relation));
            arguments.addAll(Arrays.asList(further));
            all.add(arguments.toArray());
        }
        return all;
    }

    static List<Object[]> ofBoth(List<Object[]> some, List<Object[]> others) {
        List<Object[]> all = new ArrayList<>(some);
        all.addAll(others);
        return all;
    }

    /** What the methods that have arguments are called with. */
    static final Map<String, List<Object[]>> ARGUMENTS = Map.ofEntries(
        Map.entry("getAttributes", List.<Object[]>of(in(null, "shop", "%", "%"), in(null, null, "%", "%"))),
        Map.entry("getBestRowIdentifier", ofRelations(DatabaseMetaData.bestRowSession, true)),
        Map.entry("getClientInfoProperties", List.<Object[]>of(in())),
        Map.entry("getColumnPrivileges", ofRelations("%")),
        Map.entry("getColumns", ofBoth(ofRelations("%"), List.<Object[]>of(
            in(null, "shop", "buyers", "b%"), in(DATABASE, "shop", "buyers", "id"), in("another", "shop", "buyers", "id"),
            in(null, "information_schema", "tables", "%"), in(null, "shop", "purchase\\_totals", "%")))),
        Map.entry("getCrossReference", List.<Object[]>of(
            in(null, "shop", "buyers", null, "shop", "purchases"), in(null, null, null, null, "shop", "purchases"),
            in(null, "shop", "buyers", null, null, null), in(null, "shop", "purchases", null, "shop", "buyers"))),
        Map.entry("getExportedKeys", ofRelations()),
        Map.entry("getFunctionColumns", List.<Object[]>of(
            in(null, "pg_catalog", "array\\_%", "%"), in(null, "pg_catalog", "generate\\_series", "%"), in(null, "shop", "%", "%"))),
        Map.entry("getFunctions", List.<Object[]>of(
            in(null, "pg_catalog", "array\\_%"), in(null, "pg_catalog", "pg\\_get\\_%"), in(null, "shop", "%"))),
        Map.entry("getImportedKeys", ofRelations()),
        Map.entry("getIndexInfo", ofBoth(ofRelations(false, true), ofRelations(true, false))),
        Map.entry("getPrimaryKeys", ofRelations()),
        Map.entry("getProcedureColumns", List.<Object[]>of(
            in(null, "pg_catalog", "string\\_%", "%"), in(null, "shop", "%", "%"))),
        Map.entry("getProcedures", List.<Object[]>of(in(null, "pg_catalog", "string\\_%"), in(null, "shop", "%"), in(null, null, "%"))),
        Map.entry("getPseudoColumns", ofRelations("%")),
        Map.entry("getSchemas", List.<Object[]>of(in(), in(null, "shop"), in(null, "%"), in(DATABASE, "pu%"))),
        Map.entry("getSuperTables", ofRelations()),
        Map.entry("getSuperTypes", List.<Object[]>of(in(null, "shop", "%"))),
        Map.entry("getTablePrivileges", ofRelations()),
        Map.entry("getTables", List.<Object[]>of(
            in(null, null, "%", null), in(null, "shop", "%", null), in(null, "public", null, new String[] {"TABLE", "VIEW"}),
            in(null, null, "%", new String[] {"VIEW"}), in(null, null, "%", new String[] {"SYSTEM TABLE"}),
            in(null, null, "%", new String[] {"SYSTEM VIEW"}), in(null, null, "%", new String[] {"INDEX"}),
            in(null, null, "%", new String[] {"MATERIALIZED VIEW", "FOREIGN TABLE", "PARTITIONED TABLE", "SEQUENCE", "TYPE"}),
            in(DATABASE, "shop", "buy%", new String[] {"TABLE"}), in(null, "shop", "purchase\\_totals", null),
            in(null, "information_schema", "%", null), in(null, null, "no_such_table", null))),
        Map.entry("getUDTs", List.<Object[]>of(in(null, "shop", "%", null), in(null, "information_schema", "%", null))),
        Map.entry("getVersionColumns", ofRelations()));

    static Connection connect(String mode) throws SQLException {
        Properties given = new Properties();
        given.setProperty("user", System.getenv("PGUSER"));
        given.setProperty("sslmode", System.getenv("PGSSLMODE"));
        given.setProperty("preferQueryMode", mode);
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

    /** The columns of a list with their types, and its rows in their order, where the driver asks for one. */
    static String read(String method, ResultSet rows) throws SQLException {
        ResultSetMetaData columns = rows.getMetaData();
        List<String> head = new ArrayList<>();
        for (int at = 1; at <= columns.getColumnCount(); at++) {
            head.add(columns.getColumnLabel(at) + " " + columns.getColumnTypeName(at));
        }
        List<String> came = new ArrayList<>();
        while (rows.next()) {
            List<String> row = new ArrayList<>();
            for (int at = 1; at <= columns.getColumnCount(); at++) {
                row.add(String.valueOf(rows.getObject(at)));
            }
            // A server may have other databases.
            if (!row.contains(OWN_SCHEMA) && (!method.equals("getCatalogs") || row.contains(DATABASE))) {
                came.add(row.toString());
            }
        }
        rows.close();
        if (method.equals("getTypeInfo")) {
            Collections.sort(came);
        }
        head.addAll(came);
        return String.join("\n", head);
    }

    static String outcome(Object about, Method method, Object[] arguments) throws ReflectiveOperationException {
        try {
            Object came = method.invoke(about, arguments);
            if (came instanceof Connection) {
                return "the connection";
            }
            if (came instanceof RowIdLifetime) {
                return ((RowIdLifetime) came).name();
            }
            String text = came instanceof ResultSet ? read(method.getName(), (ResultSet) came) : String.valueOf(came);
            return text.replace(":" + System.getenv("PGPORT"), ":PORT");
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof SQLException) {
                return "error " + ((SQLException) thrown.getCause()).getSQLState();
            }
            throw thrown;
        } catch (SQLException error) {
            return "error " + error.getSQLState();
        }
    }

    /** Each of the numbers that say what a result set can, for methods such as `supportsResultSetType(int)`. */
    static List<Object[]> numbers(Method method) {
        List<Object[]> all = new ArrayList<>();
        for (int first : new int[] {1, 2, 4, 8, 1003, 1004, 1005, 1007, 1008}) {
            for (int second : method.getParameterCount() == 2 ? new int[] {1, 4, 12, 1007, 1008} : new int[] {0}) {
                all.add(method.getParameterCount() == 2 ? in(first, second) : in(first));
            }
        }
        return all;
    }

    static List<Object[]> argumentsOf(Method method) {
        Class<?>[] of = method.getParameterTypes();
        if (of.length > 0 && Arrays.stream(of).allMatch(type -> type == int.class)) {
            return numbers(method);
        }
        List<Object[]> all = new ArrayList<>();
        for (Object[] arguments : ARGUMENTS.getOrDefault(method.getName(), of.length == 0 ? List.<Object[]>of(in()) : List.<Object[]>of())) {
            if (arguments.length == of.length) {
                all.add(arguments);
            }
        }
        if (all.isEmpty()) {
            throw new IllegalStateException("say what " + method + " is called with");
        }
        return all;
    }

    public static void main(String[] given) throws Exception {
        List<Method> methods = new ArrayList<>(Arrays.asList(DatabaseMetaData.class.getDeclaredMethods()));
        methods.sort(Comparator.comparing(Method::toString));
        for (String mode : given) {
            try (Connection connection = connect(mode)) {
                DatabaseMetaData about = connection.getMetaData();
                for (Method method : methods) {
                    for (Object[] arguments : argumentsOf(method)) {
                        String call = method.getName() + Arrays.deepToString(arguments);
                        OUT.println("[" + quoted(mode) + ", " + quoted(call) + ", " + quoted(outcome(about, method, arguments)) + "]");
                    }
                }
            }
        }
    }
}
