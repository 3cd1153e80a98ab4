-- Who asked for what happened; NULL where nobody did.
ALTER TABLE audit ADD COLUMN actor TEXT;

-- Which plugins and bundles an entry of the audit is about; `name` is what stands before the `@` of `plugin`.
CREATE TABLE audit_plugins (
    audit_id TEXT NOT NULL REFERENCES audit (id) ON DELETE CASCADE,
    plugin   TEXT NOT NULL,
    name     TEXT NOT NULL,
    PRIMARY KEY (audit_id, plugin)
);

-- How often what could be selected has changed through us: other processes see by it that it has.
CREATE TABLE changes (
    what  TEXT   NOT NULL PRIMARY KEY,
    count BIGINT NOT NULL
);
INSERT INTO changes (what, count) VALUES ('capabilities', 0);
