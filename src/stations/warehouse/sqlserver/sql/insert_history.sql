INSERT INTO [millrace].[load_history] ([unit_id], [feed], [blob], [etag], [generation], [load_id], [outcome], [rows_read],
                                       [rows_rejected], [curated], [committed_at], [displaced_etag], [displaced_generation],
                                       [displaced_load_id])
VALUES (@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8, @P9, @P10, @P11, @P12, @P13, @P14);
