-- The catalogue and its stock. Every piece ever stocked is in one of three places: available, held
-- for a purchase under way, or sold.
CREATE TABLE items (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    -- In the currency's minor unit.
    price       INTEGER NOT NULL CHECK (price BETWEEN 1 AND 9007199254740991),
    available   INTEGER NOT NULL CHECK (available >= 0),
    held        INTEGER NOT NULL CHECK (held >= 0),
    sold        INTEGER NOT NULL CHECK (sold >= 0),
    -- 1: no longer sold. What is held is still sold or given back.
    withdrawn   INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
    created_at  INTEGER NOT NULL,
    CHECK (available + held + sold <= 9007199254740991)
) STRICT, WITHOUT ROWID;

-- The ledger of what came in; the initial stock is its first entry. Per item, the sum of its
-- quantities is available + held + sold.
CREATE TABLE restocks (
    seq        INTEGER NOT NULL PRIMARY KEY,
    item_id    BLOB    NOT NULL REFERENCES items (id),
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX restocks_of_item ON restocks (item_id);
