-- The bucket that the notification was made in: those made one after another share it. An index by user
-- begins with it, so that it grows at its end.
ALTER TABLE notifications ADD COLUMN bucket INTEGER NOT NULL DEFAULT 0 CHECK (bucket >= 0);
DROP INDEX notifications_of_user;
CREATE INDEX notifications_of_user ON notifications (bucket, user_id);
