-- The bucket that the order was made in: orders made one after another share it. An index by user begins
-- with it, so that it grows at its end.
ALTER TABLE orders ADD COLUMN bucket INTEGER NOT NULL DEFAULT 0 CHECK (bucket >= 0);
DROP INDEX orders_of_user;
CREATE INDEX orders_of_user ON orders (bucket, user_id);
