SELECT [feed], [blob], [etag], [generation], [load_id], [size_bytes], [sha256], [rows_read], [rows_rejected],
       [quarantine], [curated], [committed_at], [retracted_at]
FROM [millrace].[unit]
WHERE [unit_id] = @P1;
