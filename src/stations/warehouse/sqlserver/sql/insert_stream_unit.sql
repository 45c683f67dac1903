INSERT INTO [millrace].[unit] ([unit_id], [kind], [feed], [blob], [blob_order], [etag], [generation], [load_id], [size_bytes],
                               [rows_read], [rows_rejected], [committed_at])
VALUES (@P1, N'stream', @P2, @P3, @P4, @P5, @P6, N'', 0, @P7, @P8, @P9);
