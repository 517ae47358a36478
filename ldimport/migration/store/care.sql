-- Statements that look after the state file, by name; a name in braces stands for an earlier one.

-- name: jobs_by_state
SELECT state, count(*) AS jobs FROM batch WHERE job_id IS NOT NULL GROUP BY state

-- name: last_run
SELECT * FROM run ORDER BY finished_at DESC, id DESC LIMIT 1

-- name: store_sums
UPDATE scope SET success = ?, skipped = ?, failed = ?, pending = ?, unsubmitted = ?,
  not_taken_over = ?, waived = ? WHERE id = ?

-- name: outcomes_told
coalesce(sum(a.status = 'success'), 0) AS s, coalesce(sum(a.status = 'skipped'), 0) AS k,
  coalesce(sum(a.status = 'failed'), 0) AS f

-- name: wrong_jobs
-- Ended jobs whose counts are not those of their outcomes; in the order of ``attempt``.
SELECT b.id, b.job_id, b.key, {outcomes_told} FROM batch b LEFT JOIN attempt a ON a.batch = b.id
WHERE b.state IN ('success', 'failed', 'lost') GROUP BY b.id
HAVING (s, k, f) != (b.success, b.skipped, b.failed)

-- name: store_counts
UPDATE batch SET (success, skipped, failed) =
  (SELECT {outcomes_told} FROM attempt a WHERE a.batch = batch.id) WHERE id = ?

-- name: stranded
-- Images under way in a batch that is not, or of another archive; or that say only half of it.
SELECT count(*) FROM image i LEFT JOIN batch b ON b.id = i.open_batch
WHERE (i.open_batch IS NOT NULL AND (b.state NOT IN ('intent', 'started') OR b.scope != i.scope))
  OR (i.open_batch IS NULL) != (i.pending IS NULL)

-- name: strange
-- Words that are never written, of images, jobs and outcomes.
SELECT (SELECT count(*) FROM image WHERE status NOT IN ('success', 'skipped', 'failed'))
  + (SELECT count(*) FROM batch
     WHERE state NOT IN ('intent', 'started', 'success', 'failed', 'lost', 'refused'))
  + (SELECT count(*) FROM attempt WHERE status NOT IN ('success', 'skipped', 'failed'))

-- name: misplaced
SELECT count(*) FROM image i JOIN batch b ON b.id = i.last_batch WHERE b.scope != i.scope

-- name: unkept
-- Failed images that are not kept as they were sent.
SELECT count(*) FROM image i LEFT JOIN kept k USING (scope, external_id)
WHERE i.status = 'failed' AND i.open_batch IS NULL AND k.scope IS NULL

-- name: open_packed
SELECT id, key, packed, images FROM batch WHERE state IN ('intent', 'started') ORDER BY id

-- name: kept
SELECT external_id, packed FROM kept
