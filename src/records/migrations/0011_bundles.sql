-- Bundles that were added here. `origin` is JSON: where it comes from, as it was asked for; `digest` names the version
-- that new threads get; `plugin` is the name of the plugin in it; `entry` is JSON, its entry in the marketplace that it
-- was found by; `link` is NULL, or says that new threads get what its folder holds at that moment: 'link', or
-- 'live', and then idle threads follow.
CREATE TABLE bundles (
    name     TEXT   NOT NULL PRIMARY KEY,
    origin   TEXT   NOT NULL,
    digest   TEXT   NOT NULL,
    plugin   TEXT   NOT NULL,
    version  TEXT,
    entry    TEXT,
    link     TEXT,
    added_at BIGINT NOT NULL
);

-- What was fetched of each, and when. `detail` is JSON.
CREATE TABLE bundle_versions (
    name     TEXT   NOT NULL,
    digest   TEXT   NOT NULL,
    detail   TEXT   NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (name, digest)
);

-- Contents that the user lets run what they have to run. `executes` is JSON: what that was.
CREATE TABLE approvals (
    digest      TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    executes    TEXT   NOT NULL,
    approved_at BIGINT NOT NULL
);
