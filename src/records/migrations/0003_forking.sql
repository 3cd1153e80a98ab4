-- Forks that are to have a root of their own and may still have their source's.
CREATE TABLE forking (
    root   TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    mark   TEXT NOT NULL
);
