INSERT INTO [millrace].[schema_version] ([version], [since]) VALUES (@P1, @P2);
