-- What pgbench -S does, by a table of the lake.
\set number random(1, 4)
SELECT label FROM every_type.samples WHERE id = :number;
