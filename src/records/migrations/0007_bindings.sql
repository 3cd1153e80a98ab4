-- Which profiles count where nobody asks for others. `profile` is a JSON list of names; `key` is empty for the
-- user's default.
CREATE TABLE bindings (
    scope      TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    profile    TEXT   NOT NULL,
    written_at BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);

-- Projects whose own profiles count.
CREATE TABLE trusted_projects (
    folder     TEXT   NOT NULL PRIMARY KEY,
    trusted_at BIGINT NOT NULL
);
