-- The whole store. `@id`, `@bytes` and `@real` are what the engine calls them (src/store/engine.rs).
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

-- Folders that were given to the library; paths are text that holds any bytes (src/names.rs).
CREATE TABLE roots (id @id, path TEXT NOT NULL UNIQUE, added_at @real NOT NULL, scanned_at @real);

-- Every folder with media in it. A folder whose digest is unchanged holds what it held.
CREATE TABLE folders (
    id @id,
    root_id BIGINT NOT NULL REFERENCES roots (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    digest BIGINT NOT NULL,
    UNIQUE (root_id, path)
);

-- Contents: a video or an image, wherever it lies and however often. `present` counts its paths that are there.
CREATE TABLE videos (
    id @id,
    hash TEXT NOT NULL UNIQUE,
    bytes BIGINT NOT NULL,
    modified @real NOT NULL,
    added_at @real NOT NULL,
    present BIGINT NOT NULL DEFAULT 0,
    duration @real,
    codec TEXT,
    width BIGINT,
    height BIGINT
);
CREATE INDEX videos_by_time ON videos (modified, id);
CREATE INDEX videos_by_presence ON videos (present);

CREATE TABLE paths (
    id @id,
    folder_id BIGINT NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    video_id BIGINT NOT NULL REFERENCES videos (id) ON DELETE CASCADE,
    bytes BIGINT NOT NULL,
    modified_ns BIGINT NOT NULL,
    is_gone BIGINT NOT NULL DEFAULT 0,
    UNIQUE (folder_id, name)
);
CREATE INDEX paths_by_video ON paths (video_id, is_gone);
CREATE INDEX paths_by_folder ON paths (folder_id, is_gone);

-- Weights with the windows that they look at. `reading` is how scores become tags, `stamp` how those in `tags` did.
CREATE TABLE models (
    id @id,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    precision TEXT NOT NULL,
    windows TEXT NOT NULL,
    labels TEXT NOT NULL,
    reading TEXT NOT NULL,
    stamp TEXT NOT NULL,
    added_at @real NOT NULL
);

-- What is to be done and what was. State: 0 waiting, 1 leased, 2 scored, 3 failed, 4 skipped.
CREATE TABLE jobs (
    id @id,
    video_id BIGINT NOT NULL REFERENCES videos (id) ON DELETE CASCADE,
    model_id BIGINT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    state BIGINT NOT NULL,
    present BIGINT NOT NULL,
    priority @real NOT NULL,
    shard BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    not_before @real NOT NULL DEFAULT 0,
    owner TEXT,
    token BIGINT,
    deadline @real,
    tagged BIGINT NOT NULL DEFAULT 0,
    kind TEXT,
    reason TEXT,
    windows BIGINT NOT NULL DEFAULT 0,
    video_seconds @real NOT NULL DEFAULT 0,
    work_seconds @real NOT NULL DEFAULT 0,
    finished_at @real,
    UNIQUE (video_id, model_id)
);
CREATE INDEX jobs_queue ON jobs (model_id, state, present, priority, id);
CREATE INDEX jobs_leased ON jobs (state) WHERE state = 1;
CREATE INDEX jobs_damaged ON jobs (model_id) WHERE state = 2 AND kind IS NOT NULL;
CREATE INDEX jobs_counts ON jobs (model_id, present, state, tagged);
CREATE INDEX jobs_finished ON jobs (model_id, finished_at);

-- Logits of every scored window, little-endian 16-bit floats, window by window; `windows` says when each one is.
CREATE TABLE scores (
    job_id BIGINT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    windows TEXT NOT NULL,
    logits @bytes NOT NULL
);

CREATE TABLE labels (id @id, name TEXT NOT NULL UNIQUE);

-- Derived from scores and corrections: what search looks at. Without a model: added by a person.
CREATE TABLE tags (
    video_id BIGINT NOT NULL REFERENCES videos (id) ON DELETE CASCADE,
    model_id BIGINT REFERENCES models (id) ON DELETE CASCADE,
    label_id BIGINT NOT NULL REFERENCES labels (id),
    score @real NOT NULL,
    spans BIGINT NOT NULL,
    seconds @real NOT NULL
);
CREATE INDEX tags_by_label ON tags (label_id, score, video_id, model_id);
CREATE INDEX tags_by_video ON tags (video_id, label_id, model_id, score);

-- What people said. Never touched by a model.
CREATE TABLE corrections (
    id @id,
    video_id BIGINT NOT NULL REFERENCES videos (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    verdict TEXT NOT NULL,
    start_seconds @real,
    end_seconds @real,
    author TEXT NOT NULL,
    note TEXT NOT NULL,
    made_at @real NOT NULL
);
CREATE INDEX corrections_by_video ON corrections (video_id);
