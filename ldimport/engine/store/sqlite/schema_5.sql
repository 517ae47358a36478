-- properties that were not sent, and where each value came from: a field of the file, fileName,
-- PATCH (JSON); NULL in entries that were stored before this was kept
ALTER TABLE media ADD COLUMN filled TEXT;
-- jobs that made the entry, and that changed it last
ALTER TABLE media ADD COLUMN first_job INTEGER REFERENCES job;
ALTER TABLE media ADD COLUMN last_job INTEGER REFERENCES job;
-- for pages: lists of jobs with failures
CREATE INDEX job_failures ON job (n) WHERE failed > 0;
-- entries whose title or metadata changed, in order: who keeps an index reads on behind the last
CREATE TABLE media_change (n INTEGER PRIMARY KEY, media TEXT NOT NULL);
CREATE TRIGGER media_changed AFTER UPDATE OF title, metadata, media_type ON media BEGIN
  INSERT INTO media_change (media) VALUES (new.id);
END;
