import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

/**
 * PostgreSQL's JDBC driver in a database at a moment: the rows of the queries that it reads, one a line, with tabs between values and
 * an empty line behind each query; then the columns that DatabaseMetaData lists of a table.
 */
public class AtMoment {
    public static void main(String[] given) throws Exception {
        String url = "jdbc:postgresql://" + given[0] + "/" + given[1];
        try (Connection connection = DriverManager.getConnection(url, "t", "");
                Statement statement = connection.createStatement()) {
            BufferedReader queries = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String query = queries.readLine(); query != null; query = queries.readLine()) {
                try (ResultSet rows = statement.executeQuery(query)) {
                    print(rows);
                }
            }
            DatabaseMetaData about = connection.getMetaData();
            try (ResultSet columns = about.getColumns(null, given[2], given[3], null)) {
                while (columns.next()) {
                    System.out.println(columns.getString("COLUMN_NAME"));
                }
            }
        }
    }

    static void print(ResultSet rows) throws Exception {
        int n = rows.getMetaData().getColumnCount();
        while (rows.next()) {
            StringBuilder line = new StringBuilder();
            for (int at = 1; at <= n; at++) {
                line.append(at > 1 ? "\t" : "").append(rows.getString(at));
            }
            System.out.println(line);
        }
        System.out.println();
    }
}
