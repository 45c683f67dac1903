INSERT INTO [millrace].[stream_summary] ([unit_id], [summary_id], [since], [table_name], [generation])
VALUES (@P1, @P2, @P3, @P4, @P5);
