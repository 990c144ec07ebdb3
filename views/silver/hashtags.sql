-- A row for each hashtag of each tweet, in lower case.
create view silver.hashtags as
select t.id as tweet_id,
       geo -> 'place' ->> 'country_code' as country,
       lower(tag.value ->> 'text') as hashtag
from bronze.tweets t,
     jsonb_array_elements(t.entities -> 'hashtags') as tag;
