-- What happened to loadouts. Rows are added and never changed; ids sort by time.
CREATE TABLE audit (
    id        TEXT   NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    event     TEXT   NOT NULL,
    thread_id TEXT,
    digest    TEXT,
    cause     TEXT   NOT NULL,
    error     TEXT
);

CREATE INDEX audit_by_thread ON audit (thread_id, id);
