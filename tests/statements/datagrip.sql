-- connect: version and encryption [simple]
select version()
;;

-- connect: settings [simple]
SET application_name = 'DataGrip 2025'
;;

-- introspect: the session [extended]
select current_database() as a, current_schemas(false) as b, current_user = session_user as same, pg_catalog.pg_is_in_recovery() as recovering
;;

-- introspect: the age of the catalog [extended]
select case when pg_catalog.pg_is_in_recovery() then null else (pg_catalog.txid_current() % (2 ^ 32)::bigint)::varchar::bigint end is not null as known
;;

-- introspect: databases [extended]
select d.datname as name, d.datistemplate as is_template, d.datallowconn as allow_connections, pg_catalog.shobj_description(d.oid, 'pg_database') as comment from pg_catalog.pg_database as d where d.datname = current_database()
;;

-- introspect: schemas [extended]
select n.nspname as name, case when n.nspname like 'pg\_%' or n.nspname = 'information_schema' then true else false end as is_system, d.description as comment from pg_catalog.pg_namespace n left join pg_catalog.pg_description d on n.oid = d.objoid and d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass where n.nspname not like 'pg\_toast%' and n.nspname <> 'lakegate' order by case when n.nspname = current_schema() then -1 else 1 end, n.nspname
;;

-- introspect: roles [extended]
select rolname as name, rolsuper as is_super, rolinherit as is_inherit, rolcreaterole as can_create_role, rolcreatedb as can_create_db, rolcanlogin as can_login, rolconnlimit as connection_limit, rolbypassrls as bypasses from pg_catalog.pg_roles where rolname = current_user
;;

-- introspect: languages and access methods [extended]
select a.oid as id, a.amname as name, a.amhandler as handler, a.amtype as type from pg_catalog.pg_am a where pg_catalog.age(a.xmin) <= coalesce(nullif(0, 0), 2147483647) order by a.oid
;;

-- introspect: casts of the user [extended]
select c.oid, c.castsource, c.casttarget from pg_catalog.pg_cast c where c.oid >= 16384
;;

-- introspect: relations of a schema [extended]
select t.relkind as kind, t.relname as name, t.relpersistence as persistence, t.relhassubclass as has_children, t.relispartition as is_partition, t.reloptions as options, pg_catalog.pg_get_userbyid(t.relowner) = current_user as own from pg_catalog.pg_class t where t.relnamespace = 'shop'::regnamespace::oid and t.relkind in ('r', 'm', 'v', 'f', 'p') order by t.relkind, t.relname
;;

-- introspect: columns of a schema [extended]
with relations as (select t.oid as table_id, t.relname from pg_catalog.pg_class t where t.relnamespace = 'shop'::regnamespace and t.relkind = any (array['r', 'm', 'v', 'f', 'p', 'c'])) select r.relname, c.attnum as position, c.attname as name, c.attnotnull as mandatory, pg_catalog.format_type(c.atttypid, c.atttypmod) as type_spec, pg_catalog.pg_get_expr(d.adbin, c.attrelid) as default_expression, c.attislocal as is_local, c.attisdropped as is_dropped, c.attidentity as identity_kind, c.attgenerated as generated from relations r join pg_catalog.pg_attribute c on r.table_id = c.attrelid left join pg_catalog.pg_attrdef d on (c.attrelid, c.attnum) = (d.adrelid, d.adnum) where c.attnum > 0 order by r.relname, c.attnum
;;

-- introspect: indexes of a schema [extended]
select tab.relname as of, ind.relname as name, i.indisunique as is_unique, i.indisprimary as is_primary, i.indnkeyatts as n_keys, pg_catalog.pg_get_indexdef(i.indexrelid, 1, true) as first_column, am.amname as method from pg_catalog.pg_class tab join pg_catalog.pg_index i on i.indrelid = tab.oid join pg_catalog.pg_class ind on i.indexrelid = ind.oid left join pg_catalog.pg_am am on ind.relam = am.oid where tab.relnamespace = 'shop'::regnamespace::oid and tab.relkind in ('r', 'm', 'v', 'p') order by 1, 2
;;

-- introspect: columns of indexes, with their orders [extended]
select ind.relname, k as position, ica.attname, (i.indoption[k - 1] & 1) = 1 as is_descending, coalesce(coll.collname, '') in ('', 'default') as plain from pg_catalog.pg_index i join pg_catalog.pg_class ind on ind.oid = i.indexrelid cross join unnest(i.indkey) with ordinality u(u, k) left join pg_catalog.pg_collation coll on coll.oid = i.indcollation[k - 1] left join pg_catalog.pg_attribute ica on ica.attrelid = i.indexrelid and ica.attnum = k where ind.relnamespace = 'shop'::regnamespace order by 1, 2
;;

-- introspect: constraints of a schema [extended]
select t.relname as of, c.conname as name, c.contype as kind, c.conkey as columns, rt.relname as referred, c.confkey as referred_columns, c.confupdtype as on_update, c.confdeltype as on_delete, c.condeferrable, pg_catalog.pg_get_expr(c.conbin, c.conrelid) as expression from pg_catalog.pg_constraint c join pg_catalog.pg_class t on c.conrelid = t.oid left join pg_catalog.pg_class rt on c.confrelid = rt.oid where t.relnamespace = 'shop'::regnamespace order by c.contype, c.conname
;;

-- introspect: comments of a schema [extended]
select t.relname, d.objsubid as position, d.description from pg_catalog.pg_description d join pg_catalog.pg_class t on d.objoid = t.oid where t.relnamespace = 'shop'::regnamespace and t.relkind not in ('i', 'I') and d.classoid = 'pg_catalog.pg_class'::regclass order by 1, 2
;;

-- introspect: rules and triggers of a schema [extended]
select r.relname, x.rulename, x.ev_type, x.ev_enabled, x.is_instead from pg_catalog.pg_rewrite x join pg_catalog.pg_class r on x.ev_class = r.oid where r.relnamespace = 'shop'::regnamespace and x.rulename != '_RETURN' union all select r.relname, t.tgname, null, t.tgenabled, null from pg_catalog.pg_trigger t join pg_catalog.pg_class r on t.tgrelid = r.oid where r.relnamespace = 'shop'::regnamespace and not t.tgisinternal
;;

-- introspect: types of a schema [extended]
select t.typname as name, t.typtype as kind from pg_catalog.pg_type t where t.typnamespace = 'shop'::regnamespace and t.typtype in ('d', 'e', 'r', 'm') order by 1
;;

-- introspect: functions of a schema [extended]
with languages as (select oid as lang_oid, lanname as lang from pg_catalog.pg_language), routines as (select proname as r_name, prolang as lang_oid, pronargs, proargtypes, prorettype, proretset, prokind, provolatile, pronamespace from pg_catalog.pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname in ('array_append', 'now', 'string_agg')) select r_name, lang, pronargs, proargtypes, prorettype, proretset, prokind, provolatile from routines natural join languages order by r_name, proargtypes::text
;;

-- introspect: operators and their functions [extended]
select o.oprname as name, o.oprkind as kind, o.oprleft, o.oprright, o.oprresult, o.oprcode::regproc::text as main, o.oprcom::regoper::text is not null as has_commutator from pg_catalog.pg_operator o where o.oprname = '||' order by o.oid
;;

-- introspect: privileges [extended]
select t.relname, t.relacl from pg_catalog.pg_class t where t.relnamespace = 'shop'::regnamespace and t.relkind in ('r', 'v') and t.relacl is not null
;;

-- introspect: what depends on what [extended]
select c.relname, r.relname as on_relation, a.attname as on_column from pg_catalog.pg_depend d join pg_catalog.pg_rewrite w on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = w.oid join pg_catalog.pg_class c on c.oid = w.ev_class join pg_catalog.pg_class r on r.oid = d.refobjid and d.refclassid = 'pg_catalog.pg_class'::regclass left join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum = d.refobjsubid and a.attnum > 0 where c.relnamespace = 'shop'::regnamespace and c.oid <> r.oid order by 1, 2, 3
;;

-- data: a page of rows [extended]
SELECT t.* FROM shop.buyers t ORDER BY t.id LIMIT 3 OFFSET 2
;;

-- data: a query counted [extended]
SELECT COUNT(*) FROM (SELECT t.* FROM shop.buyers t) dg
;;
