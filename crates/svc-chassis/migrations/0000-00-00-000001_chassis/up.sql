-- The outbox, which is also the journal: append-only, its own sequence as key. Nothing is unique on
-- the event id: a tombstone answers the same attempt once for the way back and once for the late
-- reserve.
CREATE TABLE outbox (
    seq          INTEGER NOT NULL PRIMARY KEY,
    event_id     BLOB    NOT NULL CHECK (length(event_id) = 16),
    order_id     BLOB    NOT NULL CHECK (length(order_id) = 16),
    type         TEXT    NOT NULL,
    causation_id BLOB    CHECK (length(causation_id) = 16),
    attempt      INTEGER NOT NULL CHECK (attempt >= 0),
    time         INTEGER NOT NULL,
    traceparent  TEXT,
    data         TEXT    NOT NULL
) STRICT;

-- Order ids are UUID v7: this index grows at its end, it is not a random-key index.
CREATE INDEX outbox_of_order ON outbox (order_id);

-- How far the relay has published, remembered lazily: a restart publishes a few rows twice.
CREATE TABLE relay_position (
    id        INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    published INTEGER NOT NULL
) STRICT;
INSERT INTO relay_position (id, published) VALUES (1, 0);

-- Events that could not be applied: undecodable, impossible, or failed too often.
CREATE TABLE dead_letters (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    reason     TEXT    NOT NULL CHECK (reason = 'undecodable' OR reason = 'impossible' OR reason = 'exhausted'),
    error      TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    stream     TEXT    NOT NULL,
    entry_id   TEXT    NOT NULL,
    order_id   BLOB    CHECK (length(order_id) = 16),
    type       TEXT,
    event      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    -- A redelivery after a crash is the same dead letter.
    UNIQUE (stream, entry_id)
) STRICT;

-- A key's row is committed with what it made. Only successes are remembered.
CREATE TABLE idempotency_keys (
    scope      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    made       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

-- The fencing number of each singleton's lock: it lives here because a Redis counter restarts
-- after a flush.
CREATE TABLE fences (
    name   TEXT    NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
