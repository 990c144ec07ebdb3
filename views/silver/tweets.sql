-- Tweets without their nesting: who wrote them, and where.
create view silver.tweets as
select id,
       cast(created_at as timestamptz) as created_at,
       "user" ->> 'screen_name' as author,
       lang,
       text,
       geo -> 'place' ->> 'country_code' as country,
       geo -> 'place' ->> 'city' as city,
       retweet_count,
       favorite_count
from bronze.tweets;
