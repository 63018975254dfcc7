-- The bank's book: one row a key, approved or declined, written before the answer leaves. It is
-- never joined with payment-svc's tables, and has no migrations of theirs.
CREATE TABLE IF NOT EXISTS charges (
    -- The idempotency key: the order's id.
    key        BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    -- In the currency's minor unit; charged only where the answer is Approved.
    amount     INTEGER NOT NULL CHECK (amount > 0),
    answer     TEXT    NOT NULL CHECK (answer IN ('Approved', 'Declined')),
    -- The bank's own name for it.
    reference  TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
