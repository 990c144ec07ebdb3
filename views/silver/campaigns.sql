-- Campaigns that can run: a start, a budget, and who they are for.
create view silver.campaigns as
select campaign_id, name, channel, country, started_on, ended_on, budget,
       ended_on - started_on as days
from bronze.campaigns
where started_on is not null;
