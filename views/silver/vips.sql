-- A row for each VIP, out of one document.
create view silver.vips as
select cast(vip.value ->> 'user_id' as bigint) as user_id,
       vip.value ->> 'level' as level,
       cast(vip.value ->> 'since' as date) as since,
       vip.value -> 'access' as access
from bronze.vip v,
     jsonb_array_elements(v.vips) as vip;
