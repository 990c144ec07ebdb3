-- What the statements of this folder are asked about. PostgreSQL has it as written here; the lake holds the same tables
-- as Delta tables with the same rows, and declares the same keys, views and comments in its views folder.
create schema shop;
create table shop.buyers(id bigint primary key, name text not null, email text, created_at timestamp, balance numeric(18,2), active boolean, birth date, score double precision, region text, tags text[], upd timestamptz);
create table shop.purchases(id bigint primary key, buyer_id bigint references shop.buyers(id), bought_on date, amount numeric(12,2), qty int, note text, raw bytea, status text, created_at timestamp);
create table public.users(id int primary key, username text not null, email text not null, age int, created_at timestamp);
create view shop.purchase_totals as select buyer_id, sum(amount) as total from shop.purchases group by buyer_id;
create view shop.mv as select 1 as one;
comment on table shop.buyers is 'those who bought';
comment on column shop.buyers.name is 'the name';
insert into shop.buyers select g, 'c' || g, 'c' || g || '@x.com', timestamp '2024-01-01' + g * interval '1 hour', g * 1.5, g % 2 = 0, date '1990-01-01' + g::int, g / 3.0, 'US', '{a,b}', timestamptz '2024-01-01 00:00:00+00' from generate_series(1, 200) g;
insert into shop.purchases select g, 1 + g % 200, date '2024-01-01' + (g % 365)::int, g * 1.1, g % 10, 'n', null, (array['new', 'paid', 'shipped'])[1 + g % 3], timestamp '2024-01-01' + g * interval '1 hour' from generate_series(1, 500) g;
create table public.employees("id" int, "FirstName" text, "LastName" text, "Title" text, "HiredAt" timestamp);
create table public."Orders"("id" text primary key, "Company" text, "Employee" text, "Freight" numeric(12,2), "OrderedAt" timestamp, "RequireAt" timestamp);
create table public."global-flat--offer-history"("_id" text primary key, "CreatedDate" timestamp, "Field" text, "NewValue" text, "OldValue" text, "ParentId" text);
create table public."global-flat--budget-full-set"("_id" text, "Id" text, "BudgetDealType" text, "BudgetLevelValueYear" int, "BudgetMonth" int, "BudgetName" text, "BudgetYear" int, "Channel" text, "ChannelLevelValue" text, "GoToMarket" text, "GoToMarketLevelValue" text, "Industry" text, "IndustryLevelValue" text, "SubChannel" text, "_dateUpdated" timestamp);
