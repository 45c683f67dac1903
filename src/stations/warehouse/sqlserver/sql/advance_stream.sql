-- Events that are gone have no time: then that of the last one that was there stays.
UPDATE [millrace].[stream] SET
  [applied] = @P2,
  [applied_enqueued_at] = COALESCE(@P3, [applied_enqueued_at])
WHERE [unit_id] = @P1;
