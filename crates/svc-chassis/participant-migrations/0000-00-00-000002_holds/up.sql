-- One row an order: the inbox, the idempotence barrier, the tombstone and the semantic lock in one.
-- Rows are never deleted in this version: they must outlive every copy of an event.
CREATE TABLE holds (
    order_id       BLOB    NOT NULL PRIMARY KEY CHECK (length(order_id) = 16),
    -- No IN: for three or more members SQLite builds a table in memory at each row that it checks.
    state          TEXT    NOT NULL CHECK (state = 'Reserved' OR state = 'Refused' OR state = 'Released' OR state = 'Confirmed'),
    -- The purchase; a tombstone does not know it.
    user_id        BLOB    CHECK (length(user_id) = 16),
    item_id        BLOB    CHECK (length(item_id) = 16),
    quantity       INTEGER CHECK (quantity BETWEEN 1 AND 1000),
    unit_price     INTEGER CHECK (unit_price > 0),
    total_amount   INTEGER CHECK (total_amount > 0),
    deadline       INTEGER,
    -- How much was held: money, slots or pieces.
    held           INTEGER NOT NULL CHECK (held >= 0),
    -- Why it was refused or given back.
    reason_code    TEXT,
    failed_step    TEXT,
    -- The highest attempt answered on the way there and on the way back.
    answered_there INTEGER NOT NULL CHECK (answered_there >= 0),
    answered_back  INTEGER NOT NULL CHECK (answered_back >= 0),
    updated_at     INTEGER NOT NULL,
    CHECK (state NOT IN ('Reserved', 'Confirmed') OR user_id IS NOT NULL),
    CHECK ((user_id IS NULL) = (deadline IS NULL) AND (user_id IS NULL) = (item_id IS NULL)),
    CHECK (state NOT IN ('Refused', 'Released') OR (reason_code IS NOT NULL AND failed_step IS NOT NULL))
) STRICT, WITHOUT ROWID;
