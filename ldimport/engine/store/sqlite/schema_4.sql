-- sessions that died or hung while they carried out this image
ALTER TABLE item ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
-- since when its lease has lasted (Unix seconds); of no meaning without one
ALTER TABLE item ADD COLUMN leased_at REAL;
-- when a session last had its turn (Unix seconds)
ALTER TABLE engine ADD COLUMN moved_at REAL NOT NULL DEFAULT 0;
