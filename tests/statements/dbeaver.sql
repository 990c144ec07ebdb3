-- connect: version, user and schema [simple]
SELECT version(), current_user, session_user, current_schema()
;;

-- connect: the search path [simple]
SHOW search_path
;;

-- connect: settings of the session [extended]
SET application_name = 'DBeaver 25 - Main'
;;

-- connect: databases [extended]
SELECT d.oid > 0 AS known, d.datname, d.datistemplate, d.datallowconn, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datconnlimit FROM pg_catalog.pg_database d WHERE d.datallowconn AND NOT d.datistemplate AND d.datname = current_database() ORDER BY d.datname
;;

-- connect: who the session is [extended]
SELECT r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolconnlimit, r.rolvaliduntil, r.rolbypassrls, r.rolconfig FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
;;

-- connect: what the session may see of roles [extended]
SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may_read_roles
;;

-- connect: access methods and tablespaces [extended]
SELECT a.oid, a.amname, a.amtype FROM pg_catalog.pg_am a ORDER BY a.oid
;;

-- navigator: schemas [extended]
SELECT n.nspname, d.description, pg_catalog.pg_get_userbyid(n.nspowner) = current_user AS own FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass WHERE n.nspname NOT LIKE 'pg\_toast%' AND n.nspname <> 'lakegate' ORDER BY nspname
;;

-- navigator: types, of which relations have none here [extended]
SELECT t.oid, t.typname, t.typtype, t.typcategory, t.typlen, t.typbasetype, t.typelem, t.typarray, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base FROM pg_catalog.pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typrelid = 0 AND t.typcategory <> 'A' AND t.oid < 10000 ORDER BY t.oid
;;

-- navigator: relations of a schema with their comments [extended]
SELECT r.relname, r.relkind, r.relpersistence, r.relhassubclass, r.relispartition, r.relnatts, r.relrowsecurity, d.description, pg_catalog.pg_get_expr(r.relpartbound, r.oid) AS bound, pg_catalog.pg_get_partkeydef(r.oid) AS partitioned_by
FROM pg_catalog.pg_class r
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = r.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE r.relnamespace = 'shop'::regnamespace AND r.relkind NOT IN ('i', 'I', 'c', 't') ORDER BY r.relname
;;

-- navigator: columns of a relation [extended]
SELECT r.relname, a.attname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, a.attidentity, a.attgenerated, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS default_value, d.description, dep.objid IS NOT NULL AS owns_sequence
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class r ON a.attrelid = r.oid
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
LEFT OUTER JOIN pg_catalog.pg_description d ON r.oid = d.objoid AND a.attnum = d.objsubid AND d.classoid = 'pg_class'::regclass
LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid
WHERE NOT a.attisdropped AND a.attnum > 0 AND r.oid = '@@shop.buyers@@'::oid ORDER BY a.attnum
;;

-- navigator: system columns, which a table of the lake has none of [extended]
SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = '@@shop.purchase_totals@@'::oid AND a.attnum < 0
;;

-- navigator: constraints of a schema [extended]
SELECT c.conname, c.contype, c.condeferrable, c.conkey, c.confkey, c.confupdtype, c.confdeltype, t.relname AS table_name, rt.relname AS referred, d.description
FROM pg_catalog.pg_constraint c
INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass
WHERE t.relnamespace = 'shop'::regnamespace ORDER BY c.conname
;;

-- navigator: foreign keys that come to a relation [extended]
SELECT pc.relname, c.conname, c.confkey, n.nspname FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class pc ON pc.oid = c.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = pc.relnamespace WHERE c.confrelid = '@@shop.buyers@@'::oid AND c.contype = 'f' ORDER BY c.conname
;;

-- navigator: indexes of a relation, with their columns [extended]
SELECT c.relname, i.indisunique, i.indisprimary, i.indnatts, i.indkey, i.indoption, tc.relname AS of, d.description, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate, pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expression, am.amname
FROM pg_catalog.pg_index i
INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON i.indexrelid = d.objoid
LEFT OUTER JOIN pg_catalog.pg_am am ON am.oid = c.relam
WHERE i.indrelid = '@@shop.purchases@@'::oid ORDER BY tc.relname, c.relname
;;

-- navigator: columns of an index by its own attributes [extended]
SELECT a.attname, a.attnum, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'shop.buyers_pkey'::regclass ORDER BY a.attnum
;;

-- navigator: functions of a schema [extended]
SELECT p.proname, p.prokind, p.provolatile, pg_catalog.pg_get_function_result(p.oid) AS result, pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname LIKE 'array\_%' ORDER BY p.proname, p.oid
;;

-- navigator: sequences, triggers, rules and partitions of a relation [extended]
SELECT (SELECT count(*) FROM pg_catalog.pg_sequence) AS sequences, (SELECT count(*) FROM pg_catalog.pg_trigger x WHERE x.tgrelid = r.oid AND NOT x.tgisinternal) AS triggers, (SELECT count(*) FROM pg_catalog.pg_inherits i WHERE i.inhparent = r.oid) AS children, (SELECT count(*) FROM pg_catalog.pg_policy p WHERE p.polrelid = r.oid) AS policies FROM pg_catalog.pg_class r WHERE r.oid = '@@shop.buyers@@'::oid
;;

-- navigator: privileges of a relation [extended]
SELECT r.relacl, pg_catalog.pg_get_userbyid(r.relowner) = current_user AS own, pg_catalog.has_table_privilege(r.oid, 'SELECT') AS may_read FROM pg_catalog.pg_class r WHERE r.oid = '@@shop.buyers@@'::oid
;;

-- navigator: event triggers, extensions and foreign servers [extended]
SELECT 'trigger' AS kind, evtname FROM pg_catalog.pg_event_trigger UNION ALL SELECT 'server', srvname FROM pg_catalog.pg_foreign_server UNION ALL SELECT 'wrapper', fdwname FROM pg_catalog.pg_foreign_data_wrapper
;;

-- editor: whether a name is a relation's [extended]
SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S') AND c.relname ILIKE '%purch%' AND n.nspname IN ('shop', 'public') ORDER BY c.relname LIMIT 100
;;

-- editor: the words of the language [extended]
SELECT word, catcode FROM pg_catalog.pg_get_keywords() WHERE catcode = 'R' ORDER BY word
;;

-- data: the first rows [extended]
SELECT * FROM shop.buyers ORDER BY id LIMIT 3
;;

-- data: counted [extended]
SELECT count(*) FROM shop.buyers
;;

-- data: a plan [simple]
EXPLAIN (FORMAT JSON) SELECT 1
;;

-- sessions [extended]
SELECT count(*) > 0 AS some FROM pg_catalog.pg_stat_activity sa WHERE sa.pid = pg_backend_pid()
;;
