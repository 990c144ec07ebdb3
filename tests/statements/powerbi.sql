-- connect: type loading (Npgsql 4.0.x) - see npgsql4.sql #1-#3; result format [0] = text [extended]
/*** Load enum fields ***/
SELECT pg_type.oid, enumlabel
FROM pg_enum
JOIN pg_type ON pg_type.oid=enumtypid
ORDER BY oid, enumsortorder
;;

-- pool reset, simple Query, between every two statements [extended]
DISCARD ALL
;;

-- connection test (sets the text encoding) [extended]
select character_set_name from INFORMATION_SCHEMA.character_sets
;;

-- navigator: list of tables and views [extended]
select TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE
from INFORMATION_SCHEMA.tables
where TABLE_SCHEMA not in ('information_schema', 'pg_catalog')
order by TABLE_SCHEMA, TABLE_NAME
;;

-- navigator: columns of a table [extended]
select COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, case when (data_type like '%unsigned%') then DATA_TYPE || ' unsigned' else DATA_TYPE end as DATA_TYPE
from INFORMATION_SCHEMA.columns
where TABLE_SCHEMA = 'public' and TABLE_NAME = 'users'
order by TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION
;;

-- relationships: foreign keys that point AT this table [extended]
select
    pkcol.COLUMN_NAME as PK_COLUMN_NAME,
    fkcol.TABLE_SCHEMA AS FK_TABLE_SCHEMA,
    fkcol.TABLE_NAME AS FK_TABLE_NAME,
    fkcol.COLUMN_NAME as FK_COLUMN_NAME,
    fkcol.ORDINAL_POSITION as ORDINAL,
    fkcon.CONSTRAINT_SCHEMA || '_' || fkcol.TABLE_NAME || '_' || 'users' || '_' || fkcon.CONSTRAINT_NAME as FK_NAME
from
    (select distinct constraint_catalog, constraint_schema, unique_constraint_schema, constraint_name, unique_constraint_name
        from INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS) fkcon
        inner join
    INFORMATION_SCHEMA.KEY_COLUMN_USAGE fkcol
        on fkcon.CONSTRAINT_SCHEMA = fkcol.CONSTRAINT_SCHEMA
        and fkcon.CONSTRAINT_NAME = fkcol.CONSTRAINT_NAME
        inner join
    INFORMATION_SCHEMA.KEY_COLUMN_USAGE pkcol
        on fkcon.UNIQUE_CONSTRAINT_SCHEMA = pkcol.CONSTRAINT_SCHEMA
        and fkcon.UNIQUE_CONSTRAINT_NAME = pkcol.CONSTRAINT_NAME
where pkcol.TABLE_SCHEMA = 'public' and pkcol.TABLE_NAME = 'users'
        and pkcol.ORDINAL_POSITION = fkcol.ORDINAL_POSITION
order by FK_NAME, fkcol.ORDINAL_POSITION
;;

-- relationships: foreign keys OF this table [extended]
select
    pkcol.TABLE_SCHEMA AS PK_TABLE_SCHEMA,
    pkcol.TABLE_NAME AS PK_TABLE_NAME,
    pkcol.COLUMN_NAME as PK_COLUMN_NAME,
    fkcol.COLUMN_NAME as FK_COLUMN_NAME,
    fkcol.ORDINAL_POSITION as ORDINAL,
    fkcon.CONSTRAINT_SCHEMA || '_' || 'users' || '_' || pkcol.TABLE_NAME || '_' || fkcon.CONSTRAINT_NAME as FK_NAME
from
    (select distinct constraint_catalog, constraint_schema, unique_constraint_schema, constraint_name, unique_constraint_name
        from INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS) fkcon
        inner join
    INFORMATION_SCHEMA.KEY_COLUMN_USAGE fkcol
        on fkcon.CONSTRAINT_SCHEMA = fkcol.CONSTRAINT_SCHEMA
        and fkcon.CONSTRAINT_NAME = fkcol.CONSTRAINT_NAME
        inner join
    INFORMATION_SCHEMA.KEY_COLUMN_USAGE pkcol
        on fkcon.UNIQUE_CONSTRAINT_SCHEMA = pkcol.CONSTRAINT_SCHEMA
        and fkcon.UNIQUE_CONSTRAINT_NAME = pkcol.CONSTRAINT_NAME
where fkcol.TABLE_SCHEMA = 'public' and fkcol.TABLE_NAME = 'users'
        and pkcol.ORDINAL_POSITION = fkcol.ORDINAL_POSITION
order by FK_NAME, fkcol.ORDINAL_POSITION
;;

-- keys: primary and unique constraints [extended]
select
    i.CONSTRAINT_SCHEMA || '_' || i.CONSTRAINT_NAME as INDEX_NAME,
    ii.COLUMN_NAME,
    ii.ORDINAL_POSITION,
    case
        when i.CONSTRAINT_TYPE = 'PRIMARY KEY' then 'Y'
        else 'N'
    end as PRIMARY_KEY
from INFORMATION_SCHEMA.table_constraints i
inner join INFORMATION_SCHEMA.key_column_usage ii on
    i.CONSTRAINT_SCHEMA = ii.CONSTRAINT_SCHEMA and
    i.CONSTRAINT_NAME = ii.CONSTRAINT_NAME and
    i.TABLE_SCHEMA = ii.TABLE_SCHEMA and
    i.TABLE_NAME = ii.TABLE_NAME
where
    i.TABLE_SCHEMA = 'public' and
    i.TABLE_NAME = 'users' and
    i.CONSTRAINT_TYPE in ('PRIMARY KEY', 'UNIQUE')
order by
    i.CONSTRAINT_SCHEMA || '_' || i.CONSTRAINT_NAME,
    ii.TABLE_SCHEMA,
    ii.TABLE_NAME,
    ii.ORDINAL_POSITION
;;

-- navigator preview, whole table [extended]
select "$Table".*
from "public"."users" "$Table"
limit 4096
;;

-- preview, explicit columns (after the schema is known) [extended]
select "$Table"."id" as "id",
    "$Table"."username" as "username",
    "$Table"."email" as "email"
from "public"."users" "$Table"
limit 1000
;;

-- preview of a table with a primary key (derived: "$Ordered" shape from noql + limit 4096) [extended]
select "$Ordered"."id",
    "$Ordered"."username",
    "$Ordered"."email"
from
(
    select "$Table"."id",
        "$Table"."username",
        "$Table"."email"
    from "public"."users" "$Table"
) "$Ordered"
order by "$Ordered"."id"
limit 4096
;;

-- import refresh, filtered, primary key known [extended]
select "$Ordered"."_id",
                                "$Ordered"."CreatedDate",
                                "$Ordered"."Field",
                                "$Ordered"."NewValue",
                                "$Ordered"."OldValue",
                                "$Ordered"."ParentId"
                         from
                             (
                                 select "_"."_id",
                                        "_"."CreatedDate",
                                        "_"."Field",
                                        "_"."NewValue",
                                        "_"."OldValue",
                                        "_"."ParentId"
                                 from
                                     (
                                         select "_id",
                                                "CreatedDate",
                                                "Field",
                                                "NewValue",
                                                "OldValue",
                                                "ParentId"
                                         from "public"."global-flat--offer-history" "$Table"
                                     ) "_"
                                 where "_"."Field" = 'Credit_Status__c' and "_"."Field" is not null
                             ) "$Ordered"
                         order by "$Ordered"."_id"
;;

-- import refresh, whole table [extended]
select "_"."id",
    "_"."username",
    "_"."email"
from "public"."users" "_"
;;

-- schema probe of a native query (Value.NativeQuery / SQL statement box) [extended]
select * from
(
    select * from users
) "_"
limit 0
;;

-- native query preview [extended]
select *
from
(
    select * from users
) "$Table"
limit 1000
;;

-- Power Query step: text filter [extended]
select "_"."id",
    "_"."FirstName",
    "_"."Title"
from
(
    select * from employees
) "_"
where (("_"."FirstName" <> 'Anne' or "_"."FirstName" is null) and ("_"."Title" = 'Vice President, Sales' and "_"."Title" is not null))
limit 1000
;;

-- Power Query step: timestamp equality [extended]
select "_"."id" as "id", "_"."HiredAt" as "HiredAt"
from
(
    select * from employees
) "_"
where "_"."HiredAt" = timestamp '1994-11-15 00:00:00' and "_"."HiredAt" is not null
limit 1000
;;

-- Power Query step: Replace Values twice [extended]
select "_"."id" as "id",
    "_"."LastName" as "LastName",
    "_"."FirstName" as "FirstName",
    "_"."t0_0" as "t0_0",
    "_"."t0_03" as "t0_03",
    replace("_"."t0_0", 'aaa', 'bbb') as "t0_02",
    replace("_"."t0_03", 'Steven', 'ddd') as "t0_04"
from
(
    select "_"."id" as "id",
        "_"."LastName" as "LastName",
        "_"."FirstName" as "FirstName",
        replace("_"."LastName", 'Dodsworth', 'aaa') as "t0_0",
        replace("_"."FirstName", 'Janet', 'ccc') as "t0_03"
    from
    (
        select * from employees
    ) "_"
) "_"
limit 1000
;;

-- incremental refresh partition, literals [extended]
select "$Table"."id" as "id", "$Table"."OrderedAt" as "OrderedAt", "$Table"."Freight" as "Freight"
from "public"."Orders" "$Table"
where "$Table"."OrderedAt" >= timestamp '2024-01-01' and "$Table"."OrderedAt" < timestamp '2024-02-01'
limit 1000
;;

-- incremental refresh partition, parameters [extended]
select "$Table"."id" as "id", "$Table"."OrderedAt" as "OrderedAt"
from "public"."Orders" "$Table"
where "$Table"."OrderedAt" >= $1 and "$Table"."OrderedAt" < $2
limit 1000
;;

-- import with added columns (text conversions, constants, conditional columns) [extended]
select "_"."_id" as "_id",
                       "_"."Id" as "Id",
                       "_"."BudgetDealType" as "BudgetDealType",
                       "_"."BudgetLevelValueYear" as "BudgetLevelValueYear",
                       "_"."BudgetMonth" as "BudgetMonth",
                       "_"."BudgetName" as "BudgetName",
                       "_"."BudgetYear" as "BudgetYear",
                       "_"."Channel" as "Channel",
                       "_"."ChannelLevelValue" as "ChannelLevelValue",
                       "_"."GoToMarket" as "GoToMarket",
                       "_"."GoToMarketLevelValue" as "GoToMarketLevelValue",
                       "_"."Industry" as "Industry",
                       "_"."IndustryLevelValue" as "IndustryLevelValue",
                       "_"."SubChannel" as "SubChannel",
                       "_"."_dateUpdated" as "_dateUpdated",
                       'Budget' as "Split",
                       cast("_"."BudgetMonth" as varchar) as "t0_0",
                       cast("_"."BudgetYear" as varchar) as "t1_0",
                       '' as "Account",
                       '' as "AccountName",
                       '' as "AccountFundingStatus",
                       '' as "AccountLegalName",
                       '' as "AccountContractPrinciple",
                       '' as "ApplicationStatus",
                       '' as "ClosedBy",
                       '' as "CreditEngineMaxLoanAmount",
                       '' as "ClosedReasonNew",
                       '' as "CreatedDate",
                       '' as "CreditStatus",
                       '' as "DisbursedAmount",
                       '' as "Name",
                       '' as "Product",
                       '' as "SalesExecutiveUser",
                       '' as "Status",
                       '' as "SourceInitiative",
                       '' as "SalesJourney",
                       '' as "Underwriter",
                       case
                           when "_"."Channel" = 'Partnership - Medical' and "_"."Channel" is not null
                               then '1,248'
                           when "_"."BudgetDealType" = 'New' and "_"."BudgetDealType" is not null
                               then '1,24'
                           when "_"."BudgetDealType" = 'Readvance' and "_"."BudgetDealType" is not null
                               then '1,23'
                           else '0'
                           end as "FactorRate",
                       case
                           when "_"."Channel" = 'Partnerships - Medical' and "_"."Channel" is not null
                               then '13,8'
                           when "_"."BudgetDealType" = 'New' and "_"."BudgetDealType" is not null
                               then '9'
                           when "_"."BudgetDealType" = 'Readvance' and "_"."BudgetDealType" is not null
                               then '8'
                           else '0'
                           end as "LatestQuoteTerm"
                from "public"."global-flat--budget-full-set" "_"
;;
