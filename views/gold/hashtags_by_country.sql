-- How often each hashtag was used, by the country that the tweet came from.
create materialized view gold.hashtags_by_country as
select c.continent, c.name as country, h.hashtag, count(*) as n_tweets
from silver.hashtags h
join gold.countries c on c.code = h.country
group by c.continent, c.name, h.hashtag;
