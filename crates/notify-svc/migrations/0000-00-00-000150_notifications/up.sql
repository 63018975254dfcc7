-- One row an order: the inbox, the idempotence barrier, and what the buyer reads. Rows are never
-- deleted in this version: they must outlive every copy of an event.
CREATE TABLE notifications (
    -- The order in which they were made: what lists are sorted by, and their cursor.
    seq        INTEGER NOT NULL PRIMARY KEY,
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    -- A purchase ends once, so its buyer is told once.
    order_id   BLOB    NOT NULL UNIQUE CHECK (length(order_id) = 16),
    user_id    BLOB    NOT NULL CHECK (length(user_id) = 16),
    kind       TEXT    NOT NULL CHECK (kind IN ('Completed', 'Cancelled')),
    -- The purchase's total, in the currency's minor unit.
    amount     INTEGER NOT NULL CHECK (amount > 0),
    -- What the buyer reads.
    text       TEXT    NOT NULL,
    -- Where it was delivered, separated by commas.
    channels   TEXT    NOT NULL,
    -- The highest attempt answered.
    answered   INTEGER NOT NULL CHECK (answered >= 0),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- A user's own, newest first.
CREATE INDEX notifications_of_user ON notifications (user_id);
