UPDATE [millrace].[unit] SET
  [etag] = @P2,
  [generation] = @P3,
  [rows_read] = [rows_read] + @P4,
  [rows_rejected] = [rows_rejected] + @P5,
  [committed_at] = @P6
WHERE [unit_id] = @P1;
