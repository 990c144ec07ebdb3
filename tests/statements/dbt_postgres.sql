-- dbt debug [simple]
BEGIN
;;

-- dbt debug [simple]
select 1 as id
;;

-- dbt seed [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "connection_name": "list_postgres"} */

    select distinct nspname from pg_namespace
;;

-- dbt seed [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "connection_name": "create_postgres_dbt_t"} */
create schema if not exists "dbt_t"
;;

-- dbt seed [simple]
COMMIT
;;

-- dbt seed [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "connection_name": "list_postgres_dbt_t"} */
select
      'postgres' as database,
      tablename as name,
      schemaname as schema,
      'table' as type
    from pg_tables
    where schemaname ilike 'dbt_t'
    union all
    select
      'postgres' as database,
      viewname as name,
      schemaname as schema,
      'view' as type
    from pg_views
    where schemaname ilike 'dbt_t'
    union all
    select
      'postgres' as database,
      matviewname as name,
      schemaname as schema,
      'materialized_view' as type
    from pg_matviews
    where schemaname ilike 'dbt_t'
;;

-- dbt seed [simple]
ROLLBACK
;;

-- dbt seed [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "connection_name": "master"} */
select distinct
        dependent_namespace.nspname as dependent_schema,
        dependent_class.relname as dependent_name,
        referenced_namespace.nspname as referenced_schema,
        referenced_class.relname as referenced_name

    -- Query for views: views are entries in pg_class with an entry in pg_rewrite, but we avoid
    -- a seq scan on pg_rewrite by leveraging the fact there is an "internal" row in pg_depend for
    -- the view...
    from pg_class as dependent_class
    join pg_namespace as dependent_namespace on dependent_namespace.oid = dependent_class.relnamespace
    join pg_depend as dependent_depend on dependent_depend.refobjid = dependent_class.oid
        and dependent_depend.classid = 'pg_rewrite'::regclass
        and dependent_depend.refclassid = 'pg_class'::regclass
        and dependent_depend.deptype = 'i'

    -- ... and via pg_depend (that has a row per column, hence the need for "distinct" above, and
    -- making sure to exclude the internal row to avoid a view appearing to depend on itself)...
    join pg_depend as joining_depend on joining_depend.objid = dependent_depend.objid
        and joining_depend.classid = 'pg_rewrite'::regclass
        and joining_depend.refclassid = 'pg_class'::regclass
        and joining_depend.refobjid != dependent_depend.refobjid

    -- ... we can find the tables they query from in pg_class, but excluding system tables. Note we
    -- don't need need to exclude _dependent_ system tables, because they only query from other
    -- system tables, and so are automatically excluded by excluding _referenced_ system tables
    join pg_class as referenced_class on referenced_class.oid = joining_depend.refobjid
    join pg_namespace as referenced_namespace on referenced_namespace.oid = referenced_class.relnamespace
        and referenced_namespace.nspname != 'information_schema'
        and referenced_namespace.nspname not like 'pg\_%'

    order by
        dependent_schema, dependent_name, referenced_schema, referenced_name
;;

-- dbt seed [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "seed.t.s"} */

    create table "statements"."dbt_t"."s" ("id" integer,"name" text)
;;

-- dbt seed [simple]
insert into "statements"."dbt_t"."s" ("id", "name") values
          (1,'a'),(2,'b')
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_table"} */




  create  table "statements"."dbt_t"."m_table__dbt_tmp"


    as

  (
    select id, amount from shop.purchases
  )
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_table"} */
alter table "statements"."dbt_t"."m_table__dbt_tmp" rename to "m_table"
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_table"} */



  comment on table "statements"."dbt_t"."m_table" is $dbt_comment_literal_block$d$dbt_comment_literal_block$
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_table"} */

      select
          column_name,
          data_type,
          character_maximum_length,
          numeric_precision,
          numeric_scale

      from "statements".INFORMATION_SCHEMA.columns
      where table_name = 'm_table'

        and table_schema = 'dbt_t'

      order by ordinal_position
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_table"} */






    comment on column "statements"."dbt_t"."m_table".id is $dbt_comment_literal_block$the id$dbt_comment_literal_block$
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_table"} */
drop table if exists "statements"."dbt_t"."m_table__dbt_backup" cascade
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_inc"} */





  create  table "statements"."dbt_t"."m_inc"


    as

  (
     select id, amount from "statements"."dbt_t"."m_table"
  )
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_view"} */

  create view "statements"."dbt_t"."m_view__dbt_tmp"


  as (
     select id, amount from "statements"."dbt_t"."m_table"
  )
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_view"} */
alter table "statements"."dbt_t"."m_view__dbt_tmp" rename to "m_view"
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_view"} */
drop view if exists "statements"."dbt_t"."m_view__dbt_backup" cascade
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_table"} */
alter table "statements"."dbt_t"."m_table" rename to "m_table__dbt_backup"
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_inc"} */





  create temporary table "m_inc__dbt_tmp151719115868"


    as

  (
     select id, amount from "statements"."dbt_t"."m_table"  where id > (select max(id) from "statements"."dbt_t"."m_inc")
  )
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_inc"} */

      select
          column_name,
          data_type,
          character_maximum_length,
          numeric_precision,
          numeric_scale

      from INFORMATION_SCHEMA.columns
      where table_name = 'm_inc__dbt_tmp151719115868'

      order by ordinal_position
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_inc"} */

      select
          column_name,
          data_type,
          character_maximum_length,
          numeric_precision,
          numeric_scale

      from "statements".INFORMATION_SCHEMA.columns
      where table_name = 'm_inc'

        and table_schema = 'dbt_t'

      order by ordinal_position
;;

-- dbt run [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "model.t.m_inc"} */




        delete from "statements"."dbt_t"."m_inc" as DBT_INTERNAL_DEST
        where (id) in (
            select distinct id
            from "m_inc__dbt_tmp151719115868" as DBT_INTERNAL_SOURCE
        );



    insert into "statements"."dbt_t"."m_inc" ("id", "amount")
    (
        select "id", "amount"
        from "m_inc__dbt_tmp151719115868"
    )
;;

-- dbt test [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "test.t.not_null_m_table_id.475e65771d"} */


    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (








select id
from "statements"."dbt_t"."m_table"
where id is null






    ) dbt_internal_test
;;

-- dbt test [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "test.t.unique_m_table_id.53796ddc13"} */


    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (






select
    id as unique_field,
    count(*) as n_records

from "statements"."dbt_t"."m_table"
where id is not null
group by id
having count(*) > 1






    ) dbt_internal_test
;;

-- dbt docs generate [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "connection_name": "postgres.information_schema"} */




    select
        'postgres' as table_database,
        sch.nspname as table_schema,
        tbl.relname as table_name,
        case tbl.relkind
            when 'v' then 'VIEW'
            when 'm' then 'MATERIALIZED VIEW'
            else 'BASE TABLE'
        end as table_type,
        tbl_desc.description as table_comment,
        col.attname as column_name,
        col.attnum as column_index,
        pg_catalog.format_type(col.atttypid, col.atttypmod) as column_type,
        col_desc.description as column_comment,
        pg_get_userbyid(tbl.relowner) as table_owner

    from pg_catalog.pg_namespace sch
    join pg_catalog.pg_class tbl on tbl.relnamespace = sch.oid
    join pg_catalog.pg_attribute col on col.attrelid = tbl.oid
    left outer join pg_catalog.pg_description tbl_desc on (tbl_desc.objoid = tbl.oid and tbl_desc.objsubid = 0)
    left outer join pg_catalog.pg_description col_desc on (col_desc.objoid = tbl.oid and col_desc.objsubid = col.attnum)
    where ((upper(sch.nspname) = upper('dbt_t') and
           upper(tbl.relname) = upper('s')) or (upper(sch.nspname) = upper('dbt_t') and
           upper(tbl.relname) = upper('m_view')) or (upper(sch.nspname) = upper('shop') and
           upper(tbl.relname) = upper('purchases')) or (upper(sch.nspname) = upper('dbt_t') and
           upper(tbl.relname) = upper('m_inc')) or (upper(sch.nspname) = upper('dbt_t') and
           upper(tbl.relname) = upper('m_table')))
      and not pg_is_other_temp_schema(sch.oid) -- not a temporary schema belonging to another session
      and tbl.relpersistence in ('p', 'u') -- [p]ermanent table or [u]nlogged table. Exclude [t]emporary tables
      and tbl.relkind in ('r', 'v', 'f', 'p', 'm') -- o[r]dinary table, [v]iew, [f]oreign table, [p]artitioned table, [m]aterialized view. Other values are [i]ndex, [S]equence, [c]omposite type, [t]OAST table
      and col.attnum > 0 -- negative numbers are used for system columns such as oid
      and not col.attisdropped -- column as not been dropped

    order by
        sch.nspname,
        tbl.relname,
        col.attnum
;;

-- dbt source freshness [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "source.t.shop.purchases"} */
select
      max(bought_on::timestamp) as max_loaded_at,
      now() as snapshotted_at
    from "statements"."shop"."purchases"
;;

-- dbt show -q --inline 'select' [simple]
/* {"app": "dbt", "dbt_version": "1.9.11", "profile_name": "t", "target_name": "dev", "node_id": "sql_operation.t.inline_query"} */


  'select'

  limit 5
;;
