-- The users and their money. Whatever was ever deposited is in one of three places: available, held
-- for a purchase under way, or captured by purchases that completed. In the currency's minor unit.
CREATE TABLE users (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    username   TEXT    NOT NULL,
    -- 0: may not buy. What is held is still captured or given back.
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    available  INTEGER NOT NULL CHECK (available >= 0),
    held       INTEGER NOT NULL CHECK (held >= 0),
    captured   INTEGER NOT NULL CHECK (captured >= 0),
    created_at INTEGER NOT NULL,
    CHECK (available + held + captured <= 9007199254740991)
) STRICT, WITHOUT ROWID;

-- The ledger of what came in; the initial balance is its first entry. Per user, the sum of its
-- amounts is available + held + captured.
CREATE TABLE deposits (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id    BLOB    NOT NULL REFERENCES users (id),
    amount     INTEGER NOT NULL CHECK (amount > 0),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX deposits_of_user ON deposits (user_id);

-- A user's holds, a page at a time; tombstones belong to nobody known.
CREATE INDEX holds_of_user ON holds (user_id, order_id) WHERE user_id IS NOT NULL;
