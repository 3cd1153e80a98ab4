-- A thread's loadout. `record` is JSON in the shape that `format` names.
CREATE TABLE threads (
    thread_id   TEXT   NOT NULL PRIMARY KEY,
    root        TEXT,
    recorded_at BIGINT NOT NULL,
    format      BIGINT NOT NULL,
    record      TEXT   NOT NULL
);

CREATE INDEX threads_by_root ON threads (root);

-- What a root was made for, written before Codex is asked for the thread. From
-- it a thread is recovered whose record could not be written any more.
CREATE TABLE intents (
    root        TEXT   NOT NULL PRIMARY KEY,
    recorded_at BIGINT NOT NULL,
    format      BIGINT NOT NULL,
    record      TEXT   NOT NULL
);
