DELETE FROM [millrace].[stream_summary] WHERE [unit_id] = @P1 AND [summary_id] = @P2 AND [since] = @P3;
