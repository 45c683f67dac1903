SELECT TOP (@P2) [outcome], [etag], [generation], [load_id], [rows_read], [rows_rejected], [curated], [committed_at],
       [displaced_etag], [displaced_generation], [displaced_load_id]
FROM [millrace].[load_history]
WHERE [unit_id] = @P1
ORDER BY [entry] DESC;
