CREATE TABLE keys_by_scope (
    scope      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    made       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
INSERT INTO keys_by_scope (scope, key, body, made, created_at)
SELECT scope, key, body, made, created_at FROM idempotency_keys;
DROP TABLE idempotency_keys;
ALTER TABLE keys_by_scope RENAME TO idempotency_keys;
