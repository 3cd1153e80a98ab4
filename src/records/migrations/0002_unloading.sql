-- Threads that are in Codex's archive for a moment, to be unloaded.
CREATE TABLE unloading (
    thread_id TEXT NOT NULL PRIMARY KEY
);
