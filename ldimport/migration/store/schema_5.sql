-- how often an image failed since it last arrived, and from when to when
ALTER TABLE image ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN failing_since REAL;
ALTER TABLE image ADD COLUMN failed_at REAL;
-- a failure that somebody accepted, and why; NULL: nobody did
ALTER TABLE image ADD COLUMN waived_at REAL;
ALTER TABLE image ADD COLUMN waived_because TEXT;
ALTER TABLE scope ADD COLUMN waived INTEGER NOT NULL DEFAULT 0;
UPDATE image SET tries = 1, failing_since = (SELECT finished_at FROM batch WHERE id = last_batch),
    failed_at = (SELECT finished_at FROM batch WHERE id = last_batch)
  WHERE status = 'failed';
-- what a target's quota counts: the batches that it accepted, by time
CREATE INDEX batch_accepted ON batch (submitted_at) WHERE submitted_at IS NOT NULL;
-- form of the manifest (JSON: separator, encoding ...), to write rows as they were
ALTER TABLE batch ADD COLUMN dialect TEXT;
-- why the target refused it: the code of the error and its words
ALTER TABLE batch ADD COLUMN refused TEXT;
-- the last refusal for its quota that a target gave: allowed in 24 hours, used by then
CREATE TABLE refusal (
  target TEXT PRIMARY KEY,
  allowed INTEGER, used INTEGER,  -- NULL: it did not say
  at REAL NOT NULL
) WITHOUT ROWID;
-- runs of submit, retry and watch; append-only
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  target TEXT NOT NULL, system_name TEXT,  -- NULL: all archives of the target
  command TEXT NOT NULL,
  started_at REAL NOT NULL, finished_at REAL NOT NULL,
  exit_code INTEGER NOT NULL,
  sent INTEGER NOT NULL,
  unsent INTEGER NOT NULL
);
-- what the target's media library had of an image when it was last looked up
CREATE TABLE verification (
  scope INTEGER NOT NULL REFERENCES scope, external_id TEXT NOT NULL,
  at REAL NOT NULL,
  outcome TEXT NOT NULL,  -- same, differs, missing
  differences TEXT,       -- JSON: field -> [expected, found]
  media_id TEXT, size INTEGER, created_at TEXT,
  round INTEGER NOT NULL, -- of ``verifying``
  ahead REAL,             -- seconds by which the target's clock was ahead of ours; NULL: unknown
  PRIMARY KEY (scope, external_id)
) WITHOUT ROWID;
-- the last verification of an archive
CREATE TABLE verifying (
  scope INTEGER PRIMARY KEY REFERENCES scope,
  round INTEGER NOT NULL, -- the first one is 1
  sample INTEGER,         -- so many at random; NULL: all
  seed INTEGER NOT NULL,
  pictures INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0
);
-- jobs are counted and open ones listed from indexes alone: in a row, what a batch carries stands
-- before its numbers, and is large
DROP INDEX batch_open;
CREATE INDEX batch_open ON batch (state, id, scope, job_id, key, images, submitted_at)
  WHERE state IN ('intent', 'started');
CREATE INDEX batch_jobs ON batch (scope, state, failed) WHERE job_id IS NOT NULL;
CREATE INDEX batch_finished ON batch (finished_at) WHERE finished_at IS NOT NULL;
