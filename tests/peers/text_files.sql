-- CSV and JSON lines.
select * from bronze.campaigns order by campaign_id;
select channel, count(*) as n, sum(budget) as budget, min(started) as first from bronze.campaigns group by channel;
-- duckdb: select user_id, name, city, score, active, signup::varchar as signup from bronze.users order by user_id
select user_id, name, city, score, active, signup::varchar as signup from bronze.users order by user_id;
select city, count(*) as n, count(score) as scored, avg(score) as mean from bronze.users group by city order by city nulls last;
select count(*) as n from bronze.users where active and score > 50;
select device_id, readings, tags from bronze.devices order by device_id;
select * from regions order by region;
select length(title) as l, upper(title) as u from bronze.campaigns where title like '%"%' order by campaign_id;
