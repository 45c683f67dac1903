SELECT TOP (@P3) [feed], [blob], [etag], [generation], [load_id], [size_bytes], [sha256], [rows_read], [rows_rejected],
       [quarantine], [curated], [committed_at], [retracted_at]
FROM [millrace].[unit]
WHERE [feed] = @P1 AND [blob_order] > @P2 AND [kind] = N'file'
ORDER BY [blob_order];
