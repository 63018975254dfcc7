DROP INDEX orders_of_user;
CREATE INDEX orders_of_user ON orders (user_id, order_id);
ALTER TABLE orders DROP COLUMN bucket;
