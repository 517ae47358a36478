-- where images go, and under which systemName: an archive; with the sums of its images' states
CREATE TABLE scope (
  id INTEGER PRIMARY KEY,
  target TEXT NOT NULL, label TEXT NOT NULL, system_name TEXT NOT NULL,
  success INTEGER NOT NULL DEFAULT 0, skipped INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0, pending INTEGER NOT NULL DEFAULT 0,
  unsubmitted INTEGER NOT NULL DEFAULT 0, not_taken_over INTEGER NOT NULL DEFAULT 0,
  UNIQUE (target, system_name)
);
-- one POST: intent -> started -> success | failed | lost, or intent -> refused; never deleted
CREATE TABLE batch (
  id INTEGER PRIMARY KEY,
  scope INTEGER NOT NULL REFERENCES scope,
  key TEXT NOT NULL UNIQUE,
  job_id TEXT,
  state TEXT NOT NULL,
  manifest TEXT NOT NULL, manifest_path TEXT NOT NULL,
  options TEXT NOT NULL,
  packed BLOB,            -- request and original rows, until the job has ended
  images INTEGER NOT NULL, first_row INTEGER NOT NULL, last_row INTEGER NOT NULL,
  success INTEGER NOT NULL DEFAULT 0, skipped INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  recorded_at REAL NOT NULL, submitted_at REAL, finished_at REAL
);
CREATE INDEX batch_open ON batch (state) WHERE state IN ('intent', 'started');
CREATE INDEX batch_job ON batch (job_id);
-- one image for ever: its last outcome, and the batch it is under way in
CREATE TABLE image (
  scope INTEGER NOT NULL REFERENCES scope,
  external_id TEXT NOT NULL,
  status TEXT,            -- success, skipped, failed; NULL: not sent
  sent BLOB,              -- fingerprint that the last outcome is about
  arrived BLOB,           -- digest of the content that the target confirmed
  not_taken_over INTEGER NOT NULL DEFAULT 0,
  open_batch INTEGER REFERENCES batch,
  pending BLOB,           -- fingerprint under way
  last_batch INTEGER REFERENCES batch,
  row INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  reason TEXT, cause TEXT, retryable INTEGER NOT NULL DEFAULT 0,
  media_id TEXT, url TEXT, original_url TEXT,
  width INTEGER, height INTEGER, mime_type TEXT, image_service TEXT,
  title TEXT, file_name TEXT, source_url TEXT NOT NULL,
  PRIMARY KEY (scope, external_id)
) WITHOUT ROWID;
CREATE INDEX image_open ON image (open_batch) WHERE open_batch IS NOT NULL;
CREATE INDEX image_last ON image (last_batch, row);
CREATE INDEX image_failed ON image (scope, cause) WHERE status = 'failed';
-- every outcome ever told, in the order of the request; append-only
CREATE TABLE attempt (
  batch INTEGER NOT NULL REFERENCES batch, n INTEGER NOT NULL,
  external_id TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
  PRIMARY KEY (batch, n)
) WITHOUT ROWID;
-- failed images as they were sent, with their original rows, until they succeed
CREATE TABLE kept (
  scope INTEGER NOT NULL REFERENCES scope, external_id TEXT NOT NULL,
  packed BLOB NOT NULL,
  PRIMARY KEY (scope, external_id)
) WITHOUT ROWID;
