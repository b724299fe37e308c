-- Of an object of a store: what tells its state from others beside size and time (its ETag). Empty for files.
ALTER TABLE paths ADD COLUMN version TEXT NOT NULL DEFAULT '';
