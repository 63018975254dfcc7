DROP INDEX notifications_of_user;
CREATE INDEX notifications_of_user ON notifications (user_id);
ALTER TABLE notifications DROP COLUMN bucket;
