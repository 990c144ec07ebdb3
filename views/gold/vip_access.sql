-- What each VIP may enter: one row a VIP and a door.
create view gold.vip_access as
select v.user_id, u.name, v.level, v.since, door.value as door
from silver.vips v
left join silver.users u on u.id = v.user_id,
     jsonb_array_elements_text(v.access) as door;
