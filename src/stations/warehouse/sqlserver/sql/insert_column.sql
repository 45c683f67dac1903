INSERT INTO [millrace].[summary_column] ([table_name], [position], [column_name], [type], [merge])
VALUES (@P1, @P2, @P3, @P4, @P5);
