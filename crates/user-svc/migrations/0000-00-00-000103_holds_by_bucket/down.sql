DROP INDEX holds_of_user;
CREATE INDEX holds_of_user ON holds (user_id, order_id) WHERE user_id IS NOT NULL;
