-- Statements of verifications and of what is handed over, by name; a name in braces stands for an
-- earlier one.

-- name: at_target
i.scope = :archive AND (i.arrived IS NOT NULL OR i.status IN ('success', 'skipped'))
  AND (NOT :missing OR EXISTS (SELECT 1 FROM verification v WHERE v.scope = i.scope
       AND v.external_id = i.external_id AND v.outcome = 'missing'))

-- name: count_expected
SELECT count(*) FROM image i WHERE {at_target}

-- name: next_ids
SELECT i.external_id FROM image i WHERE {at_target} AND i.external_id > :after
ORDER BY i.external_id LIMIT :most

-- name: expected
SELECT i.external_id, i.open_batch IS NULL AND i.status IN ('success', 'skipped') AS certain,
  i.status, i.parts, i.file_name, i.title, i.media_id, i.width, i.height, i.mime_type, i.image_service,
  i.original_url, i.source_url, b.options, b.finished_at AS changed_at, v.at AS verified_at, v.round, v.outcome,
  v.differences, CASE WHEN v.at >= b.finished_at THEN v.size END AS size
FROM image i LEFT JOIN batch b ON b.id = i.last_batch
LEFT JOIN verification v ON v.scope = i.scope AND v.external_id = i.external_id
WHERE i.scope = :archive AND i.external_id IN (SELECT value FROM json_each(:ids))
ORDER BY i.external_id

-- name: begun
SELECT * FROM verifying WHERE scope = ?

-- name: begin
INSERT OR REPLACE INTO verifying (scope, round, sample, seed, pictures) VALUES (?, ?, ?, ?, ?)

-- name: looked
INSERT OR REPLACE INTO verification
  (scope, external_id, at, outcome, differences, media_id, size, created_at, round, ahead)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: not_there
UPDATE image SET status = NULL, sent = NULL, arrived = NULL, parts = NULL, not_taken_over = 0,
  reason = NULL, cause = NULL, tries = 0, failing_since = NULL, failed_at = NULL,
  waived_at = NULL, waived_because = NULL,
  media_id = NULL, url = NULL, original_url = NULL, width = NULL, height = NULL,
  mime_type = NULL, image_service = NULL
WHERE scope = ? AND open_batch IS NULL AND external_id IN (SELECT value FROM json_each(?))

-- name: findings
SELECT v.external_id, s.system_name, v.outcome, v.differences, v.media_id, i.source_url, i.row,
  coalesce(b.manifest, '') AS manifest
FROM verification v JOIN scope s ON s.id = v.scope
JOIN image i ON i.scope = v.scope AND i.external_id = v.external_id
LEFT JOIN batch b ON b.id = coalesce(i.last_batch, i.open_batch)
WHERE v.scope = :archive AND v.outcome != 'same' AND v.round = :round AND v.at >= :since
ORDER BY v.external_id

-- name: contacts
-- Images that the target has, each with its first outcome: what it was, and when its batch was
-- written down; and when anything of the archive was first sent whose end nobody knows.
SELECT s.target, s.system_name, i.external_id, i.media_id, f.status AS first_status,
  f.recorded_at AS first_at, f.job_id, v.media_id AS found_id, v.created_at, v.ahead,
  coalesce(v.outcome = 'missing', 0) AS missing, l.lost_at
FROM scope s CROSS JOIN image i ON i.scope = s.id
LEFT JOIN (SELECT scope, min(recorded_at) AS lost_at FROM batch
           WHERE state IN ('lost', 'failed') GROUP BY scope) l ON l.scope = s.id
LEFT JOIN (SELECT b.scope, a.external_id, a.status, b.recorded_at, b.job_id, min(b.recorded_at)
           FROM attempt a JOIN batch b ON b.id = a.batch GROUP BY b.scope, a.external_id) f
  ON f.scope = i.scope AND f.external_id = i.external_id
LEFT JOIN verification v ON v.scope = i.scope AND v.external_id = i.external_id
WHERE i.media_id IS NOT NULL AND (i.arrived IS NOT NULL OR i.status IN ('success', 'skipped'))
  AND (:target IS NULL
       OR :target IN (s.target, substr(s.target, 1, instr(s.target, ':') - 1)))
  AND (:system_name IS NULL OR s.system_name = :system_name)
ORDER BY s.id, i.external_id

-- name: batches_of_image
-- Every batch that an image was in; and those without an end of their own that may have held it:
-- which images these had is not kept, only which rows of the manifest.
SELECT b.state, b.job_id, b.recorded_at, b.submitted_at, b.finished_at, b.manifest,
  b.first_row, b.last_row, b.images, b.refused, a.status, a.reason, a.cause, a.retryable,
  a.batch IS NOT NULL OR coalesce(b.id IN (i.open_batch, i.last_batch), 0) AS certain,
  i.not_taken_over AND b.id IS i.last_batch AS not_taken_over
FROM image i JOIN batch b ON b.scope = i.scope
LEFT JOIN attempt a ON a.batch = b.id AND a.external_id = i.external_id
LEFT JOIN batch o ON o.id = coalesce(i.open_batch, i.last_batch)
WHERE i.scope = :archive AND i.external_id = :id
  AND (a.batch IS NOT NULL OR b.id IN (i.open_batch, i.last_batch)
       OR (b.state IN ('refused', 'lost', 'failed') AND i.row BETWEEN b.first_row AND b.last_row
           AND (o.id IS NULL OR b.manifest_path = o.manifest_path)))
ORDER BY b.recorded_at, b.id

-- name: now_of_image
SELECT i.waived_at, i.waived_because, i.tries, i.url, i.original_url, i.width, i.height,
  i.mime_type, i.title, i.file_name, v.at AS verified_at, v.outcome, v.differences, v.size,
  k.packed
FROM image i
LEFT JOIN verification v ON v.scope = i.scope AND v.external_id = i.external_id
LEFT JOIN kept k ON k.scope = i.scope AND k.external_id = i.external_id
WHERE i.scope = :archive AND i.external_id = :id

-- name: found
-- An image that the media library has, and of which nothing is known.
INSERT INTO image (scope, external_id, status, sent, arrived, parts, row, media_id, url,
  original_url, width, height, mime_type, image_service, title, file_name, source_url)
VALUES (:scope, :external_id, 'success', :sent, :arrived, :parts, :row, :media_id, :url,
  :original_url, :width, :height, :mime_type, :image_service, :title, :file_name, :source_url)
ON CONFLICT (scope, external_id) DO UPDATE SET status = excluded.status, sent = excluded.sent,
  arrived = excluded.arrived, parts = excluded.parts, row = excluded.row,
  media_id = excluded.media_id, url = excluded.url, original_url = excluded.original_url,
  width = excluded.width, height = excluded.height, mime_type = excluded.mime_type,
  image_service = excluded.image_service, title = excluded.title, file_name = excluded.file_name,
  source_url = excluded.source_url
WHERE image.open_batch IS NULL AND image.status IS NULL AND image.arrived IS NULL
