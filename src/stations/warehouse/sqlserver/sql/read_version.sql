IF OBJECT_ID(N'[millrace].[schema_version]', N'U') IS NULL
  SELECT CAST(0 AS bigint);
ELSE
  SELECT MAX([version]) FROM [millrace].[schema_version];
