-- connect: encodings and styles [simple]
SET DateStyle=ISO; SET client_min_messages=notice; SELECT set_config('bytea_output','hex',false) FROM pg_show_all_settings() WHERE name = 'bytea_output'; SET client_encoding='utf-8';
;;

-- connect: the database and its rights [simple]
SELECT db.datname, pg_catalog.pg_encoding_to_char(db.encoding) AS encoding, has_database_privilege(db.oid, 'CREATE') AS cancreate, datistemplate FROM pg_catalog.pg_database db WHERE db.datname = current_database()
;;

-- connect: the role and its rights [simple]
SELECT roles.rolname AS name, roles.rolsuper AS is_superuser, CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreaterole END AS can_create_role, CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreatedb END AS can_create_db, CASE WHEN 'pg_signal_backend' = ANY(ARRAY(WITH RECURSIVE up AS (SELECT r.oid, r.rolname FROM pg_catalog.pg_roles r WHERE r.oid = roles.oid UNION ALL SELECT m.roleid, g.rolname FROM up JOIN pg_catalog.pg_auth_members m ON m.member = up.oid JOIN pg_catalog.pg_roles g ON g.oid = m.roleid) SELECT rolname FROM up)) THEN true ELSE false END AS can_signal FROM pg_catalog.pg_roles AS roles WHERE rolname = current_user
;;

-- connect: recovery and replication [simple]
SELECT CASE WHEN usesuper THEN pg_catalog.pg_is_in_recovery() ELSE FALSE END AS inrecovery, CASE WHEN usesuper AND pg_catalog.pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE FALSE END AS isreplaypaused FROM pg_catalog.pg_user WHERE usename = current_user
;;

-- connect: encryption [simple]
SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid()
;;

-- tree: schemas with their rights [simple]
SELECT nsp.nspname AS name, has_schema_privilege(nsp.oid, 'CREATE') AS can_create, has_schema_privilege(nsp.oid, 'USAGE') AS has_usage, des.description FROM pg_catalog.pg_namespace nsp LEFT OUTER JOIN pg_catalog.pg_description des ON des.objoid = nsp.oid AND des.classoid = 'pg_namespace'::regclass WHERE nspname NOT LIKE E'pg\\_%' AND nspname NOT IN ('information_schema', 'lakegate') ORDER BY nspname
;;

-- tree: tables, with how many triggers [simple]
SELECT rel.relname AS name, (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = rel.oid AND tgisinternal = FALSE) AS triggercount, (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = rel.oid AND tgisinternal = FALSE AND tgenabled = 'O') AS has_enable_triggers, CASE WHEN rel.relkind = 'p' THEN true ELSE false END AS is_partitioned, (SELECT count(1) FROM pg_catalog.pg_inherits WHERE inhrelid = rel.oid LIMIT 1) AS is_inherits, (SELECT count(1) FROM pg_catalog.pg_inherits WHERE inhparent = rel.oid LIMIT 1) AS is_inherited, des.description FROM pg_catalog.pg_class rel LEFT OUTER JOIN pg_catalog.pg_description des ON des.objoid = rel.oid AND des.objsubid = 0 AND des.classoid = 'pg_class'::regclass WHERE rel.relkind IN ('r', 's', 't', 'p') AND rel.relnamespace = 'shop'::regnamespace AND NOT rel.relispartition ORDER BY rel.relname
;;

-- tree: views with their definitions' owner [simple]
SELECT c.relname AS name, description AS comment, pg_catalog.pg_get_userbyid(c.relowner) = current_user AS own FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description des ON des.objoid = c.oid AND des.objsubid = 0 AND des.classoid = 'pg_class'::regclass WHERE c.relkind = 'v' AND c.relnamespace = 'shop'::regnamespace ORDER BY c.relname
;;

-- tree: columns [simple]
SELECT att.attname AS name, att.attnum, pg_catalog.format_type(ty.oid, NULL) AS datatype, pg_catalog.format_type(att.atttypid, att.atttypmod) AS displaytype, att.attnotnull AS not_null, CASE WHEN att.atthasdef OR att.attidentity <> '' OR ty.typdefault IS NOT NULL THEN true ELSE false END AS has_default_val, des.description, ty.typname, ty.typstorage AS defaultstorage, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS defval, EXISTS(SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = att.attrelid AND contype = 'f' AND att.attnum = ANY(conkey)) AS isfk, EXISTS(SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = att.attrelid AND contype = 'p' AND att.attnum = ANY(conkey)) AS is_pk FROM pg_catalog.pg_attribute att JOIN pg_catalog.pg_type ty ON ty.oid = atttypid LEFT OUTER JOIN pg_catalog.pg_attrdef def ON adrelid = att.attrelid AND adnum = att.attnum LEFT OUTER JOIN pg_catalog.pg_description des ON des.objoid = att.attrelid AND des.objsubid = att.attnum AND des.classoid = 'pg_class'::regclass WHERE att.attrelid = '@@shop.purchases@@'::oid AND att.attnum > 0 AND att.attisdropped IS FALSE ORDER BY att.attnum
;;

-- tree: keys, with the columns of their indexes [simple]
SELECT cls.relname AS name, indnkeyatts AS col_count, contype, CASE contype WHEN 'p' THEN desp.description ELSE des.description END AS comment, condeferrable, condeferred, ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = cls.oid ORDER BY a.attnum) AS columns FROM pg_catalog.pg_index idx JOIN pg_catalog.pg_class cls ON cls.oid = indexrelid LEFT JOIN pg_catalog.pg_depend dep ON dep.classid = cls.tableoid AND dep.objid = cls.oid AND dep.refobjsubid = '0' AND dep.refclassid = 'pg_constraint'::regclass AND dep.deptype = 'i' LEFT OUTER JOIN pg_catalog.pg_constraint con ON con.conindid = cls.oid AND con.contype = 'p' LEFT OUTER JOIN pg_catalog.pg_description des ON des.objoid = cls.oid AND des.classoid = 'pg_class'::regclass LEFT OUTER JOIN pg_catalog.pg_description desp ON desp.objoid = con.oid AND desp.objsubid = 0 AND desp.classoid = 'pg_constraint'::regclass WHERE indrelid = '@@shop.buyers@@'::oid ORDER BY cls.relname
;;

-- tree: foreign keys [simple]
SELECT ct.conname AS name, condeferrable, confupdtype, confdeltype, CASE confmatchtype WHEN 's' THEN FALSE WHEN 'f' THEN TRUE END AS confmatchtype, conkey, confkey, nl.nspname AS fknsp, cl.relname AS fktab, nr.nspname AS refnsp, cr.relname AS reftab, description AS comment FROM pg_catalog.pg_constraint ct JOIN pg_catalog.pg_class cl ON cl.oid = conrelid JOIN pg_catalog.pg_namespace nl ON nl.oid = cl.relnamespace JOIN pg_catalog.pg_class cr ON cr.oid = confrelid JOIN pg_catalog.pg_namespace nr ON nr.oid = cr.relnamespace LEFT OUTER JOIN pg_catalog.pg_description des ON des.objoid = ct.oid AND des.classoid = 'pg_constraint'::regclass WHERE ct.contype = 'f' AND ct.conrelid = '@@shop.purchases@@'::oid ORDER BY ct.conname
;;

-- properties: privileges, one row each [simple]
SELECT 'relacl' AS deftype, COALESCE(gt.rolname, 'PUBLIC') AS grantee, g.rolname = current_user AS own, pg_catalog.array_agg(privilege_type) AS privileges, pg_catalog.array_agg(is_grantable) AS grantable FROM (SELECT d.grantee, d.grantor, d.is_grantable, CASE d.privilege_type WHEN 'SELECT' THEN 'r' ELSE d.privilege_type END AS privilege_type FROM (SELECT (d).grantee AS grantee, (d).grantor AS grantor, (d).is_grantable AS is_grantable, (d).privilege_type AS privilege_type FROM (SELECT aclexplode(relacl) AS d FROM pg_catalog.pg_class WHERE oid = '@@shop.buyers@@'::oid) a) d) d LEFT JOIN pg_catalog.pg_roles g ON (d.grantor = g.oid) LEFT JOIN pg_catalog.pg_roles gt ON (d.grantee = gt.oid) GROUP BY g.rolname, gt.rolname
;;

-- properties: what depends on a relation [simple]
SELECT DISTINCT dep.deptype, dep.classid::regclass::text AS of, c.relkind FROM pg_catalog.pg_depend dep LEFT JOIN pg_catalog.pg_class c ON dep.objid = c.oid WHERE dep.refobjid = '@@shop.purchases@@'::oid AND dep.classid = 'pg_rewrite'::regclass ORDER BY 1, 2
;;

-- properties: a view's own query exists [simple]
SELECT length(pg_catalog.pg_get_viewdef('@@shop.mv@@'::oid)) > 0 AS has_text, pg_catalog.pg_get_viewdef('@@shop.mv@@'::oid, true) ILIKE '%select 1 as one%' AS says_it
;;

-- dashboard: sessions by state [simple]
SELECT count(*) > 0 AS some FROM pg_catalog.pg_stat_activity WHERE datname = (SELECT datname FROM pg_catalog.pg_database WHERE datname = current_database()) AND state = 'active'
;;

-- dashboard: locks and prepared transactions [simple]
SELECT (SELECT count(*) FROM pg_catalog.pg_prepared_xacts) AS prepared, (SELECT count(*) >= 0 FROM pg_catalog.pg_locks) AS locks
;;

-- query tool: types by their OIDs [simple]
SELECT oid, pg_catalog.format_type(oid, NULL) AS typname FROM pg_catalog.pg_type WHERE oid IN (20, 25, 1114, 1700, 1009) ORDER BY oid
;;

-- query tool: keys of a table, to edit its rows [simple]
SELECT at.attname, at.attnum, ty.typname FROM pg_catalog.pg_attribute at LEFT JOIN pg_catalog.pg_type ty ON ty.oid = at.atttypid WHERE attrelid = '@@shop.buyers@@'::oid AND attnum = ANY((SELECT con.conkey FROM pg_catalog.pg_class rel LEFT OUTER JOIN pg_catalog.pg_constraint con ON con.conrelid = rel.oid AND con.contype = 'p' WHERE rel.relkind IN ('r', 's', 't', 'p') AND rel.oid = '@@shop.buyers@@'::oid)::oid[])
;;

-- query tool: whether it has OIDs [simple]
SELECT rel.relkind, rel.relpersistence = 'p' AS kept FROM pg_catalog.pg_class rel WHERE rel.oid = '@@shop.buyers@@'::oid
;;
