-- Turns that were ended at the gate, and still have to be taken out of their thread's history.
CREATE TABLE held (
    thread_id TEXT NOT NULL PRIMARY KEY,
    turn_id   TEXT NOT NULL
);
