-- A thread's loadout. `record` is JSON in the shape that `format` names.
CREATE TABLE threads (
    thread_id   TEXT   NOT NULL PRIMARY KEY,
    root        TEXT,
    recorded_at BIGINT NOT NULL,
    format      BIGINT NOT NULL,
    record      TEXT   NOT NULL
);

CREATE INDEX threads_by_root ON threads (root);
