-- The demo's warehouse, a SQLite file in the lake's folder.
create server warehouse foreign data wrapper sqlite options (database 'warehouse.db');

import foreign schema main from server warehouse into warehouse;
