-- How a thread came by its loadout, and from which other one: found without reading records. NULL where the
-- record alone says so yet: it is looked up when the database is opened.
ALTER TABLE threads ADD COLUMN lineage TEXT;
ALTER TABLE threads ADD COLUMN inherited_from TEXT;
CREATE INDEX threads_by_origin ON threads (inherited_from);
