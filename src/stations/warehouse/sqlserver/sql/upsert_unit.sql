UPDATE [millrace].[unit] SET
  [etag] = @P5, [generation] = @P6, [load_id] = @P7, [size_bytes] = @P8, [sha256] = @P9, [rows_read] = @P10,
  [rows_rejected] = @P11, [quarantine] = @P12, [curated] = @P13, [committed_at] = @P14, [retracted_at] = @P15
WHERE [unit_id] = @P1;

INSERT INTO [millrace].[unit] ([unit_id], [kind], [feed], [blob], [blob_order], [etag], [generation], [load_id], [size_bytes],
                               [sha256], [rows_read], [rows_rejected], [quarantine], [curated], [committed_at], [retracted_at])
SELECT @P1, N'file', @P2, @P3, @P4, @P5, @P6, @P7, @P8, @P9, @P10, @P11, @P12, @P13, @P14, @P15
WHERE NOT EXISTS (SELECT 1 FROM [millrace].[unit] WHERE [unit_id] = @P1);
