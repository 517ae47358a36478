-- Statements of the state file, by name; a name in braces stands for an earlier one.

-- name: outcome
-- Of an image, as its index has it: of failures those that nobody waived.
CASE WHEN image.waived_at IS NULL THEN image.status ELSE 'waived' END

-- name: has_failed
{outcome} IN ('failed', 'waived') AND image.status = 'failed' AND image.open_batch IS NULL

-- name: accepted
SELECT submitted_at AS at, CASE state WHEN 'started' THEN images WHEN 'lost' THEN images
    WHEN 'success' THEN batch.success ELSE 0 END AS images, images AS whole, finished_at AS ended
FROM batch INDEXED BY batch_accepted JOIN scope ON scope.id = batch.scope
WHERE submitted_at > :since AND target = :target ORDER BY submitted_at

-- name: refusal
SELECT allowed, used, at FROM refusal WHERE target = ?

-- name: refused
INSERT INTO refusal (target, allowed, used, at) VALUES (?, ?, ?, ?)
ON CONFLICT (target) DO UPDATE SET allowed = coalesce(excluded.allowed, allowed),
  used = excluded.used, at = excluded.at

-- name: ran
INSERT INTO run (target, system_name, command, started_at, finished_at, exit_code, sent, unsent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: runs
SELECT * FROM run WHERE (:target IS NULL OR target = :target OR :target = 'embedded'
    AND target LIKE 'embedded:%')
  AND (:system_name IS NULL OR system_name = :system_name) ORDER BY id DESC LIMIT :most

-- name: sums
-- Images by their last outcome, in the order of an archive's columns.
coalesce(sum(open_batch IS NULL AND status = 'success'), 0) AS success,
  coalesce(sum(open_batch IS NULL AND status = 'skipped'), 0) AS skipped,
  coalesce(sum(open_batch IS NULL AND status = 'failed' AND waived_at IS NULL), 0) AS failed,
  coalesce(sum(open_batch IS NOT NULL), 0) AS pending,
  coalesce(sum(open_batch IS NULL AND status IS NULL), 0) AS unsubmitted,
  coalesce(sum(open_batch IS NULL AND not_taken_over), 0) AS not_taken_over,
  coalesce(sum(open_batch IS NULL AND status = 'failed' AND waived_at IS NOT NULL), 0) AS waived

-- name: states
-- Some images of an archive.
SELECT {sums} FROM image WHERE scope = ? AND external_id IN (SELECT value FROM json_each(?))

-- name: recount
SELECT {sums} FROM image WHERE scope = ?

-- name: add
UPDATE scope SET success = success + ?, skipped = skipped + ?, failed = failed + ?,
  pending = pending + ?, unsubmitted = unsubmitted + ?, not_taken_over = not_taken_over + ?,
  waived = waived + ?
WHERE id = ?

-- name: insert_batch
INSERT INTO batch (scope, key, state, manifest, manifest_path, dialect, options, packed,
                   images, first_row, last_row, recorded_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: open_image
INSERT INTO image (scope, external_id, open_batch, pending, row, file_name, source_url)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (scope, external_id) DO UPDATE SET open_batch = excluded.open_batch,
  pending = excluded.pending, row = excluded.row

-- name: end
UPDATE batch SET state = ?, packed = NULL, finished_at = ?, success = ?, skipped = ?, failed = ?
WHERE id = ?

-- name: settle
UPDATE image SET status = :status, sent = :sent, arrived = :arrived,
  parts = CASE WHEN :kept_content THEN parts ELSE :parts END,
  not_taken_over = :not_taken_over, open_batch = NULL, pending = NULL, last_batch = :batch,
  attempts = attempts + 1, reason = :reason, cause = :cause,
  retryable = coalesce(:retryable, 0), waived_at = NULL, waived_because = NULL,
  tries = CASE :status WHEN 'failed' THEN 1 + iif(sent IS :sent, tries, 0) ELSE 0 END,
  failing_since = CASE :status WHEN 'failed'
    THEN coalesce(iif(sent IS :sent, failing_since, NULL), :at) END,
  failed_at = CASE :status WHEN 'failed' THEN :at END,
  media_id = coalesce(:media_id, media_id), url = coalesce(:url, url),
  original_url = coalesce(:original_url, original_url), width = coalesce(:width, width),
  height = coalesce(:height, height), mime_type = coalesce(:mime_type, mime_type),
  image_service = coalesce(:image_service, image_service), title = :title,
  file_name = CASE WHEN :not_taken_over THEN file_name ELSE :file_name END,
  source_url = CASE WHEN :not_taken_over THEN source_url ELSE :source_url END
WHERE scope = :scope AND external_id = :external_id AND open_batch = :batch

-- name: attempt
INSERT INTO attempt (batch, n, external_id, status, reason, cause, retryable)
VALUES (:batch, :n, :external_id, :status, :reason, :cause, :retryable)

-- name: unsent
UPDATE image SET status = NULL, sent = NULL, open_batch = NULL, pending = NULL,
  last_batch = ?, attempts = attempts + 1, reason = NULL, cause = NULL, waived_at = NULL,
  waived_because = NULL WHERE open_batch = ?

-- name: keep
-- As it was sent in this batch, if that is what its outcome is about.
INSERT OR REPLACE INTO kept (scope, external_id, packed)
SELECT scope, external_id, ?4 FROM image WHERE scope = ?1 AND external_id = ?2 AND last_batch = ?3

-- name: no_more
-- Images that no longer fail, if it is this batch that their last outcome is about.
DELETE FROM kept WHERE scope = ?1
  AND external_id IN (SELECT external_id FROM attempt WHERE batch = ?2 AND status != 'failed')
  AND EXISTS (SELECT 1 FROM image WHERE image.scope = kept.scope
              AND image.external_id = kept.external_id AND last_batch = ?2)

-- name: in_batch
SELECT external_id FROM image WHERE open_batch = ?

-- name: arrived
SELECT external_id, arrived FROM image WHERE open_batch = ? AND arrived IS NOT NULL

-- name: at
(:target IS NULL
  OR :target IN (scope.target, substr(scope.target, 1, instr(scope.target, ':') - 1)))

-- name: job_columns
job_id AS id, state, batch.success, batch.skipped,
  CASE state WHEN 'failed' THEN images ELSE batch.failed END AS failed,
  CASE state WHEN 'failed' THEN 0
    ELSE images - batch.success - batch.skipped - batch.failed END AS pending,
  submitted_at, finished_at, manifest, target, system_name, first_row, last_row, label,
  manifest_path AS path

-- name: of_archive
{at} AND (:system_name IS NULL OR system_name = :system_name)

-- name: with_failures
(NOT :failed OR batch.failed > 0 OR state IN ('failed', 'lost'))

-- name: under_way
batch.state IN ('intent', 'started')

-- name: jobs
-- Unfinished ones first, then newest first, without sorting: each half comes in its order.
SELECT * FROM (
  SELECT {job_columns} FROM batch CROSS JOIN scope ON scope.id = batch.scope
  WHERE {under_way} AND state = 'started' AND +job_id IS NOT NULL AND {of_archive}
    AND {with_failures} ORDER BY batch.id DESC LIMIT :most)
UNION ALL SELECT * FROM (
  SELECT {job_columns} FROM batch CROSS JOIN scope ON scope.id = batch.scope
  WHERE +state != 'started' AND +job_id IS NOT NULL AND {of_archive}
    AND {with_failures} ORDER BY batch.id DESC LIMIT :most)
LIMIT :most

-- name: jobs_of_ids
SELECT {job_columns} FROM batch JOIN scope ON scope.id = batch.scope
WHERE job_id IN (SELECT value FROM json_each(:ids)) AND {of_archive}
ORDER BY state = 'started' DESC, batch.id DESC

-- name: job_counts
-- Of each archive all jobs, and those under way.
SELECT target, count(*) AS jobs, sum(state = 'started') AS open
FROM scope CROSS JOIN batch ON batch.scope = scope.id
WHERE job_id IS NOT NULL AND {of_archive} AND {with_failures} GROUP BY scope.id

-- name: open_job_ids
SELECT job_id FROM batch CROSS JOIN scope ON scope.id = batch.scope
WHERE {under_way} AND state = 'started' AND {of_archive}

-- name: last_ended
SELECT job_id AS id, finished_at AS at FROM batch CROSS JOIN scope ON scope.id = batch.scope
WHERE finished_at IS NOT NULL AND job_id IS NOT NULL AND {of_archive}
ORDER BY finished_at DESC LIMIT 1

-- name: archives
SELECT *, 0 AS invalid FROM scope
WHERE {at} AND (:system_name IS NULL OR system_name = :system_name) ORDER BY id

-- name: last_change
SELECT max(recorded_at, coalesce((SELECT max(finished_at) FROM batch), 0))
FROM batch ORDER BY id DESC LIMIT 1

-- name: open
SELECT batch.id, scope AS archive, key, job_id, images, submitted_at
FROM batch CROSS JOIN scope ON scope.id = batch.scope
WHERE {under_way} AND target = :target
  AND (:system_name IS NULL OR system_name = :system_name) ORDER BY batch.id

-- name: known
SELECT external_id, status, sent, arrived, pending, open_batch IS NOT NULL AS open,
  not_taken_over, manifest_path AS manifest, source_url, file_name, parts, cause,
  retryable, tries, failing_since, failed_at, waived_at IS NOT NULL AS waived
FROM image LEFT JOIN batch ON batch.id = coalesce(open_batch, last_batch)
WHERE image.scope = ? AND external_id IN (SELECT value FROM json_each(?))

-- name: settled
SELECT external_id, sent, status FROM image
WHERE scope = ? AND external_id IN (SELECT value FROM json_each(?))
  AND open_batch IS NULL AND status IN ('success', 'skipped') AND NOT not_taken_over

-- name: ids_near
SELECT external_id FROM image
WHERE scope = ? AND external_id >= ? AND external_id < ? ORDER BY external_id LIMIT 2000

-- name: of_host
(:host IS NULL OR instr(source_url, '://' || :host || '/')
  OR instr(source_url, '://' || :host || ':'))

-- name: meant_to_waive
scope = :archive AND {has_failed}
  AND (:cause IS NULL OR cause = :cause) AND {of_host}
  AND (:ids IS NULL OR external_id IN (SELECT value FROM json_each(:ids)))

-- name: waive
UPDATE image SET waived_at = :now, waived_because = :because
WHERE {meant_to_waive} AND waived_at IS NULL

-- name: waive_anew
UPDATE image SET waived_at = :now, waived_because = :because
WHERE {meant_to_waive} AND waived_at IS NOT NULL

-- name: unwaive
UPDATE image SET waived_at = NULL, waived_because = NULL
WHERE {meant_to_waive} AND waived_at IS NOT NULL

-- name: waived
UPDATE scope SET failed = failed - ?, waived = waived + ? WHERE id = ?

-- name: waivable
SELECT external_id, open_batch IS NULL AND status IS 'failed' AS failed,
  open_batch IS NULL AND waived_at IS NOT NULL AS waived
FROM image WHERE scope = ? AND external_id IN (SELECT value FROM json_each(?))

-- name: states_of_batches
-- The images that are under way in these batches, or whose last outcome is of one of them.
SELECT {sums} FROM image
WHERE (open_batch IN (SELECT value FROM json_each(:ids))
   OR last_batch IN (SELECT value FROM json_each(:ids))) AND +scope = :archive

-- name: names
SELECT system_name, success + skipped + failed + pending AS images
FROM scope WHERE target = ? ORDER BY images DESC, id

-- name: elsewhere
SELECT j.value AS id, s.system_name FROM json_each(?) j CROSS JOIN scope s CROSS JOIN image i
WHERE s.target = ? AND s.system_name != ? AND i.scope = s.id AND i.external_id = j.value
ORDER BY s.id DESC

-- name: alike
-- Images that are there, or may be, and whose ids differ only in leading zeros and case.
SELECT j.value AS id, i.external_id FROM json_each(?) j CROSS JOIN image i INDEXED BY image_alike
WHERE i.scope = ? AND ltrim(lower(i.external_id), '0') = ltrim(lower(j.value), '0')
  AND i.external_id != j.value AND (i.arrived IS NOT NULL OR i.open_batch IS NOT NULL)

-- name: attempts_of_job
SELECT attempt.external_id, attempt.status, title, attempt.reason, attempt.cause,
  attempt.retryable, media_id, original_url, url, width, height, mime_type, image_service
FROM attempt JOIN batch ON batch.id = attempt.batch
JOIN image ON image.scope = batch.scope AND image.external_id = attempt.external_id
WHERE batch.job_id = ? ORDER BY attempt.batch, attempt.n

-- name: images_of_id
SELECT scope.id AS archive, scope.target, scope.label, scope.system_name,
  coalesce(batch.manifest, '') AS manifest, image.row, image.source_url,
  CASE WHEN open_batch IS NULL THEN image.status END AS status,
  open_batch IS NOT NULL AS open, image.cause, image.retryable, image.media_id,
  waived_because
FROM image JOIN scope ON scope.id = image.scope
LEFT JOIN batch ON batch.id = coalesce(image.open_batch, image.last_batch)
WHERE image.external_id = ? ORDER BY scope.id

-- name: attempts_of_image
SELECT batch.finished_at AS at, batch.job_id, attempt.status, attempt.reason
FROM attempt JOIN batch ON batch.id = attempt.batch
WHERE attempt.external_id = :id AND batch.scope = :archive ORDER BY recorded_at, batch.id

-- name: asked_for
-- Of failed images those that the filters of a retry let through.
((:job IS NULL OR batch.job_id = :job) AND (:cause IS NULL OR image.cause = :cause) AND {of_host}
  AND (:before IS NULL OR image.failed_at <= :before)
  AND (:ids IS NULL OR image.external_id IN (SELECT value FROM json_each(:ids))))

-- name: chosen
-- Of these those that it sends: what may work without a change, or is named by id or cause.
({asked_for} AND (:everything OR :ids IS NOT NULL OR :cause IS NOT NULL OR image.retryable
  OR EXISTS (SELECT 1 FROM json_each(:worth) WHERE image.cause GLOB json_extract(value, '$[0]')
             AND json_extract(batch.options, '$.' || json_extract(value, '$[1]'))
                 IS NOT json_extract(value, '$[2]'))))

-- name: failed
-- Put down aside, in their order: who reads on for hours would keep the log from being folded.
CREATE TEMP TABLE chosen AS
SELECT image.external_id, batch.id AS batch
FROM image JOIN batch ON batch.id = image.last_batch
WHERE image.scope = :archive AND {has_failed}
  AND (image.waived_at IS NULL OR :ids IS NOT NULL) AND {chosen}
ORDER BY batch.options, batch.manifest_path, image.row

-- name: next_failed
SELECT chosen.rowid AS n, kept.packed, batch.options, batch.manifest, batch.manifest_path AS path,
  batch.dialect
FROM temp.chosen JOIN batch ON batch.id = chosen.batch
JOIN kept ON kept.scope = :archive AND kept.external_id = chosen.external_id
WHERE chosen.rowid > :after ORDER BY chosen.rowid LIMIT 200

-- name: from_images
-- Of each archive its images, so that they come in the order of an index.
FROM scope CROSS JOIN image ON image.scope = scope.id
LEFT JOIN batch ON batch.id = coalesce(image.open_batch, image.last_batch)

-- name: of_status
{outcome} = :status AND image.open_batch IS NULL

-- name: of_status_too
-- The same where another condition names fewer images.
+({outcome}) = :status AND image.open_batch IS NULL

-- name: of_waived
{outcome} = 'waived' AND image.open_batch IS NULL

-- name: of_job
+batch.job_id = :job AND image.external_id IN (
  SELECT i.external_id FROM batch b CROSS JOIN image i ON i.open_batch = b.id WHERE b.job_id = :job
  UNION ALL
  SELECT i.external_id FROM batch b CROSS JOIN image i ON i.last_batch = b.id WHERE b.job_id = :job)

-- name: of_cause
cause = :cause AND image.open_batch IS NULL

-- name: of_manifest
manifest_path = :manifest

-- name: ended
image.open_batch IS NULL AND image.status IS NOT NULL

-- name: last_failed
{outcome} = 'failed' AND image.open_batch IS NULL

-- name: columns
image.external_id, system_name,
  CASE WHEN {ended} THEN image.status END AS status,
  CASE WHEN {ended} THEN reason END AS reason,
  CASE WHEN {ended} THEN cause END AS cause, 
  coalesce({last_failed} AND retryable, 0) AS retryable,
  media_id, url, original_url, width, height, mime_type, title, file_name, source_url, job_id,
  image.row, attempts, image.not_taken_over, scope.label AS target,
  CASE WHEN {ended} THEN tries ELSE 0 END AS tries,
  CASE WHEN {ended} THEN waived_because END AS waived_because, 0 AS gave_up,
  (SELECT v.size FROM verification v
   WHERE v.scope = image.scope AND v.external_id = image.external_id) AS size

-- name: waivers
SELECT reason, count(*) AS images,
  json_group_array(json_array(row, external_id)) FILTER (WHERE n <= 2) AS examples
FROM (
  SELECT image.external_id, image.row, coalesce(waived_because, '') AS reason,
    row_number() OVER (PARTITION BY waived_because ORDER BY image.row) AS n
  {from_images} WHERE {{which}} AND {of_waived})
GROUP BY reason ORDER BY images DESC, reason LIMIT 100

-- name: rows
-- ``which``: the conditions of a Filter, in this statement and the following ones; ``row`` is a
-- term that no index orders, where the images are of one job.
SELECT {columns} {from_images} WHERE {{which}} ORDER BY scope.id, {{row}}

-- name: first_failed
SELECT * FROM (SELECT {columns} {from_images} WHERE {{which}} AND {outcome} = 'failed'
  ORDER BY scope.id, {{row}})
UNION ALL
SELECT * FROM (SELECT {columns} {from_images} WHERE {{which}} AND {outcome} IS NOT 'failed'
  ORDER BY scope.id, {{row}})

-- name: originals
SELECT {columns}, kept.packed {from_images}
JOIN kept ON kept.scope = image.scope AND kept.external_id = image.external_id
WHERE {{which}} ORDER BY scope.id, {{row}}

-- name: dialects
SELECT DISTINCT batch.dialect {from_images} WHERE {{which}}

-- name: after_scheme
substr(source_url, instr(source_url, '://') + 3)

-- name: host
CASE WHEN instr(source_url, '://') THEN
  substr({after_scheme}, 1, instr({after_scheme} || '/', '/') - 1) END

-- name: failing_hosts
SELECT {host} AS host, cause, last_batch AS batch, count(*) AS images FROM image
WHERE scope = ? AND {last_failed} AND retryable
  AND failed_at >= ? AND source_url LIKE 'http%://%'
GROUP BY 1, 2, 3

-- name: arrived_of_host
SELECT 1 FROM image WHERE last_batch = ? AND status != 'failed' AND {host} = ? LIMIT 1

-- name: sentence
CASE cause WHEN 'other' THEN masked(coalesce(reason, '')) END

-- name: cause_groups
SELECT cause, min(reason) AS first_reason, max(reason) AS last_reason, count(*) AS images,
  max(retryable) AS retryable, min(host) AS first_host, max(host) AS last_host,
  json_group_array(json_array(row, external_id)) FILTER (WHERE n <= 2) AS examples,
  sum(chosen) AS chosen, sum(asked) AS asked
FROM (
  SELECT *, row_number() OVER (PARTITION BY cause, sentence ORDER BY row) AS n
  FROM (
    SELECT image.external_id, image.row, cause, coalesce(reason, '') AS reason, retryable,
      coalesce({host}, '') AS host, {sentence} AS sentence

-- name: in_groups
)) GROUP BY cause, sentence ORDER BY images DESC, cause, first_reason

-- name: causes
{cause_groups}, 0 AS chosen, 0 AS asked {from_images} WHERE {{which}} AND {last_failed} {in_groups}

-- name: causes_of_jobs
{cause_groups}, 0 AS chosen, 0 AS asked FROM image JOIN batch ON batch.id = image.last_batch
WHERE image.last_batch IN
  (SELECT id FROM batch WHERE job_id IN (SELECT value FROM json_each(:ids))
   UNION SELECT value FROM json_each(:batches))
  AND {last_failed} {in_groups}

-- name: split
{cause_groups}, {chosen} AS chosen, {asked_for} AS asked FROM image JOIN batch ON batch.id = image.last_batch
WHERE image.scope = :archive AND {has_failed}
  AND (image.waived_at IS NULL
       OR image.external_id IN (SELECT value FROM json_each(:ids))) {in_groups}
