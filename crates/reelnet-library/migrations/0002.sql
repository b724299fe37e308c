-- Plain-text sidecars: which of their lines are the library's. Other sidecars hold that themselves.
CREATE TABLE sidecars (
    path TEXT PRIMARY KEY,
    -- JSON: lines of the last write, and lines of a write that was begun.
    record TEXT NOT NULL
);
