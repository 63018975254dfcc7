-- Keys are pruned by age, oldest first. Rows in the order in which they were made need no index on
-- the time: the table grows at its end, and only the short unique index is written in random places.
CREATE TABLE keys_by_age (
    seq        INTEGER NOT NULL PRIMARY KEY,
    scope      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    made       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (scope, key)
) STRICT;
INSERT INTO keys_by_age (scope, key, body, made, created_at)
SELECT scope, key, body, made, created_at FROM idempotency_keys ORDER BY created_at;
DROP TABLE idempotency_keys;
ALTER TABLE keys_by_age RENAME TO idempotency_keys;
